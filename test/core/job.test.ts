import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { isOver, jobWakeAt, openJob, resumeJob, stepJob, type Job, type JobEffect, type JobEvent, type JobSpec } from '../../src/core/job.ts'
import type { Failure } from '../../src/core/errors.ts'

const specOf = (changes: Partial<JobSpec> = {}): JobSpec =>
  ({ jobId: 'job', requester: 'did:key:zme', capability: 'data.sum', createdAt: 0, expiresAt: 100_000, maxAttempts: 5, inputHash: 'hash', terms: {}, ...changes })

const failed: Failure = { code: 'HANDLER_FAILED', capability: 'data.sum', why: 'no', retryable: true }
const lost: Failure = { code: 'HANDLER_LOST', capability: 'data.sum', why: 'its process was restarted' }
const nobody: Failure = { code: 'NO_CAPABLE_AGENT', capability: 'data.sum', waitedMs: 1 }
const started = (n: number, at = 0): JobEvent => ({ type: 'started', at, taskId: `task-${n}` })
const broke = (n: number, failure: Failure = failed, at = 0, jitter = 0): JobEvent => ({ type: 'broke', at, taskId: `task-${n}`, provider: 'p', failure, jitter })
const settled = (n: number, at = 0): JobEvent => ({ type: 'settled', at, taskId: `task-${n}`, provider: 'p', cost: 1 })
const unstarted = (n: number, failure: Failure = nobody, at = 0): JobEvent => ({ type: 'unstarted', at, taskId: `task-${n}`, failure })
const tick = (at: number): JobEvent => ({ type: 'tick', at })

function live (spec: JobSpec, ...events: JobEvent[]): { job: Job, effects: JobEffect[] } {
  let { job, effects } = openJob(spec)
  for (const event of events) {
    const step = stepJob(job, event)
    job = step.job
    effects = [...effects, ...step.effects]
  }
  return { job, effects }
}

/** Events up to and including the end of so many failed attempts. */
const failures = (count: number, from = 1): JobEvent[] => Array.from({ length: count }, (_, i) => [started(from + i), broke(from + i), tick(0)]).flat()

