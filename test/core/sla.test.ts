import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openOffer, stepProvider, type ProviderEvent } from '../../src/core/provider.ts'
import { costAfter, penaltyOf } from '../../src/core/sla.ts'
import { stepRequester, wakeAt, type RequesterEvent, type RequesterTask } from '../../src/core/requester.ts'
import { accepted, bidding, called, chosen, fold, follow, heard, progress, saying, tick } from './samples.ts'

const from = (task: RequesterTask) => ({ task, effects: [] })
const EVERY = 300
const SPEC = { sla: { progressEveryMs: EVERY } }
const agrees = { agrees: true as const }
const contract = (): RequesterTask => fold([called(['a', 'b']), bidding('a', agrees), bidding('b', agrees), chosen(['a', 'b']), accepted('a')], SPEC).task
const beat = (at: number) => heard('a', 1, at)

describe('progress that was agreed on', () => {
  it('is due so long after the acceptance, whatever heartbeats there are', () => {
    const task = contract()
    assert.equal(wakeAt(task), 30 + EVERY)
    const { task: next, effects } = follow(from(task), [beat(200), beat(320), tick(30 + EVERY)])
    assert.deepEqual(saying(effects), ['revoke a e1', 'publish moved', 'publish awarded', 'award b e2'])
    assert.deepEqual([next.excluded, next.lastFailure], [['a'], { code: 'SLA_BREACHED', provider: 'a', term: 'progress', promisedMs: EVERY, afterMs: EVERY }])
  })

  it('is due anew after each sign of it, and not while an answer is waited for', () => {
    const shown = follow(from(contract()), [progress('a', 1, 1, 300)]).task
    assert.equal(wakeAt(shown), 300 + EVERY)
    const question: RequesterEvent = { type: 'input-required', at: 400, provider: 'a', epoch: 1, sequence: 2, prompt: 'which?' }
    const asked = follow(from(shown), [question, beat(1_300)]).task
    assert.deepEqual(saying(follow(from(asked), [tick(2_000)]).effects), [])
    assert.equal(wakeAt(follow(from(asked), [progress('a', 1, 3, 2_100)]).task), 2_100 + EVERY)
  })

  it('after a restart it is due anew, and says what it did before when the log is folded', () => {
    assert.equal(wakeAt(stepRequester(contract(), { type: 'recovered', at: 320 }).task), 320 + EVERY)
  })

  it('is not agreed on by who does not say so: that is a pass', () => {
    const { task, effects } = fold([called(['old', 'b']), bidding('old'), bidding('b', agrees)], SPEC)
    assert.deepEqual(saying(effects).slice(2), ['decline old', 'publish passed', 'publish bid', 'choose 1'])
    assert.ok(task.stage === 'choosing' && task.bids.length === 1)
  })

  it('nobody else is held to it', () => {
    const task = fold([called(['a']), bidding('a'), chosen(['a']), accepted('a')]).task
    assert.deepEqual(saying(follow(from(task), [beat(900), tick(1_800)]).effects), [])
  })
})

describe('a result that is late', () => {
  const terms = { cost: 10, durationMs: 400, latePenalty: 0.25 }
  it('costs its share, and one that is not costs nothing', () => {
    assert.deepEqual([penaltyOf(terms, 400), penaltyOf(terms, 401), costAfter(terms, 401)], [0, 2.5, 7.5])
    assert.equal(penaltyOf({ cost: 10, latePenalty: 0.25 }, 10_000), 0, 'nothing was promised')
    assert.equal(penaltyOf({ cost: 10, durationMs: 1 }, 10_000), 0, 'nothing was agreed')
  })

  it('is charged at its end, by its provider itself; a failure is as ever', () => {
    const bid = { id: 'one', round: 1, cost: 10, durationMs: 400, expiresAt: 1_000 }
    const offered = openOffer({ type: 'offered', at: 0, taskId: 't', capability: 'c', requester: 'r', bid, call: { depth: 0, visited: [], sla: { latePenalty: 0.25 } } }).task
    const award: ProviderEvent = { type: 'awarded', at: 100, bidId: 'one', contract: { epoch: 1, leaseMs: 1, contractHash: '', inputHash: '' }, deadlineAt: 5_000, award: '', acceptance: '' }
    const working = stepProvider(offered, award).task
    const costAt = (at: number, outcome: (ProviderEvent & { type: 'handled' })['outcome']) => {
      const task = stepProvider(working, { type: 'handled', at, outcome }).task
      return task.stage === 'delivering' ? [task.cost, task.tookMs] : undefined
    }
    assert.deepEqual(costAt(500, { outcome: 'completed', output: 1 }), [10, 400])
    assert.deepEqual(costAt(501, { outcome: 'completed', output: 1 }), [7.5, 401])
    assert.deepEqual(costAt(900, { outcome: 'failed', failure: { code: 'INTERNAL', why: '' } }), [10, 800])
  })
})
