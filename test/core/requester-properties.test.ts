import assert from 'node:assert/strict'
import { it } from 'node:test'
import * as fc from 'fast-check'
import { hasEnded, winnerOf } from '../../src/core/ending.ts'
import { openTask, stepRequester, wakeAt, type RequesterEvent, type RequesterTask, type Step } from '../../src/core/requester.ts'
import { bidOf, receipt, specOf } from './samples.ts'
import type { TaskSpec } from '../../src/core/task.ts'

const PROVIDERS = ['a', 'b', 'c', 'd', 'mallory']
const RUNS = { numRuns: 500 }

/** Mostly soon, so that stories do not end at once by their deadline. */
const at = fc.oneof({ weight: 60, arbitrary: fc.integer({ min: 0, max: 1_200 }) }, { weight: 3, arbitrary: fc.integer({ min: 0, max: 9_999 }) }, { weight: 1, arbitrary: fc.integer({ min: 10_000, max: 11_000 }) })
const provider = fc.constantFrom(...PROVIDERS)
const round = fc.integer({ min: 1, max: 4 })
const epoch = fc.integer({ min: 0, max: 5 })
const sequence = fc.integer({ min: 0, max: 4 })
/** Half of the time what fits the state, so that runs get far; else anything. */
const fits = fc.boolean()

/** Something that may come in, made into an event for the state that it meets. */
type Maker = (task: RequesterTask) => RequesterEvent
const make = (arbitrary: fc.Arbitrary<Maker>): fc.Arbitrary<Maker> => arbitrary

const incoming: fc.Arbitrary<Maker> = fc.oneof(
  { weight: 6, arbitrary: make(fc.record({ at, round, fits, asked: fc.subarray(PROVIDERS) }).map(({ at, round, fits, asked }) => task => ({ type: 'called', at, round: fits ? task.round : round, asked }))) },
  { weight: 24, arbitrary: make(fc.record({ at, round, provider, fits, cost: fc.integer({ min: 0, max: 12 }), durationMs: fc.option(fc.integer({ min: 0, max: 2_000 }), { nil: undefined }), expiresAt: fc.constantFrom(3_000, 60_000), n: fc.integer({ min: 1, max: 2 }) })
    .map(({ at, round, provider, fits, n, ...rest }) => task => ({ type: 'bid', at, bid: bidOf(provider, { ...rest, id: `bid-${provider}-${n}`, round: fits ? task.round : round }) }))) },
  { weight: 6, arbitrary: make(fc.record({ at, round, provider, fits, code: fc.constantFrom(undefined, 'NOT_ALLOWED', 'OVERLOADED') }).map(({ at, round, provider, fits, code }) => task => ({ type: 'passed', at, provider, round: fits ? task.round : round, reason: 'no', code }))) },
  { weight: 18, arbitrary: make(fc.record({ at, turned: fits }).map(({ at, turned }) => task => {
    const bids = task.stage === 'choosing' ? task.bids : []
    return { type: 'chosen', at, round: task.round, order: (turned ? bids.toReversed() : bids).map(bid => ({ bid, score: 1, reason: 'so' })) }
  })) },
  { weight: 24, arbitrary: make(fc.record({
    at, provider, epoch, fits, sequence, retryable: fc.boolean(),
    type: fc.constantFrom('accepted', 'refused', 'heard', 'progress', 'artifact', 'input-required', 'result', 'broke')
  }).map(({ at, provider, epoch, fits, sequence, retryable, type }) => task => {
    const from = fits ? { at, provider: winnerOf(task)?.provider ?? provider, epoch: task.epoch } : { at, provider, epoch }
    switch (type) {
      case 'accepted': return { type, ...from, award: 'YQ==', acceptance: 'Yg==' }
      case 'refused': return { type, ...from, reason: 'no', retryable }
      case 'progress': return { type, ...from, sequence, fraction: 0.5 }
      case 'artifact': return { type, ...from, sequence, name: 'part', mediaType: 'text/plain', data: 'YQ==', append: false, last: false }
      case 'input-required': return { type, ...from, sequence, prompt: 'really?' }
      case 'result': return { type, ...from, output: { by: from.provider }, cost: 1, durationMs: 2, receipt }
      case 'broke': return { type, ...from, retryable, failure: { code: 'HANDLER_FAILED', capability: 'data.sum', why: 'no', retryable } }
      default: return { type: 'heard', ...from }
    }
  })) },
  { weight: 3, arbitrary: make(fc.record({ at, provider }).map(({ at, provider }) => () => ({ type: 'gone', at, provider, why: 'refused' }))) },
  { weight: 18, arbitrary: make(fc.record({ at, due: fits }).map(({ at, due }) => task => ({ type: 'tick', at: due ? wakeAt(task) ?? at : at }))) },
  { weight: 2, arbitrary: make(at.map(at => () => ({ type: 'recovered', at }))) },
  { weight: 1, arbitrary: make(at.map(at => () => ({ type: 'cancelled', at, why: 'enough' }))) }
)
const spec: fc.Arbitrary<TaskSpec> = fc.record({ maxCost: fc.constantFrom(undefined, 5), to: fc.constantFrom(undefined, undefined, 'b'), leaseMs: fc.constantFrom(1, 800) }).map(specOf)
const story = fc.record({ spec, makers: fc.array(incoming, { maxLength: 80, size: 'max' }) })

interface Moment extends Step { before: RequesterTask, event: RequesterEvent }

function play (spec: TaskSpec, makers: Maker[]): Moment[] {
  let { task } = openTask(spec)
  return makers.map(maker => {
    const before = task
    const event = maker(before)
    const step = stepRequester(before, event)
    task = step.task
    return { before, event, ...step }
  })
}

