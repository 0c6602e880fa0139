import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { compileSchema, MAX_SCHEMA_BYTES } from '../../src/execute/schema.ts'

const usage = (why: RegExp) => (error: any) => error.code === 'BAD_USAGE' && why.test(error.message) && !error.message.includes('\n')

describe('compileSchema', () => {
  test('says nothing of a value that fits', async () => {
    const check = await compileSchema({ type: 'object', properties: { year: { type: 'integer' } }, required: ['year'] })
    assert.equal(check({ year: 1999 }), undefined)
  })

  test('names the place and what is wrong there, on one line', async () => {
    const check = await compileSchema({
      type: 'object',
      required: ['rows'],
      properties: { rows: { type: 'array', items: { type: 'object', additionalProperties: false, properties: { genre: { enum: ['a', 'b'] }, is: { const: 1 } } } } }
    })
    assert.equal(check(3), 'the value must be object')
    assert.equal(check({}), "the value must have required property 'rows'")
    assert.equal(check({ rows: [{}, { genre: 'c' }] }), '/rows/1/genre must be equal to one of the allowed values: ["a","b"]')
    assert.equal(check({ rows: [{ is: 2 }] }), '/rows/0/is must be equal to constant: 1')
    assert.equal(check({ rows: [{ more: 1 }] }), '/rows/0 must NOT have additional properties: "more"')
  })

  test('speaks draft 7 and 2020-12, each by its own rules', async () => {
    const tuple7 = await compileSchema({ $schema: 'http://json-schema.org/draft-07/schema#', items: [{ type: 'string' }, { type: 'number' }] })
    assert.equal(tuple7(['a', 1]), undefined)
    assert.match(tuple7(['a', 'b']) ?? '', /^\/1 must be number/)
    const tuple2020 = await compileSchema({ $schema: 'https://json-schema.org/draft/2020-12/schema', prefixItems: [{ type: 'string' }], unevaluatedItems: false })
    assert.equal(tuple2020(['a']), undefined)
    assert.match(tuple2020(['a', 2]) ?? '', /must NOT have more than 1 items/)
    await assert.rejects(compileSchema({ $schema: 'http://json-schema.org/draft-04/schema#' }), usage(/draft 7 and 2020-12/))
  })

  test('takes two different schemas with one $id', async () => {
    const a = await compileSchema({ $id: 'https://example.org/same', type: 'string' })
    const b = await compileSchema({ $id: 'https://example.org/same', type: 'number' })
    assert.equal(a('x'), undefined)
    assert.equal(b(1), undefined)
  })

  test('compiles equal schemas once', async () => {
    assert.equal(await compileSchema({ type: 'string', minLength: 3 }), await compileSchema({ type: 'string', minLength: 3 }))
  })

  test('takes formats it does not know as remarks', async () => {
    const check = await compileSchema({ type: 'string', format: 'postal-code' })
    assert.equal(check('x'), undefined)
  })

  test('refuses what is no schema, in one line', async () => {
    await assert.rejects(compileSchema({ type: 'strnig' }), usage(/\/type must be equal to one of the allowed values/))
    await assert.rejects(compileSchema({ $ref: '#/$defs/missing' }), usage(/can't resolve reference/))
    await assert.rejects(compileSchema({ pattern: '(' }), usage(/no JSON Schema/))
    await assert.rejects(async () => compileSchema([] as any), usage(/not an object/))
    await assert.rejects(compileSchema({ $async: true }), usage(/\$async/))
    await assert.rejects(async () => compileSchema({ description: 'x'.repeat(MAX_SCHEMA_BYTES) }), usage(/more than/))
    const cycle: Record<string, unknown> = {}
    cycle.self = cycle
    await assert.rejects(async () => compileSchema(cycle), usage(/circular/))
  })
})
