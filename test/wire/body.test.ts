import assert from 'node:assert/strict'
import { it } from 'node:test'
import { encodeJson, parseJson, readBody, toBody } from '../../src/wire/body.ts'
import { withCode } from '../identity/support.ts'

it('gives back what was sent: JSON, bytes of its own, or nothing', () => {
  for (const value of [null, 0, '', [1, { a: 'b' }], new Uint8Array([1, 2])]) assert.deepEqual(readBody(toBody(value)), value)
  assert.deepEqual(toBody(undefined), {})
  assert.equal(readBody({}), undefined)
})

it('an input or output that is undefined is null, for there has to be one', () => {
  assert.equal(parseJson(encodeJson(undefined)), null)
})

it('refuses what has no JSON form, and what is none', () => {
  const ring: { of?: unknown } = {}
  ring.of = ring
  for (const value of [() => {}, Symbol('x'), 1n, ring]) assert.throws(() => toBody(value), withCode('BAD_USAGE', /cannot be sent/))
  assert.throws(() => readBody({ mediaType: 'application/json', content: Buffer.from('{') }), withCode('MESSAGE_MALFORMED'))
})