const holds = (promise: (moments: Moment[], spec: TaskSpec) => void): void =>
  fc.assert(fc.property(story, ({ spec, makers }) => { promise(play(spec, makers), spec) }), RUNS)

it('an epoch never falls, and each award raises it by one', () => {
  holds(moments => {
    let last = 0
    for (const { before, task, effects } of moments) {
      assert.ok(task.epoch >= before.epoch)
      for (const effect of effects) {
        if (effect.type === 'award') assert.equal(effect.epoch, ++last)
        if (effect.type === 'publish' && effect.event.event === 'awarded') assert.equal(effect.event.epoch, last + 1)
      }
      assert.equal(task.epoch, last)
    }
  })
})

it('no two epochs live at once: an award is revoked before the next is made', () => {
  holds(moments => {
    for (const { before, effects } of moments) {
      const award = effects.findIndex(({ type }) => type === 'award')
      if (award === -1 || winnerOf(before) === undefined) continue
      const revoke = effects.findIndex(effect => effect.type === 'revoke' && effect.epoch === before.epoch && effect.bid.id === winnerOf(before)?.id)
      assert.ok(revoke !== -1 && revoke < award)
    }
  })
})

it('awards go to bids of this round, within budget, from nobody excluded, and to whom it is for', () => {
  holds((moments, spec) => {
    for (const { task, effects } of moments) {
      for (const effect of effects) {
        if (effect.type !== 'award') continue
        assert.ok(!task.excluded.includes(effect.bid.provider))
        assert.ok(effect.bid.cost <= (spec.maxCost ?? Infinity))
        assert.equal(effect.bid.round, task.round)
        assert.equal(effect.bid.provider, spec.to ?? effect.bid.provider)
      }
    }
  })
})

it('an end is final: one result at most, and nothing is awarded, asked or told after it but refusals', () => {
  holds(moments => {
    let ends = 0
    for (const { before, task, effects } of moments) {
      const told = effects.flatMap(effect => effect.type === 'publish' ? [effect.event.event] : [])
      ends += told.filter(event => event === 'result' || event === 'failed').length
      assert.equal(ends, hasEnded(task) ? 1 : 0)
      if (!hasEnded(before)) continue
      // But for an acceptance that comes after the result: it belongs to the contract, and is kept.
      assert.deepEqual({ ...task, accepted: undefined }, { ...before, accepted: undefined })
      assert.ok(told.every(event => event === 'fenced'))
      assert.ok(effects.every(({ type }) => ['publish', 'fence', 'decline', 'take'].includes(type)))
    }
  })
})

it('a result is taken only from the holder of the newest award, under its epoch', () => {
  holds(moments => {
    for (const { before, event, effects } of moments) {
      for (const effect of effects) {
        if (effect.type !== 'take') continue
        assert.equal(event.type, 'result')
        assert.equal(effect.epoch, before.epoch)
        assert.equal(effect.provider, before.stage === 'settled' ? before.provider : winnerOf(before)?.provider)
      }
    }
  })
})

it('whatever has happened, the task has ended after a tick at its deadline', () => {
  holds((moments, spec) => {
    const last = moments.at(-1)?.task ?? openTask(spec).task
    const { task } = stepRequester(last, { type: 'tick', at: spec.deadlineAt })
    assert.ok(hasEnded(task))
    assert.equal(wakeAt(task), undefined)
  })
})

it('a timer never spins: ticks at one time come to rest, and each of them gets somewhere', () => {
  holds(moments => {
    for (let { task } of moments) {
      const now = wakeAt(task) ?? 0
      let ticks = 0
      for (let due = wakeAt(task); due !== undefined && due <= now; due = wakeAt(task)) {
        const { task: next } = stepRequester(task, { type: 'tick', at: now })
        assert.notDeepEqual(next, task)
        task = next
        assert.ok(++ticks < 4)
      }
    }
  })
})

it('an event that comes twice changes nothing the second time', () => {
  holds(moments => {
    for (const { task, event } of moments) assert.deepEqual(stepRequester(task, event).task, task)
  })
})

it('events that went through the log as JSON lead to the same state and the same effects', () => {
  holds((moments, spec) => {
    let { task } = openTask(throughJson(spec))
    for (const { event, ...moment } of moments) {
      const step = stepRequester(task, throughJson(event))
      task = step.task
      assert.deepEqual(throughJson(step.task), throughJson(moment.task))
      assert.deepEqual(throughJson(step.effects), throughJson(moment.effects))
    }
  })
})

it('a log without the signs of life leads to the same state, but for the lease', () => {
  fc.assert(fc.property(story, ({ spec, makers }) => {
    let live = openTask(spec).task
    let folded = live
    for (const maker of makers) {
      const made = maker(live)
      const event: RequesterEvent = made.type === 'tick' && (live.stage === 'awarded' || live.stage === 'working') ? { ...made, leaseUntil: live.leaseUntil } : made
      const step = stepRequester(live, event)
      // As the book does: what leaves all as it was is not written, and signs of life are not either.
      const written = event.type !== 'heard' && (step.task !== live || step.effects.length > 0)
      live = step.task
      if (written) folded = stepRequester(folded, throughJson(event)).task
      assert.deepEqual(throughJson({ ...folded, leaseUntil: 0 }), throughJson({ ...live, leaseUntil: 0 }))
    }
  }), RUNS)
})

it('stories get far: random events reach every stage', () => {
  const stages = new Map<string, number>()
  for (const { spec, makers } of fc.sample(story, { numRuns: 500, seed: 1 })) for (const { task } of play(spec, makers)) stages.set(task.stage, (stages.get(task.stage) ?? 0) + 1)
  assert.deepEqual([...stages.keys()].sort(), ['announced', 'awarded', 'choosing', 'failed', 'resting', 'settled', 'working'])
})

const throughJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T
