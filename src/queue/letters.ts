/** Jobs as the event log tells them: folded again, and as dead letters for people. The same with a running node and without. */
import { openJob, stepJob, type Job, type JobEvent, type JobSpec } from '../core/job.ts'
import { A2aError } from '../core/errors.ts'
import { parseJson } from '../wire/body.ts'
import type { DeadLetter, DeadMessage } from '../core/queue.ts'
import type { JsonSchema } from '../core/capability.ts'
import type { EventLog } from '../core/ports.ts'

export interface PastJob {
  job: Job
  input: Uint8Array
  /** The schema that was asked of the output. */
  output?: JsonSchema
}

/** `undefined`: there is no such job. */
export function readJob (log: EventLog, jobId: string): PastJob | undefined {
  const [first, ...rest] = log.eventsOf('job', jobId)
  if (first === undefined) return undefined
  const { spec, input, output } = first.data as { spec: JobSpec, input: string, output?: JsonSchema }
  const job = rest.reduce((job, { at, type, data }) => stepJob(job, { at, type, ...data as object } as JobEvent).job, openJob(spec).job)
  return { job, input: Buffer.from(input, 'base64'), output }
}

/** The dead letters of an agent, or of all in the log, the oldest first. */
export function deadLetters (log: EventLog, agent?: string): DeadLetter[] {
  return log.tasks({ agent, role: 'job', ended: false }).filter(({ stage }) => stage === 'dead').toReversed()
    .flatMap(({ taskId }) => {
      const job = readJob(log, taskId)?.job
      return job?.stage === 'dead' ? [letterOf(job)] : []
    })
}

/** @throws A2aError TASK_UNKNOWN, REFUSED when it is no dead letter */
export function deadMessage (log: EventLog, jobId: string): DeadMessage {
  const past = readJob(log, jobId)
  const job = requireDead(past?.job, jobId)
  const { terms, idempotencyKey, notBefore, expiresAt, maxAttempts } = job.spec
  return {
    ...letterOf(job),
    input: parseJson(past?.input),
    options: { ...terms, output: past?.output, idempotencyKey, notBefore, expiresAt, maxAttempts }
  }
}

export function letterOf ({ spec: { jobId, capability, createdAt }, diedAt, failure, attempts }: Job & { stage: 'dead' }): DeadLetter {
  return { jobId, capability, enqueuedAt: createdAt, diedAt, failure, attempts }
}

/** @throws A2aError TASK_UNKNOWN */
export function requireJob (job: Job | undefined, jobId: string): Job {
  if (job === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId: jobId })
  return job
}

/** @throws A2aError TASK_UNKNOWN, REFUSED */
export function requireDead (found: Job | undefined, jobId: string): Job & { stage: 'dead' } {
  const job = requireJob(found, jobId)
  if (job.stage !== 'dead') throw new A2aError({ code: 'REFUSED', why: `job ${jobId} is no dead letter but ${job.stage}; see: a2a-node task show ${jobId}` })
  return job
}
