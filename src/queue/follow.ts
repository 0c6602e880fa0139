/**
 * The life of a job for whoever follows it: the events of all its attempts, one after the other, as those of one task. It is told by
 * the job's own events in the log, so it is the same, with the same numbers, whenever it is read.
 */
import { orAborted } from '../core/deadline.ts'
import { A2aError, messageOf, type Failure } from '../core/errors.ts'
import { openJob, stepJob, type Job, type JobEvent, type JobSpec } from '../core/job.ts'
import type { LogEvent } from '../core/ports.ts'
import type { TaskEvent } from '../core/task.ts'

export interface FollowParts {
  /** A page of the job's events in the log, after this position. */
  read: (page: { after: number, limit: number }) => LogEvent[]
  /** Resolves at the next change of its state. */
  changed: () => Promise<void>
  attach: (taskId: string, options: { signal?: AbortSignal }) => AsyncIterable<TaskEvent> | undefined
  /** The number after which to begin. */
  after: number
  signal?: AbortSignal
}

/** Events of the log that are held at a time. */
const PAGE = 32

/** An event of a job before it has its number. */
type Told = TaskEvent extends infer E ? E extends TaskEvent ? Omit<E, 'seq'> : never : never

/** Ends with `result` or `failed`, or when the signal aborts. */
export async function * followJob (jobId: string, parts: FollowParts): AsyncGenerator<TaskEvent> {
  let seq = 0
  for await (const event of lifeOf(jobId, parts)) {
    if (parts.signal?.aborted === true) return
    if (++seq > parts.after) yield { ...event, seq } as TaskEvent
  }
}

async function * lifeOf (jobId: string, { read, changed, attach, signal }: FollowParts): AsyncGenerator<Told> {
  const [first] = read({ after: 0, limit: 1 })
  if (first === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId: jobId })
  let { job } = openJob((first.data as { spec: JobSpec }).spec)
  let after = first.position
  /** The attempt under way. */
  let attempt: string | undefined
  const isLeft = (): boolean => signal?.aborted === true
  while (!isLeft()) {
    if (attempt !== undefined) {
      const events = attach(attempt, { signal })
      // It is written down before it begins.
      if (events === undefined && next() === undefined) {
        await orAborted(changed(), signal)
        continue
      }
      for await (const event of events ?? []) {
        if (event.event === 'failed') break
        yield { ...event, taskId: jobId }
        if (event.event === 'result') return
      }
      attempt = undefined
    }
    const page = read({ after, limit: PAGE })
    if (page.length === 0) await orAborted(changed(), signal)
    for (const { position, at, type, data } of page) {
      after = position
      const before = job
      const event = { at, type, ...data as object } as JobEvent
      job = stepJob(job, event).job
      if (job === before) continue
      if (event.type === 'started') {
        attempt = event.taskId
        break
      }
      const end = endOf(job)
      if (end !== undefined && !(job.stage === 'dead' && next()?.type === 'replayed')) return yield { event: 'failed', taskId: jobId, at, failure: end }
      // In the place of the end of a dead letter that was replayed since.
      const failure = event.type === 'broke' || event.type === 'unstarted' ? event.failure : undefined
      if (failure !== undefined) yield { event: 'retrying', taskId: jobId, at, attempt: countOf(job), most: job.spec.maxAttempts, failure }
    }
  }

  function next (): LogEvent | undefined {
    return read({ after, limit: 1 })[0]
  }
}

/** How many attempts there were, since the last replay. */
const countOf = ({ attempts: { length }, forgiven }: Job): number => length > forgiven ? length - forgiven : length

/** How a job has ended, when it has and there is no result. */
function endOf (job: Job): Failure | undefined {
  const { jobId, capability } = job.spec
  switch (job.stage) {
    case 'failed': return job.failure
    case 'dead':
    case 'dropped': return { code: 'DEAD_LETTER', jobId, capability, attempts: job.attempts.length, last: lastOf(job) }
    // Its result would have ended it.
    case 'settled': return { code: 'INTERNAL', why: `the result of job ${jobId} is not in the log` }
    default: return undefined
  }
}

const lastOf = ({ lastFailure }: Job): string => {
  if (lastFailure === undefined) return 'nothing'
  return 'why' in lastFailure ? `${lastFailure.code}: ${messageOf(lastFailure.why)}` : lastFailure.code
}
