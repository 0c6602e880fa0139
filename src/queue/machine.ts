/** core/job.ts, as the book drives it. */
import { isOver, jobWakeAt, stepJob, type Job, type JobEffect, type JobEvent } from '../core/job.ts'
import type { Machine } from '../negotiate/book.ts'

export const jobMachine: Machine<Job, JobEvent, JobEffect> = {
  role: 'job',
  step: (task, event) => {
    const { job, effects } = stepJob(task, event)
    return { task: job, effects }
  },
  wakeAt: jobWakeAt,
  tick: at => ({ type: 'tick', at }),
  // That its time has come is seen again after a restart.
  passing: (event, changed, effects) => !changed || (event.type === 'tick' && effects.some(({ type }) => type === 'queue')),
  patient: ({ type }) => type === 'settled',
  summarise: job => ({
    capability: job.spec.capability,
    stage: job.stage,
    ended: isOver(job),
    counterpart: job.attempts.at(-1)?.provider,
    ...(job.stage === 'failed' || job.stage === 'dead' ? { failure: job.failure.code } : {}),
    ...(job.stage === 'settled' ? { cost: job.cost } : {})
  })
}
