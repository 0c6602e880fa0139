/** A task's life as its log tells it: folded step by step, with the state after each event and what followed from it. */
import { epochOf, openOffer, stepProvider, type ProviderEffect, type ProviderEvent, type ProviderTask } from './provider.ts'
import { hasEnded, openTask, stepRequester, winnerOf, type RequesterEffect, type RequesterEvent, type RequesterTask } from './requester.ts'
import type { LogEvent, TaskSummary } from './ports.ts'

/** One event, and where it led. */
export interface Moment {
  event: LogEvent
  /** The task after it. */
  task: RequesterTask | ProviderTask
  summary: TaskSummary
  effects: Array<RequesterEffect | ProviderEffect>
}

export const summariseRequester = (task: RequesterTask): TaskSummary => ({
  capability: task.spec.capability,
  stage: task.stage,
  ended: hasEnded(task),
  counterpart: task.stage === 'settled' ? task.provider : winnerOf(task)?.provider,
  epoch: task.epoch,
  ...(task.stage === 'failed' ? { failure: task.failure.code } : {}),
  ...(task.stage === 'settled' ? { cost: task.cost } : {})
})

export const summariseProvider = (task: ProviderTask): TaskSummary => ({
  capability: task.capability,
  stage: task.stage === 'closed' ? task.reason : task.stage,
  ended: task.stage === 'closed',
  counterpart: task.requester,
  epoch: epochOf(task),
  ...(task.stage === 'closed' && task.failure !== undefined ? { failure: task.failure.code } : {}),
  ...(task.stage === 'closed' && task.reason === 'settled' && task.failure === undefined ? { cost: task.bid.cost } : {})
})

/**
 * `events`: all of one agent, role and task, oldest first. Ends early where an event cannot be folded: without its first
 * one a task has no state, and an event of a newer release may mean nothing here.
 */
export function * foldHistory (events: readonly LogEvent[]): Generator<Moment> {
  let task: RequesterTask | ProviderTask | undefined
  for (const event of events) {
    const { type, at, data } = event
    const happened = { type, at, ...data as object } as RequesterEvent | ProviderEvent
    const next = event.role === 'requester'
      ? stepAsRequester(task as RequesterTask | undefined, happened as RequesterEvent)
      : stepAsProvider(task as ProviderTask | undefined, happened as ProviderEvent)
    if (next === undefined) return
    task = next.task
    yield { event, ...next }
  }
}

function stepAsRequester (task: RequesterTask | undefined, event: RequesterEvent): Omit<Moment, 'event'> | undefined {
  if (task === undefined && event.type !== 'opened') return undefined
  const next = event.type === 'opened' && task === undefined ? openTask(event.spec) : stepRequester(task as RequesterTask, event)
  return next === undefined ? undefined : { ...next, summary: summariseRequester(next.task) }
}

function stepAsProvider (task: ProviderTask | undefined, event: ProviderEvent): Omit<Moment, 'event'> | undefined {
  if (task === undefined && event.type !== 'offered') return undefined
  const next = event.type === 'offered' && task === undefined ? openOffer(event) : stepProvider(task as ProviderTask, event)
  return next === undefined ? undefined : { ...next, summary: summariseProvider(next.task) }
}
