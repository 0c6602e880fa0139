/** One caller cannot keep all slots of a capability from the others. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { createBulkhead } from '../../src/guard/bulkhead.ts'

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

describe('the slots of a capability', () => {
  it('may all be one caller\'s while nobody else asks', () => {
    const { refusal } = createBulkhead(16, { now: () => 0 })
    for (let held = 0; held < 16; held++) assert.equal(refusal('a', times(held, 'a')), undefined)
    assert.deepEqual(refusal('a', times(16, 'a')), { code: 'OVERLOADED', what: 'tasks at work or waiting', limit: 16 })
  })

  it('go to who waits when one is free, and not to who has its share', () => {
    const { refusal } = createBulkhead(4, { now: () => 0 })
    assert.ok(refusal('b', times(4, 'a')))
    assert.deepEqual(refusal('a', times(3, 'a')), { code: 'OVERLOADED', what: 'tasks of one caller while others wait', limit: 2 })
    assert.equal(refusal('b', times(3, 'a')), undefined)
  })

  it('are not kept for who has not asked for 1 s', () => {
    let now = 0
    const { refusal } = createBulkhead(4, { now: () => now })
    assert.ok(refusal('b', times(4, 'a')))
    now = 999
    assert.ok(refusal('a', times(3, 'a')))
    now = 1_000
    assert.equal(refusal('a', times(3, 'a')), undefined)
  })

  it('beyond one for each that waits may be taken by anybody', () => {
    const { refusal } = createBulkhead(8, { now: () => 0 })
    assert.ok(refusal('b', times(8, 'a')))
    assert.equal(refusal('a', times(6, 'a')), undefined)
    assert.ok(refusal('a', times(7, 'a')))
  })

  it('give all that ask one, however greedy another is', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), (others, more) => {
      const limit = others + more
      const { refusal } = createBulkhead(limit, { now: () => 0 })
      const holders: string[] = []
      const ask = (caller: string): boolean => {
        const taken = refusal(caller, holders) === undefined
        if (taken) holders.push(caller)
        return taken
      }
      while (ask('greedy'));
      const names = Array.from({ length: others }, (_, i) => `other-${i}`)
      for (const name of names) assert.equal(ask(name), false)
      for (let ended = 0; ended < others; ended++) {
        holders.shift()
        while (ask('greedy'));
        assert.ok(names.some(name => !holders.includes(name) && ask(name)), `nobody got the slot: ${holders.join()}`)
      }
      assert.deepEqual(holders.filter(holder => holder !== 'greedy').toSorted(), names)
    }))
  })
})
