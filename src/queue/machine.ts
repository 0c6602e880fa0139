/** core/job.ts, as the book drives it. */
import { summariseJob } from '../core/history.ts'
import { jobWakeAt, stepJob, type Job, type JobEffect, type JobEvent } from '../core/job.ts'
import { PATIENCE } from '../core/ports.ts'
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
  patienceMs: ({ type }) => type === 'settled' ? PATIENCE.briefMs : 0,
  summarise: summariseJob
}
