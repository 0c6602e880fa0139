/** What became of the jobs in the background queues. */
import type { Job } from '../../src/core/job.ts'

export interface JobReadings {
  enqueued: number
  settled: number
  dead: number
  /** In no log, or without an end. */
  lost: number
  /** Dead letters with attempts left, and jobs that expired, which none may before its time: half an hour. */
  early: number
  /** How many attempts each dead letter had. */
  attempts: number[]
}

export function jobReadings (jobs: ReadonlyArray<Job | undefined>): JobReadings {
  const count = (holds: (job: Job) => boolean): number => jobs.filter(job => job !== undefined && holds(job)).length
  const settled = count(({ stage }) => stage === 'settled')
  const dead = count(({ stage }) => stage === 'dead')
  const expired = count(job => job.stage === 'failed' && job.failure.code === 'EXPIRED')
  return {
    enqueued: jobs.length,
    settled,
    dead,
    lost: jobs.length - settled - dead - count(({ stage }) => stage === 'failed' || stage === 'dropped'),
    early: expired + count(job => job.stage === 'dead' && job.attempts.length < job.spec.maxAttempts),
    attempts: jobs.flatMap(job => job?.stage === 'dead' ? [job.attempts.length] : [])
  }
}
