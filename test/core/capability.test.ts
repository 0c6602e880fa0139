import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { domainOf, matches, parseCapability, parsePattern, prefixesOf } from '../../src/core/capability.ts'

const label = fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/)
const labels = fc.array(label, { minLength: 1, maxLength: 8 })
const refuses = (text: string, parse = parseCapability as (text: string) => unknown) => assert.throws(() => parse(text), { code: 'CAPABILITY_INVALID' }, text)

describe('a capability name', () => {
  it('has labels, and perhaps a version', () => {
    assert.deepEqual(parseCapability('data.revenue.aggregate@2'), { name: 'data.revenue.aggregate', labels: ['data', 'revenue', 'aggregate'], version: 2 })
    assert.deepEqual(parseCapability('ocr'), { name: 'ocr', labels: ['ocr'], version: undefined })
  })

  it('is refused with a reason when it is none', () => {
    for (const text of ['', '.', 'a.', '.a', 'a..b', 'A', 'a_b', '-a', 'a-', 'a b', 'ä', 'a.*', '*', 'a@', 'a@0', 'a@01', 'a@1.2', 'a@x', 'a@10000', 'a@1@2', 'a@-1', 'a\n', 'x'.repeat(41), 'a.b.c.d.e.f.g.h.i']) refuses(text)
  })

  it('is read as it was written', () => {
    fc.assert(fc.property(labels, fc.option(fc.integer({ min: 1, max: 9_999 }), { nil: undefined }), (labels, version) => {
      const name = labels.join('.')
      assert.deepEqual(parseCapability(version === undefined ? name : `${name}@${version}`), { name, labels, version })
    }))
  })

  it('never makes the parser fail otherwise than by refusing', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => {
      for (const parse of [parseCapability, parsePattern]) {
        try { parse(text) } catch (error) { assert.equal((error as { code?: string }).code, 'CAPABILITY_INVALID') }
      }
    }))
  })
})

describe('a pattern', () => {
  for (const [pattern, name, version, does] of [
    ['data.sum', 'data.sum', 3, true], ['data.sum', 'data', 1, false], ['data.sum', 'data.sum.fast', 1, false],
    ['data.sum@1', 'data.sum', 1, true], ['data.sum@1', 'data.sum', 2, false],
    ['data.*', 'data', 1, true], ['data.*', 'data.sum', 1, true], ['data.*', 'data.sum.fast', 1, true], ['data.*', 'database.sum', 1, false], ['data.*@2', 'data.sum', 1, false],
    ['*', 'anything.at.all', 1, true], ['*@2', 'anything', 1, false], ['*@2', 'anything', 2, true]
  ] as const) it(`${pattern} ${does ? 'means' : 'does not mean'} ${name}@${version}`, () => assert.equal(matches(parsePattern(pattern), { name, version }), does))

  it('is refused when it is none', () => { for (const text of ['', '.*', '*.a', 'a.*.b', '**', 'a*', 'a.*@0']) refuses(text, parsePattern) })

  it('of a name, and of each of its prefixes, means the name', () => {
    fc.assert(fc.property(labels, labels => {
      const capability = { name: labels.join('.'), version: 1 }
      assert.ok(matches(parsePattern(capability.name), capability))
      for (const prefix of prefixesOf(capability.name)) assert.ok(matches(parsePattern(`${prefix}.*`), capability))
    }))
  })
})

it('prefixes go from the first label to the whole name, and the first is the domain', () => {
  assert.deepEqual(prefixesOf('data.revenue.aggregate'), ['data', 'data.revenue', 'data.revenue.aggregate'])
  assert.equal(domainOf(['data', 'revenue']), 'data')
  assert.equal(domainOf([]), '')
})