describe('a job', () => {
  it('is attempted at once, and is settled by the result of that attempt', () => {
    const { job, effects } = live(specOf(), started(1, 5), settled(1, 9))
    assert.equal(job.stage, 'settled')
    assert.deepEqual(job.attempts, [{ taskId: 'task-1', startedAt: 5, endedAt: 9, provider: 'p' }])
    assert.deepEqual(effects.filter(({ type }) => type !== 'changed'), [{ type: 'queue' }, { type: 'run', taskId: 'task-1' }])
  })

  it('waits for its time', () => {
    const { job, effects } = live(specOf({ notBefore: 500 }))
    assert.deepEqual([job.stage, jobWakeAt(job), effects], ['waiting', 500, []])
    assert.equal(stepJob(job, tick(499)).job.stage, 'waiting')
    assert.deepEqual(stepJob(job, tick(500)).effects, [{ type: 'queue' }])
  })

  it('waits longer after each attempt, up to a minute, with full jitter', () => {
    const waits = [1, 2, 3, 4, 9].map(made => {
      const { job } = live(specOf({ maxAttempts: 50 }), ...failures(made - 1), started(made), broke(made, failed, 0, 1))
      return jobWakeAt(job)
    })
    assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 60_000])
    assert.equal(jobWakeAt(live(specOf(), started(1), broke(1, failed, 0, 0.25)).job), 250)
  })

  it('waits much longer when whoever handled it was gone twice in a row, for it may be what ends them', () => {
    const twice = (jitter: number): number | undefined => jobWakeAt(live(specOf(), started(1), broke(1, lost), tick(0), started(2), broke(2, lost, 0, jitter)).job)
    assert.deepEqual([twice(0), twice(1)], [5_000, 10_000])
    const gone = (count: number): Failure[] => Array.from({ length: count }, () => lost)
    const last = (...failures: Failure[]): number => {
      const { job } = live(specOf({ maxAttempts: 50 }), ...failures.flatMap((failure, i) => [started(i + 1), broke(i + 1, failure, 0, 1), ...(i < failures.length - 1 ? [tick(60_000)] : [])]))
      return jobWakeAt(job) ?? 0
    }
    assert.deepEqual([1, 2, 3, 4, 5].map(count => last(...gone(count))), [1_000, 10_000, 20_000, 40_000, 60_000])
    assert.equal(last(lost, failed, lost), 4_000, 'and not when there was another reason in between')
  })

  it('is a dead letter after its last attempt, and not before', () => {
    assert.equal(live(specOf(), ...failures(4)).job.stage, 'ready')
    const { job } = live(specOf(), ...failures(5))
    assert.equal(job.stage, 'dead')
    assert.equal(isOver(job), false)
    assert.deepEqual(job.stage === 'dead' && job.failure, failed)
    assert.equal(job.attempts.length, 5)
  })

  it('is a dead letter at once when another attempt could only fail in the same way', () => {
    for (const failure of [{ code: 'HANDLER_FAILED', capability: 'c', why: 'no', retryable: false }, { code: 'INPUT_INVALID', capability: 'c', why: 'no' }] as Failure[]) {
      assert.equal(live(specOf(), started(1), broke(1, failure)).job.stage, 'dead')
    }
    assert.equal(live(specOf(), started(1), unstarted(1, { code: 'NOT_ALLOWED', capability: 'c', why: 'no' })).job.stage, 'dead')
  })

  it('does not count what nobody took up', () => {
    const { job, effects } = live(specOf(), started(1), unstarted(1), started(2), unstarted(2))
    assert.deepEqual([job.stage, job.attempts, job.lastFailure], ['ready', [], nobody])
    assert.equal(effects.filter(({ type }) => type === 'queue').length, 3)
  })

  it('expires with a reason, wherever it waits, and lets an attempt under way end', () => {
    const late = specOf({ expiresAt: 1_000 })
    for (const events of [[], [started(1), unstarted(1)], [started(1), broke(1, lost, 500, 1)]] as JobEvent[][]) {
      const { job } = live(late, ...events, tick(1_000))
      assert.equal(job.stage === 'failed' && job.failure.code, 'EXPIRED')
    }
    assert.equal(live(late, started(1), tick(1_000)).job.stage, 'running')
    assert.equal(live(late, started(1), tick(1_000), settled(1, 1_500)).job.stage, 'settled')
    assert.equal(live(late, started(1), broke(1, lost, 1_001)).job.stage, 'failed')
  })

  it('is cancelled with its attempt', () => {
    const { job, effects } = live(specOf(), started(1), { type: 'cancelled', at: 1, why: 'enough' })
    assert.equal(job.stage === 'failed' && job.failure.code, 'CANCELLED')
    assert.ok(effects.some(effect => effect.type === 'stop' && effect.taskId === 'task-1'))
    assert.equal(live(specOf(), started(1), { type: 'cancelled', at: 1, why: 'enough' }, settled(1)).job.stage, 'failed')
  })

  it('is replayed with as many attempts as at first, and keeps its history', () => {
    const again = [...failures(5), { type: 'replayed', at: 0, expiresAt: 200_000 } as const]
    assert.equal(live(specOf(), ...again).job.stage, 'ready')
    assert.equal(live(specOf(), ...again, ...failures(4, 6)).job.stage, 'ready')
    const { job } = live(specOf(), ...again, ...failures(5, 6))
    assert.deepEqual([job.stage, job.attempts.length, job.spec.expiresAt], ['dead', 10, 200_000])
    assert.equal(live(specOf(), ...again, started(6), settled(6)).job.stage, 'settled')
    assert.equal(live(specOf(), ...failures(5), { type: 'dropped', at: 1 }).job.stage, 'dropped')
  })

  it('goes on after a restart where it was', () => {
    assert.deepEqual(resumeJob(live(specOf()).job), [{ type: 'queue' }])
    assert.deepEqual(resumeJob(live(specOf(), started(1)).job), [{ type: 'run', taskId: 'task-1' }])
    assert.deepEqual(resumeJob(live(specOf(), ...failures(5)).job), [])
  })
})

