import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { fadedAt, HALF_LIFE_MS, learn, levelOf, reputationOf, UNKNOWN, weightOf, type Experience } from '../../src/core/reputation.ts'
import { receipt } from './samples.ts'
import type { Failure } from '../../src/core/errors.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const after = (...weights: number[]): Experience => weights.reduce<Experience | undefined>((seen, weight) => learn(seen, weight, 0), undefined) as Experience
const reputationAt = (experience: Experience, now: number): number => reputationOf(fadedAt(experience, now))
const levelAfter = (experience: Experience, now = 0): string => levelOf(fadedAt(experience, now))
const common = { taskId: 'task', at: 0 }
const failure = (code: string): Failure => ({ code, why: 'no' }) as unknown as Failure

describe('what an event says of a provider', () => {
  const result = { ...common, event: 'result', provider: 'p', epoch: 1, output: null, cost: 0, durationMs: 1, receipt } as const
  for (const [what, event, weight] of [
    ['a result with its receipt', result, 1],
    ['a result whose receipt was not verified', { ...result, receipt: { ...receipt, verified: false } }, 0],
    ['a failure, a silence, a breach, a loss', { ...common, event: 'moved', provider: 'p', epoch: 1, failure: failure('LEASE_EXPIRED') }, -1],
    ['a refusal of what it bid for', { ...common, event: 'moved', provider: 'p', epoch: 1, failure: failure('REFUSED') }, -0.25],
    ['that it wants another input', { ...common, event: 'failed', failure: failure('INPUT_INVALID') }, -0.25],
    ['that it held on to a task until its deadline', { ...common, event: 'failed', failure: failure('DEADLINE_EXCEEDED') }, -1],
    ['its owner cancelled it', { ...common, event: 'failed', failure: failure('CANCELLED') }, 0],
    ['that it accepted', { ...common, event: 'accepted', provider: 'p', epoch: 1 }, 0]
  ] as Array<[string, TaskEvent, number]>) it(`${what}: ${weight}`, () => { assert.equal(weightOf(event), weight) })
})

describe('a reputation', () => {
  it('is a quarter for who is not known, and proven by a contract kept, doubtful by one broken', () => {
    assert.equal(reputationOf(UNKNOWN), 0.25)
    assert.equal(levelOf(UNKNOWN), 'new')
    assert.equal(levelAfter(after(1)), 'proven')
    assert.equal(levelAfter(after(-1)), 'doubtful')
    assert.equal(levelAfter(after(-0.25)), 'new')
    assert.equal(levelAfter(after(1, -1)), 'new')
  })

  it('is forgotten by half a day after day, and comes back to that of the unknown', () => {
    const seen = after(...Array<number>(6).fill(1))
    assert.equal(reputationAt(seen, 0), 6.5 / 8)
    assert.equal(reputationAt(seen, HALF_LIFE_MS), 3.5 / 5)
    assert.ok(Math.abs(reputationAt(seen, 40 * HALF_LIFE_MS) - reputationOf(UNKNOWN)) < 1e-6)
    assert.equal(levelAfter(after(-1), 1.01 * HALF_LIFE_MS), 'new')
  })

  it('does not depend on the order in which things are read, nor on a clock that was set back', () => {
    const seen = fc.array(fc.record({ weight: fc.constantFrom(1, -1, -0.25), at: fc.nat(5 * HALF_LIFE_MS) }), { minLength: 1, maxLength: 20 })
    fc.assert(fc.property(seen, events => {
      const fold = (list: typeof events): number => reputationAt(list.reduce<Experience | undefined>((before, { weight, at }) => learn(before, weight, at), undefined) as Experience, 5 * HALF_LIFE_MS)
      const there = fold(events)
      assert.ok(there >= 0 && there <= 1)
      assert.ok(Math.abs(there - fold(events.toReversed())) < 1e-9)
    }))
    assert.equal(reputationAt(after(1), -HALF_LIFE_MS), 0.5)
  })
})
