/**
 * A job of the background queue, as a pure state machine: it waits, is attempted, and ends settled, dead, expired or
 * cancelled. An attempt is one handler that was started for it. It is counted before it begins, so that one that takes
 * this process or its provider's down with it counts too; a try that nobody took up is given back.
 */
import type { Failure, FailureCode } from './errors.ts'

/** What was put into the queue. Never changes, but for the time it expires, which a replay sets anew. */
export interface JobSpec {
  jobId: string
  requester: string
  capability: string
  createdAt: number
  notBefore?: number
  expiresAt: number
  maxAttempts: number
  idempotencyKey?: string
  inputHash: string
  /** What each attempt is delegated with. */
  terms: JobTerms
}

export interface JobTerms {
  maxDurationMs?: number
  maxCostTokens?: number
  to?: string
  leaseMs?: number
  bidWindowMs?: number
}

export type Job = Queued & (
  | { stage: 'waiting', dueAt: number }
  /** It wants an attempt as soon as there is room for one. */
  | { stage: 'ready' }
  | { stage: 'running', taskId: string }
  | { stage: 'settled', cost: number }
  /** Given up. It stays until its owner replays or drops it. */
  | { stage: 'dead', failure: Failure, diedAt: number }
  | { stage: 'failed', failure: Failure }
  | { stage: 'dropped' }
)

interface Queued {
  spec: JobSpec
  attempts: Attempt[]
  /** Attempts before the last replay: they are history, and do not count any more. */
  forgiven: number
  /** What the last attempt, or the last try to make one, said. */
  lastFailure?: Failure
}

/** One handler that was started for a job, or may have been. */
export interface Attempt {
  /** The task that it was delegated as. */
  taskId: string
  startedAt: number
  endedAt?: number
  provider?: string
  failure?: Failure
}

export type JobEvent = { at: number } & (
  /** With the input, base64, and the schema asked of the output. */
  | { type: 'enqueued', spec: JobSpec, input: string, output?: Record<string, unknown> }
  | { type: 'started', taskId: string }
  | { type: 'settled', taskId: string, provider: string, cost: number }
  /** An attempt failed. `jitter`, from 0 to 1, is drawn for the wait before the next. */
  | { type: 'broke', taskId: string, provider: string, failure: Failure, jitter: number }
  /** It was delegated, and no handler was started: nobody bid, or whoever was chosen refused. */
  | { type: 'unstarted', taskId: string, failure: Failure }
  | { type: 'cancelled', why: string }
  | { type: 'replayed', expiresAt: number }
  | { type: 'dropped' }
  | { type: 'tick' }
)

export type JobEffect =
  /** Have it attempted as soon as there is room. */
  | { type: 'queue' }
  /** Delegate it as this task, or go on with that when it is there already. */
  | { type: 'run', taskId: string }
  | { type: 'stop', taskId: string, why: string }
  /** Whoever follows it has something to see. */
  | { type: 'changed' }

export interface JobStep { job: Job, effects: JobEffect[] }

/** Waits between attempts are drawn from 0 up to this, in ms: doubled with each, and never above the second. */
const BACKOFF_MS = 1_000
const MAX_BACKOFF_MS = 60_000
/**
 * When whoever handled it was gone after two attempts in a row, the job may be what ends it, and each process that starts costs its
 * neighbours: it waits from half of this up to this, in ms, doubled with each further one.
 */
const SUSPECT_MS = 10_000
const GONE: ReadonlySet<FailureCode> = new Set<FailureCode>(['PEER_UNREACHABLE', 'HANDLER_LOST', 'LEASE_EXPIRED'])

/** A job that was just put into the queue. */
export function openJob (spec: JobSpec): JobStep {
  const queued: Queued = { spec, attempts: [], forgiven: 0 }
  return spec.notBefore !== undefined && spec.notBefore > spec.createdAt
    ? same({ ...queued, stage: 'waiting', dueAt: spec.notBefore })
    : { job: { ...queued, stage: 'ready' }, effects: [{ type: 'queue' }] }
}

/** When the job wants a `tick`, in ms since the epoch. `undefined`: nothing happens by itself any more. */
export function jobWakeAt (job: Job): number | undefined {
  switch (job.stage) {
    case 'waiting': return Math.min(job.dueAt, job.spec.expiresAt)
    // An attempt under way has its own deadline, which is no later.
    case 'ready':
    case 'running': return job.spec.expiresAt
    default: return undefined
  }
}

/** What to do again for a job that was found open in the log. */
export function resumeJob (job: Job): JobEffect[] {
  if (job.stage === 'ready') return [{ type: 'queue' }]
  return job.stage === 'running' ? [{ type: 'run', taskId: job.taskId }] : []
}

/** Nothing can change it any more: a dead letter can be replayed. */
export const isOver = ({ stage }: Job): boolean => stage === 'settled' || stage === 'failed' || stage === 'dropped'