describe('whatever happens to a job', () => {
  const at = fc.integer({ min: 0, max: 2_000 })
  const n = fc.integer({ min: 1, max: 40 })
  type Maker = (job: Job, next: number) => JobEvent
  const maker: fc.Arbitrary<Maker> = fc.oneof(
    { weight: 8, arbitrary: at.map((at): Maker => (_job, next) => started(next, at)) },
    { weight: 8, arbitrary: fc.record({ at, n, fits: fc.boolean(), jitter: fc.double({ min: 0, max: 1, noNaN: true }), final: fc.integer({ min: 0, max: 9 }) })
      .map(({ at, n, fits, jitter, final }): Maker => (_job, next) => broke(fits ? next - 1 : n, final === 0 ? { code: 'INPUT_INVALID', capability: 'c', why: 'no' } : lost, at, jitter)) },
    { weight: 3, arbitrary: fc.record({ at, n, fits: fc.boolean() }).map(({ at, n, fits }): Maker => (_job, next) => unstarted(fits ? next - 1 : n, nobody, at)) },
    { weight: 2, arbitrary: fc.record({ at, n, fits: fc.boolean() }).map(({ at, n, fits }): Maker => (_job, next) => settled(fits ? next - 1 : n, at)) },
    { weight: 8, arbitrary: at.map((at): Maker => job => tick(jobWakeAt(job) ?? at)) },
    { weight: 2, arbitrary: at.map((at): Maker => () => ({ type: 'replayed', at, expiresAt: at + 5_000 })) },
    { weight: 1, arbitrary: at.map((at): Maker => () => ({ type: 'dropped', at })) },
    { weight: 1, arbitrary: at.map((at): Maker => () => ({ type: 'cancelled', at, why: 'enough' })) }
  )
  const story = fc.record({ maxAttempts: fc.integer({ min: 1, max: 5 }), expiresAt: fc.constantFrom(1_500, 1_000_000), makers: fc.array(maker, { maxLength: 60, size: 'max' }) })

  interface Moment { before: Job, event: JobEvent, job: Job, effects: JobEffect[] }
  const holds = (promise: (moments: Moment[], spec: JobSpec) => void): void => fc.assert(fc.property(story, ({ makers, ...changes }) => {
    const spec = specOf(changes)
    let { job } = openJob(spec)
    let next = 1
    promise(makers.map(make => {
      const before = job
      const event = make(before, next)
      const step = stepJob(before, event)
      if (step.effects.some(({ type }) => type === 'run')) next++
      job = step.job
      return { before, event, ...step }
    }), spec)
  }), { numRuns: 500 })

  it('no more handlers are started for it than it has attempts, but for those nobody took up and those of a replay', () => {
    holds((moments, { maxAttempts }) => {
      let begun = 0
      for (const { before, event, job, effects } of moments) {
        if (effects.some(({ type }) => type === 'run')) begun++
        if (event.type === 'unstarted' && job !== before) begun--
        if (event.type === 'replayed' && job !== before) begun = 0
        assert.ok(begun <= maxAttempts)
        assert.equal(job.attempts.length - job.forgiven, begun)
        if (job.stage === 'dead' && before.stage === 'running' && event.type === 'broke' && event.failure === lost) assert.equal(begun, maxAttempts)
      }
    })
  })

  it('one attempt is under way at a time, and it was counted before it began', () => {
    holds(moments => {
      for (const { before, job, effects } of moments) {
        const run = effects.find(effect => effect.type === 'run')
        if (run === undefined) continue
        assert.notEqual(before.stage, 'running')
        assert.equal(job.attempts.at(-1)?.taskId, run.taskId)
      }
    })
  })

  it('an end is final, and an event that comes twice changes nothing the second time', () => {
    holds(moments => {
      for (const { before, event, job, effects } of moments) {
        if (isOver(before)) assert.deepEqual([job, effects], [before, []])
        assert.deepEqual(stepJob(job, event).job, job)
      }
    })
  })

  it('its log as JSON leads to the same state', () => {
    holds((moments, spec) => {
      let { job } = openJob(JSON.parse(JSON.stringify(spec)))
      for (const moment of moments) {
        job = stepJob(job, JSON.parse(JSON.stringify(moment.event))).job
        assert.deepEqual(JSON.parse(JSON.stringify(job)), JSON.parse(JSON.stringify(moment.job)))
      }
    })
  })

  it('a log that does not say when a wait was over leads to the same attempts, and the same end', () => {
    holds((moments, spec) => {
      let { job } = openJob(spec)
      for (const { event, effects, job: live } of moments) {
        if (event.type !== 'tick' || !effects.some(({ type }) => type === 'queue')) job = stepJob(job, event).job
        assert.deepEqual(job.attempts, live.attempts)
        assert.equal(isOver(job), isOver(live))
        if (live.stage !== 'ready') assert.deepEqual(job, live)
      }
    })
  })

  it('a timer never spins', () => {
    holds(moments => {
      for (let { job } of moments) {
        const now = jobWakeAt(job) ?? 0
        for (let ticks = 0; jobWakeAt(job) !== undefined && (jobWakeAt(job) ?? 0) <= now && job.stage !== 'running'; ticks++) {
          const { job: next } = stepJob(job, tick(now))
          assert.notDeepEqual(next, job)
          assert.ok(ticks < 3)
          job = next
        }
      }
    })
  })
})
