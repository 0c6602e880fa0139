/** The life of a task, or of a job, as its log tells it: folded step by step, with the state after each event and what followed from it. */
import { isOver, openJob, stepJob, type Job, type JobEffect, type JobEvent } from './job.ts'
import { epochOf, openOffer, stepProvider, type ProviderEffect, type ProviderEvent, type ProviderTask } from './provider.ts'
import { hasEnded, winnerOf } from './ending.ts'
import { openTask, stepRequester, type RequesterEffect, type RequesterEvent, type RequesterTask } from './requester.ts'
import type { LogEvent, Role, TaskSummary } from './ports.ts'

/** One event, and where it led. */
export interface Moment {
  event: LogEvent
  /** The task or the job after it. */
  task: RequesterTask | ProviderTask | Job
  summary: TaskSummary
  effects: Array<RequesterEffect | ProviderEffect | JobEffect>
}

export const summariseRequester = (task: RequesterTask): TaskSummary => ({
  capability: task.spec.capability,
  stage: task.stage,
  ended: hasEnded(task),
  counterpart: task.stage === 'settled' ? task.provider : winnerOf(task)?.provider,
  epoch: task.epoch,
  parent: task.spec.parentTaskId,
  ...(task.stage === 'failed' ? { failure: task.failure.code } : {}),
  ...(task.stage === 'settled' ? { cost: task.cost } : {}),
  ...(hasEnded(task) ? { spent: task.spent } : {})
})

export const summariseProvider = (task: ProviderTask): TaskSummary => ({
  capability: task.capability,
  stage: task.stage === 'closed' ? task.reason : task.stage,
  ended: task.stage === 'closed',
  counterpart: task.requester,
  epoch: epochOf(task),
  ...(task.stage === 'closed' && task.failure !== undefined ? { failure: task.failure.code } : {}),
  ...(task.stage === 'closed' ? { spent: task.spent } : {}),
  ...(task.stage === 'closed' && task.reason === 'settled' && task.failure === undefined ? { cost: task.cost ?? task.bid.cost } : {})
})

export const summariseJob = (job: Job): TaskSummary => ({
  capability: job.spec.capability,
  stage: job.stage,
  ended: isOver(job),
  counterpart: job.attempts.at(-1)?.provider,
  ...(job.stage === 'failed' || job.stage === 'dead' ? { failure: job.failure.code } : {}),
  ...(job.stage === 'settled' ? { cost: job.cost } : {})
})

/**
 * `events`: all of one agent, role and task, oldest first. Ends early where an event cannot be folded: without its first
 * one a task has no state, and an event of a newer release may mean nothing here.
 */
export function * foldHistory (events: readonly LogEvent[]): Generator<Moment> {
  let task: Moment['task'] | undefined
  for (const event of events) {
    const { type, at, data } = event
    const next = stepAs(event.role, task, { type, at, ...data as object } as Happened)
    if (next === undefined) return
    task = next.task
    yield { event, ...next }
  }
}

type Happened = RequesterEvent | ProviderEvent | JobEvent
type Next = Omit<Moment, 'event'> | undefined

function stepAs (role: Role, task: Moment['task'] | undefined, event: Happened): Next {
  switch (role) {
    case 'requester': return stepAsRequester(task as RequesterTask | undefined, event as RequesterEvent)
    case 'provider': return stepAsProvider(task as ProviderTask | undefined, event as ProviderEvent)
    case 'job': return stepAsJob(task as Job | undefined, event as JobEvent)
  }
}

function stepAsRequester (task: RequesterTask | undefined, event: RequesterEvent): Next {
  if (task === undefined && event.type !== 'opened') return undefined
  const next = event.type === 'opened' && task === undefined ? openTask(event.spec) : stepRequester(task as RequesterTask, event)
  return next === undefined ? undefined : { ...next, summary: summariseRequester(next.task) }
}

function stepAsProvider (task: ProviderTask | undefined, event: ProviderEvent): Next {
  if (task === undefined && event.type !== 'offered') return undefined
  const next = event.type === 'offered' && task === undefined ? openOffer(event) : stepProvider(task as ProviderTask, event)
  return next === undefined ? undefined : { ...next, summary: summariseProvider(next.task) }
}

function stepAsJob (before: Job | undefined, event: JobEvent): Next {
  if (before === undefined && event.type !== 'enqueued') return undefined
  const next = event.type === 'enqueued' && before === undefined ? openJob(event.spec) : stepJob(before as Job, event)
  // An event of a newer release means nothing here.
  return next === undefined ? undefined : { task: next.job, effects: next.effects, summary: summariseJob(next.job) }
}
