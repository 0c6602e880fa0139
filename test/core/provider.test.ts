import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DELIVERY_GRACE_MS, epochOf, openOffer, providerWakeAt, stepProvider, type ProviderEvent, type ProviderStep, type ProviderTask } from '../../src/core/provider.ts'

const offered = (round = 1, at = 0): Extract<ProviderEvent, { type: 'offered' }> => ({
  type: 'offered', at, taskId: 'task', capability: 'data.sum', requester: 'did:key:zme', bid: { id: `bid-${round}`, round, cost: 1, expiresAt: 60_000 + at }, call: { depth: 0, visited: [] }
})
const awarded = (epoch = 1, at = 10, bidId = 'bid-1', contractHash = `contract-${epoch}`): ProviderEvent =>
  ({ type: 'awarded', at, bidId, contract: { epoch, leaseMs: 1_000, contractHash, inputHash: 'hash' }, deadlineAt: 5_000, award: '', acceptance: '' })
const handled: ProviderEvent = { type: 'handled', at: 100, outcome: { outcome: 'completed', output: 42 } }
const undeliverable = (at: number, epoch = 1): ProviderEvent => ({ type: 'undeliverable', at, epoch, why: 'refused' })
const tick = (at: number): ProviderEvent => ({ type: 'tick', at })

const fold = (...events: ProviderEvent[]): ProviderStep => events.reduce((step, event) => stepProvider(step.task, event), openOffer(offered()))
const after = (task: ProviderTask, ...events: ProviderEvent[]): ProviderStep => events.reduce<ProviderStep>((step, event) => stepProvider(step.task, event), { task, effects: [] })
const said = ({ effects }: ProviderStep): string[] => effects.map(({ type }) => type)
const reasonOf = (task: ProviderTask): string | undefined => task.stage === 'closed' ? task.reason : undefined

describe('an award', () => {
  it('of the bid that was made is accepted and run', () => {
    const step = fold(awarded())
    assert.deepEqual(said(step), ['accept', 'run'])
    assert.ok(step.task.stage === 'working' && epochOf(step.task) === 1)
  })

  it('that comes twice is accepted twice and run once', () => {
    const step = fold(awarded(), awarded())
    assert.deepEqual(said(step), ['accept'])
    assert.equal(step.task.stage, 'working')
  })

  it('under a higher epoch takes over the work that runs', () => {
    const step = fold(awarded(), awarded(2))
    assert.deepEqual(said(step), ['accept'])
    assert.deepEqual([step.task.stage, epochOf(step.task)], ['working', 2])
    assert.deepEqual(after(step.task, handled).effects.map(effect => effect.type === 'deliver' && effect.contract.epoch), [2])
  })

  it('under a higher epoch has the outcome delivered that is there, once', () => {
    const step = fold(awarded(), handled, awarded(2, 200))
    assert.deepEqual(said(step), ['accept', 'deliver'])
    assert.ok(step.task.stage === 'delivering')
    assert.deepEqual(said(after(step.task, tick(200))), [])
    assert.equal(providerWakeAt(step.task), step.task.giveUpAt)
  })

  it('under an older epoch, or under none, is refused', () => {
    for (const epoch of [0, 1]) {
      const { task } = fold(awarded(2))
      const step = stepProvider(task, awarded(epoch))
      assert.equal(step.task, task)
      assert.deepEqual(said(step), ['refuse'])
    }
    assert.deepEqual(said(fold(awarded(0))), ['refuse'])
  })

  it('of another bid, or of one that has expired, is refused', () => {
    assert.deepEqual(said(fold(awarded(1, 10, 'other'))), ['refuse'])
    assert.deepEqual(said(fold(awarded(1, 60_000))), ['refuse'])
  })

  it('of what is over is refused under the same epoch, and accepted anew under a higher one', () => {
    const revoked = fold(awarded(), { type: 'revoked', at: 20, epoch: 1, reason: 'LEASE_EXPIRED' }).task
    assert.deepEqual(said(stepProvider(revoked, awarded(1))), ['refuse'])
    assert.deepEqual(said(stepProvider(revoked, awarded(2))), ['accept', 'run'])
  })

  it('that its revocation overtook is refused, and a later one is not', () => {
    const { task } = fold({ type: 'revoked', at: 5, epoch: 1, reason: 'CANCELLED' })
    assert.deepEqual(said(stepProvider(task, awarded(1))), ['refuse'])
    assert.deepEqual(said(stepProvider(task, awarded(2))), ['accept', 'run'])
  })

  it('of what is settled is refused whatever its epoch', () => {
    const settled = fold(awarded(), handled, { type: 'delivered', at: 110, epoch: 1 }).task
    assert.equal(reasonOf(settled), 'settled')
    assert.deepEqual(said(stepProvider(settled, awarded(2))), ['refuse'])
    assert.equal(stepProvider(settled, offered(2)).task, settled)
  })
})

