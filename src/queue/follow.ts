/** The life of a job for whoever follows it: the events of all its attempts, one after the other, as those of one task. */
import { messageOf } from '../core/errors.ts'
import type { Failure } from '../core/errors.ts'
import type { Job } from '../core/job.ts'
import type { TaskEvent } from '../core/task.ts'

export interface FollowParts {
  now: () => number
  /** Its state as the log has it: nothing is told that could be lost. */
  stateOf: () => Job
  /** Resolves at the next change of its state. */
  changed: () => Promise<void>
  attach: (taskId: string) => AsyncIterable<TaskEvent> | undefined
}

/** Ends with `result` or `failed`. */
export async function * followJob (jobId: string, { now, stateOf, changed, attach }: FollowParts): AsyncGenerator<TaskEvent> {
  for (let shown = 0; ;) {
    const { attempts, spec: { maxAttempts } } = stateOf()
    const taskId = attempts[shown]?.taskId
    if (taskId === undefined) {
      const failure = endOf(stateOf())
      if (failure !== undefined) return yield { event: 'failed', taskId: jobId, at: now(), failure }
      await changed()
      continue
    }
    let events = attach(taskId)
    // It is written down before it begins.
    while (events === undefined && isUnderWay(stateOf(), taskId)) {
      await changed()
      events = attach(taskId)
    }
    for await (const event of events ?? []) {
      if (event.event === 'failed') break
      yield { ...event, taskId: jobId }
      if (event.event === 'result') return
    }
    while (isUnderWay(stateOf(), taskId)) await changed()
    const state = stateOf()
    const { attempts: later, forgiven, lastFailure } = state
    const counted = later[shown]?.taskId === taskId
    const failure = counted ? later[shown]?.failure : lastFailure
    if (counted) shown++
    if (failure !== undefined && (shown < later.length || endOf(state) === undefined)) yield { event: 'retrying', taskId: jobId, at: now(), attempt: shown > forgiven ? shown - forgiven : shown, most: maxAttempts, failure }
  }
}

const isUnderWay = (job: Job, taskId: string): boolean => job.stage === 'running' && job.taskId === taskId

/** How a job has ended, when it has and there is no result. */
export function endOf (job: Job): Failure | undefined {
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
