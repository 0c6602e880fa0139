import assert from 'node:assert/strict'
import { it } from 'node:test'
import * as fc from 'fast-check'
import { epochOf, openOffer, providerWakeAt, stepProvider, type ProviderEvent, type ProviderStep, type ProviderTask } from '../../src/core/provider.ts'

const RUNS = { numRuns: 500 }

const at = fc.oneof({ weight: 30, arbitrary: fc.integer({ min: 0, max: 2_000 }) }, { weight: 1, arbitrary: fc.integer({ min: 0, max: 80_000 }) })
const epoch = fc.integer({ min: 0, max: 5 })
const round = fc.integer({ min: 1, max: 4 })
const fits = fc.boolean()

type Maker = (task: ProviderTask) => ProviderEvent
const make = (arbitrary: fc.Arbitrary<Maker>): fc.Arbitrary<Maker> => arbitrary

const bidOf = (round: number, n: number) => ({ id: `bid-${round}-${n}`, round, cost: 1, expiresAt: 3_000 })
const offer = (at: number, round: number, n: number): Extract<ProviderEvent, { type: 'offered' }> =>
  ({ type: 'offered', at, taskId: 'task', capability: 'data.sum', requester: 'did:key:zme', bid: bidOf(round, n), call: { depth: 0, visited: [] } })

const incoming: fc.Arbitrary<Maker> = fc.oneof(
  { weight: 2, arbitrary: make(fc.record({ at, round, n: fc.integer({ min: 1, max: 2 }) }).map(({ at, round, n }) => () => offer(at, round, n))) },
  { weight: 6, arbitrary: make(fc.record({ at, round, epoch, fits, next: fits, n: fc.integer({ min: 1, max: 2 }) }).map(({ at, round, epoch, fits, next, n }) => task => ({
    type: 'awarded', at, bidId: fits ? task.bid.id : bidOf(round, n).id, deadlineAt: at + 5_000, award: 'YQ==', acceptance: 'Yg==',
    contract: { epoch: next ? epochOf(task) + 1 : epoch, leaseMs: 500, contractHash: `contract-${epoch}`, inputHash: 'hash' }
  }))) },
  { weight: 3, arbitrary: make(fc.record({ at, fits }).map(({ at, fits }) => () => ({
    type: 'handled', at, outcome: fits ? { outcome: 'completed', output: 42 } : { outcome: 'failed', failure: { code: 'HANDLER_FAILED', capability: 'data.sum', why: 'no', retryable: true } }
  }))) },
  { weight: 6, arbitrary: make(fc.record({ at, epoch, fits, type: fc.constantFrom('delivered', 'undeliverable', 'undeliverable', 'fenced', 'revoked') }).map(({ at, epoch, fits, type }) => task => {
    const of = fits ? epochOf(task) : epoch
    switch (type) {
      case 'undeliverable': return { type, at, epoch: of, why: 'refused' }
      case 'revoked': return { type, at, epoch: of, reason: 'LEASE_EXPIRED' }
      case 'fenced': return { type, at, epoch: of }
      default: return { type: 'delivered', at, epoch: of }
    }
  })) },
  { weight: 1, arbitrary: make(at.map(at => () => ({ type: 'declined', at, reason: 'lost' }))) },
  { weight: 3, arbitrary: make(fc.record({ at, due: fits }).map(({ at, due }) => task => ({ type: 'tick', at: due ? providerWakeAt(task) ?? at : at }))) },
  { weight: 1, arbitrary: make(at.map(at => () => ({ type: 'recovered', at }))) }
)
const story = fc.array(incoming, { maxLength: 60, size: 'max' })

interface Moment extends ProviderStep { before: ProviderTask, event: ProviderEvent }

function play (makers: Maker[]): Moment[] {
  let { task } = openOffer(offer(0, 1, 1))
  return makers.map(maker => {
    const before = task
    const event = maker(before)
    const step = stepProvider(before, event)
    task = step.task
    return { before, event, ...step }
  })
}