export function stepJob (job: Job, event: JobEvent): JobStep {
  switch (event.type) {
    case 'enqueued': return same(job)
    case 'started': {
      // That a wait was over is not in the log.
      if (job.stage !== 'ready' && job.stage !== 'waiting') return same(job)
      const { taskId, at } = event
      return { job: { ...queuedOf(job), attempts: [...job.attempts, { taskId, startedAt: at }], stage: 'running', taskId }, effects: [{ type: 'run', taskId }, { type: 'changed' }] }
    }
    case 'settled': {
      if (!isUnderWay(job, event.taskId)) return same(job)
      const { provider, cost, at } = event
      return changed({ ...queuedOf(job), attempts: ended(job, { provider, endedAt: at }), stage: 'settled', cost })
    }
    case 'broke': return isUnderWay(job, event.taskId) ? onBroke(job, event) : same(job)
    case 'unstarted': {
      if (!isUnderWay(job, event.taskId)) return same(job)
      const given: Queued = { ...queuedOf(job), attempts: job.attempts.slice(0, -1), lastFailure: event.failure }
      return isFinal(event.failure) ? changed(died(given, event.failure, event.at)) : { job: { ...given, stage: 'ready' }, effects: [{ type: 'queue' }, { type: 'changed' }] }
    }
    case 'cancelled': return onCancelled(job, event.why)
    case 'replayed': {
      if (job.stage !== 'dead') return same(job)
      const { spec, attempts } = job
      return { job: { ...queuedOf(job), spec: { ...spec, expiresAt: event.expiresAt }, forgiven: attempts.length, stage: 'ready' }, effects: [{ type: 'queue' }, { type: 'changed' }] }
    }
    case 'dropped': return job.stage === 'dead' ? changed({ ...queuedOf(job), stage: 'dropped' }) : same(job)
    case 'tick': return onTick(job, event.at)
  }
}

function onBroke (job: Job, { failure, provider, at, jitter }: Extract<JobEvent, { type: 'broke' }>): JobStep {
  const broken: Queued = { ...queuedOf(job), attempts: ended(job, { provider, failure, endedAt: at }), lastFailure: failure }
  const made = broken.attempts.length - broken.forgiven
  if (made >= job.spec.maxAttempts || isFinal(failure)) return changed(died(broken, failure, at))
  return at >= job.spec.expiresAt
    ? changed(expired(broken, at))
    : changed({ ...broken, stage: 'waiting', dueAt: at + Math.ceil(restMs(broken.attempts.slice(broken.forgiven), jitter)) })
}

function restMs (made: Attempt[], jitter: number): number {
  const gone = made.length - 1 - made.findLastIndex(({ failure }) => failure === undefined || !GONE.has(failure.code))
  return gone < 2
    ? jitter * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** (made.length - 1))
    : (1 + jitter) / 2 * Math.min(MAX_BACKOFF_MS, SUSPECT_MS * 2 ** (gone - 2))
}

function onCancelled (job: Job, why: string): JobStep {
  if (jobWakeAt(job) === undefined) return same(job)
  const { job: cancelled, effects } = changed({ ...queuedOf(job), stage: 'failed', failure: { code: 'CANCELLED', taskId: job.spec.jobId, why } })
  return { job: cancelled, effects: job.stage === 'running' ? [{ type: 'stop', taskId: job.taskId, why }, ...effects] : effects }
}

function onTick (job: Job, at: number): JobStep {
  if (job.stage !== 'waiting' && job.stage !== 'ready') return same(job)
  if (at >= job.spec.expiresAt) return changed(expired(queuedOf(job), at))
  return job.stage === 'waiting' && at >= job.dueAt ? { job: { ...queuedOf(job), stage: 'ready' }, effects: [{ type: 'queue' }] } : same(job)
}

/** A failure that another attempt would only repeat. */
function isFinal (failure: Failure): boolean {
  switch (failure.code) {
    case 'HANDLER_FAILED': return !failure.retryable
    case 'INPUT_INVALID':
    case 'NOT_ALLOWED':
    case 'LOOP':
    case 'MESSAGE_TOO_LARGE': return true
    default: return false
  }
}

const died = (queued: Queued, failure: Failure, diedAt: number): Job => ({ ...queued, stage: 'dead', failure, diedAt })

const expired = (queued: Queued, at: number): Job =>
  ({ ...queued, stage: 'failed', failure: { code: 'EXPIRED', jobId: queued.spec.jobId, afterMs: at - queued.spec.createdAt, last: queued.lastFailure?.code ?? 'nothing' } })

const isUnderWay = (job: Job, taskId: string): boolean => job.stage === 'running' && job.taskId === taskId

/** The attempts, with what came of the last. */
const ended = ({ attempts }: Job, outcome: Partial<Attempt>): Attempt[] =>
  attempts.map((attempt, i) => i === attempts.length - 1 ? { ...attempt, ...outcome } : attempt)

const queuedOf = ({ spec, attempts, forgiven, lastFailure }: Job): Queued => ({ spec, attempts, forgiven, lastFailure })
const same = (job: Job): JobStep => ({ job, effects: [] })
const changed = (job: Job): JobStep => ({ job, effects: [{ type: 'changed' }] })
