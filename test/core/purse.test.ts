import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { exceeds, openPurse } from '../../src/core/purse.ts'

describe('a purse', () => {
  it('sets aside what there is, and has the rest again when less was needed', () => {
    const purse = openPurse(10)
    assert.equal(purse.reserve('a', 6), 6)
    assert.equal(purse.reserve('b', 6), 4)
    assert.equal(purse.reserve('c'), 0)
    assert.deepEqual([purse.left(), purse.open()], [0, 3])
    purse.settle('a', 1.5)
    purse.settle('c', 0)
    assert.deepEqual([purse.left(), purse.open(), purse.committed()], [4.5, 1, 5.5])
    assert.equal(purse.reserve('d'), 4.5)
  })

  it('counts one as open again whose end was not kept', () => {
    const purse = openPurse(10)
    purse.reserve('a', 6)
    purse.settle('a', 2)
    purse.hold('a', 6)
    assert.deepEqual([purse.left(), purse.open()], [4, 1])
  })

  it('without a limit counts all the same', () => {
    const purse = openPurse()
    assert.equal(purse.reserve('a'), undefined)
    assert.equal(purse.reserve('b', 3), 3)
    purse.settle('a', 7)
    assert.deepEqual([purse.left(), purse.committed()], [undefined, 10])
  })

  it('is never overdrawn, whatever comes in whatever order', () => {
    const steps = fc.array(fc.record({ child: fc.nat(9), atMost: fc.option(fc.double({ min: 0, max: 50, noNaN: true }), { nil: undefined }), share: fc.double({ min: 0, max: 1, noNaN: true }), ends: fc.boolean() }), { maxLength: 60 })
    fc.assert(fc.property(fc.double({ min: 0, max: 100, noNaN: true }), steps, (budget, all) => {
      const purse = openPurse(budget)
      const reserved = new Map<string, number>()
      let spent = 0
      for (const [i, { child, atMost, share, ends }] of all.entries()) {
        const id = `${child} ${i}`
        const amount = purse.reserve(id, atMost) ?? Infinity
        assert.ok(amount <= (atMost ?? Infinity))
        reserved.set(id, amount)
        const [oldest = id] = reserved.keys()
        if (ends) {
          const cost = (reserved.get(oldest) ?? 0) * share
          purse.settle(oldest, cost)
          reserved.delete(oldest)
          spent += cost
        }
        const set = [...reserved.values()].reduce((sum, each) => sum + each, spent)
        assert.ok(!exceeds(set, budget), `${set} of ${budget}`)
        assert.ok(Math.abs(purse.committed() - set) < 1e-6)
      }
    }))
  })
})