const holds = (promise: (moments: Moment[]) => void): void => fc.assert(fc.property(story, makers => { promise(play(makers)) }), RUNS)

it('an epoch never falls', () => {
  holds(moments => { for (const { before, task } of moments) assert.ok(epochOf(task) >= epochOf(before)) })
})

it('a task is run once at a time, and never again under an epoch it was run in', () => {
  holds(moments => {
    let running = false
    let last = 0
    for (const { event, before, effects } of moments) {
      if (before.stage === 'working' && (event.type === 'handled' || event.type === 'recovered')) running = false
      for (const effect of effects) {
        if (effect.type === 'abort') running = false
        if (effect.type !== 'run') continue
        assert.equal(running, false)
        assert.ok(effect.contract.epoch > last)
        running = true
        last = effect.contract.epoch
      }
      last = Math.max(last, epochOf(before))
    }
  })
})

it('an award under an old epoch, or under none, is refused and changes nothing', () => {
  holds(moments => {
    for (const { before, event, task, effects } of moments) {
      if (event.type !== 'awarded' || event.contract.epoch >= Math.max(1, epochOf(before))) continue
      assert.equal(task, before)
      assert.deepEqual(effects.map(({ type }) => type), ['refuse'])
    }
  })
})

it('each award is answered once, and run or delivered only when it was accepted', () => {
  holds(moments => {
    for (const { event, effects } of moments) {
      const answers = effects.filter(({ type }) => type === 'accept' || type === 'refuse')
      assert.equal(answers.length, event.type === 'awarded' ? 1 : 0)
      if (answers[0]?.type === 'refuse') assert.equal(effects.length, 1)
    }
  })
})

it('what was settled stays settled: nothing is run or delivered again', () => {
  holds(moments => {
    for (const { before, task, effects } of moments) {
      if (before.stage !== 'closed' || before.reason !== 'settled') continue
      assert.deepEqual(task, before)
      assert.ok(effects.every(({ type }) => type === 'refuse'))
    }
  })
})

it('an outcome is delivered under the contract that is held, and no longer than it is held', () => {
  holds(moments => {
    for (const { task, effects } of moments) {
      for (const effect of effects) if (effect.type === 'deliver') assert.ok(task.stage === 'delivering' && task.contract === effect.contract)
    }
  })
})

it('a timer never spins: ticks at one time come to rest, and each of them gets somewhere', () => {
  holds(moments => {
    for (let { task } of moments) {
      const now = providerWakeAt(task) ?? 0
      let ticks = 0
      for (let due = providerWakeAt(task); due !== undefined && due <= now; due = providerWakeAt(task)) {
        const { task: next } = stepProvider(task, { type: 'tick', at: now })
        assert.notDeepEqual(next, task)
        task = next
        assert.ok(++ticks < 4)
      }
    }
  })
})

it('left alone, every task comes to its end', () => {
  holds(moments => {
    let task = moments.at(-1)?.task ?? openOffer(offer(0, 1, 1)).task
    for (let ticks = 0; ticks < 10; ticks++) task = stepProvider(task, { type: 'tick', at: providerWakeAt(task) ?? 0 }).task
    assert.equal(task.stage, 'closed')
  })
})

it('events that went through the log as JSON lead to the same state and the same effects', () => {
  holds(moments => {
    let { task } = openOffer(throughJson(offer(0, 1, 1)))
    for (const { event, ...moment } of moments) {
      const step = stepProvider(task, throughJson(event))
      task = step.task
      assert.deepEqual(throughJson(step), throughJson({ task: moment.task, effects: moment.effects }))
    }
  })
})

it('stories get far: random events reach every stage and every kind of end', () => {
  const reached = new Set<string>()
  for (const makers of fc.sample(story, { numRuns: 500, seed: 1 })) for (const { task } of play(makers)) reached.add(task.stage === 'closed' ? task.reason : task.stage)
  assert.deepEqual([...reached].sort(), ['delivering', 'expired', 'fenced', 'lost', 'offered', 'revoked', 'settled', 'undelivered', 'working'])
})

const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