describe('a bid', () => {
  it('ends when it has expired, or lost', () => {
    assert.equal(reasonOf(fold(tick(60_000)).task), 'expired')
    assert.equal(reasonOf(fold({ type: 'declined', at: 10, reason: 'no' }).task), 'lost')
  })

  it('of a later round takes its place, also after it has lost', () => {
    for (const events of [[], [{ type: 'declined', at: 10, reason: 'no' } as const]]) {
      const { task } = fold(...events, offered(2, 50))
      assert.equal(task.bid.id, 'bid-2')
      assert.deepEqual(said(stepProvider(task, awarded(1, 60, 'bid-2'))), ['accept', 'run'])
    }
  })

  it('of a later round is as open as the first, but for the epochs that are over', () => {
    const { task } = fold(awarded(), { type: 'revoked', at: 20, epoch: 1, reason: 'REFUSED' }, offered(2, 50))
    assert.deepEqual([task.stage, providerWakeAt(task)], ['offered', 60_050])
    assert.equal(stepProvider(task, { type: 'revoked', at: 60, epoch: 1, reason: 'REFUSED' }).task, task)
    assert.deepEqual(said(stepProvider(task, awarded(1, 60, 'bid-2'))), ['refuse'])
    assert.deepEqual(said(stepProvider(task, awarded(2, 60, 'bid-2'))), ['accept', 'run'])
  })

  it('stands when the same round, or an older one, is announced again', () => {
    const { task } = fold(offered(2, 50))
    for (const round of [1, 2]) {
      const again = offered(round, 60)
      assert.equal(stepProvider(task, { ...again, bid: { ...again.bid, id: 'other' } }).task, task)
    }
  })

  it('is not lost by a decline that is meant for an earlier one', () => {
    const { task } = fold(offered(2, 50))
    assert.equal(stepProvider(task, { type: 'declined', at: 60, reason: 'late', bidId: 'bid-1' }).task, task)
    assert.equal(reasonOf(stepProvider(task, { type: 'declined', at: 60, reason: 'lost', bidId: 'bid-2' }).task), 'lost')
  })

  it('is not lost by a late decline once it was awarded', () => {
    assert.equal(fold(awarded(), { type: 'declined', at: 10, reason: 'no' }).task.stage, 'working')
  })
})

describe('work', () => {
  for (const [why, event, reason] of [
    ['its deadline', tick(5_000), 'expired'],
    ['a revocation', { type: 'revoked', at: 50, epoch: 1, reason: 'CANCELLED' }, 'revoked'],
    ['a fence', { type: 'fenced', at: 50, epoch: 1 }, 'fenced']
  ] as const) {
    it(`is aborted by ${why}`, () => {
      const step = stepProvider(fold(awarded()).task, event)
      assert.deepEqual(said(step), ['abort'])
      assert.equal(reasonOf(step.task), reason)
      assert.deepEqual(stepProvider(step.task, handled), { task: step.task, effects: [] })
    })
  }

  it('that ended by itself is refused for that when it is awarded again, and for its epoch when it was taken away', () => {
    for (const [end, code] of [[tick(5_000), 'DEADLINE_EXCEEDED'], [{ type: 'fenced', at: 50, epoch: 1 }, 'STALE_EPOCH']] as const) {
      const [effect] = stepProvider(fold(awarded(), end).task, awarded()).effects
      assert.equal(effect?.type === 'refuse' && effect.failure.code, code)
    }
  })

  it('is not stopped by what is meant for an older epoch', () => {
    const { task } = fold(awarded(2))
    for (const event of [{ type: 'revoked', at: 50, epoch: 1, reason: '' }, { type: 'fenced', at: 50, epoch: 1 }] as const) assert.equal(stepProvider(task, event).task, task)
  })

  it('that a crash has cut off is delivered as lost, never run again', () => {
    const step = fold(awarded(), { type: 'recovered', at: 50 })
    assert.deepEqual(said(step), ['deliver'])
    assert.ok(step.task.stage === 'delivering' && step.task.outcome.outcome === 'failed' && step.task.outcome.failure.code === 'HANDLER_LOST')
  })
})

describe('delivery', () => {
  it('is tried again with longer waits, and given up a while after the deadline', () => {
    let { task } = fold(awarded(), handled)
    const waits: number[] = []
    for (let now = 100; task.stage === 'delivering';) {
      task = stepProvider(task, undeliverable(now)).task
      const due = providerWakeAt(task) as number
      waits.push(due - now)
      now = due
      const step = stepProvider(task, tick(now))
      assert.deepEqual(said(step), step.task.stage === 'delivering' ? ['deliver'] : [])
      task = step.task
    }
    assert.deepEqual(waits.slice(0, 9), [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000])
    assert.equal(reasonOf(task), 'undelivered')
    assert.equal(100 + waits.reduce((sum, wait) => sum + wait, 0), 5_000 + DELIVERY_GRACE_MS)
  })

  it('goes on at once after a crash', () => {
    const { task } = fold(awarded(), handled, undeliverable(100), { type: 'recovered', at: 5_000 })
    assert.equal(providerWakeAt(task), 5_000)
    assert.deepEqual(said(stepProvider(task, tick(5_000))), ['deliver'])
  })

  it('ends settled, with the failure when it was one', () => {
    const failed = fold(awarded(), { type: 'recovered', at: 50 }, { type: 'delivered', at: 60, epoch: 1 }).task
    assert.equal(failed.stage === 'closed' && failed.failure?.code, 'HANDLER_LOST')
  })

  it('is not ended or put off by what belongs to an older epoch', () => {
    const { task } = fold(awarded(), awarded(2), handled)
    for (const event of [{ type: 'delivered', at: 110, epoch: 1 } as const, undeliverable(110)]) assert.equal(stepProvider(task, event).task, task)
  })
})
