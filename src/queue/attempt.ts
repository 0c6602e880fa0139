/** One attempt at a job: a delegation, and what came of it. */
import { rankByValue, type RankingPolicy } from '../core/ranking.ts'
import type { Attempt, JobEvent } from '../core/job.ts'
import type { TaskEvent } from '../core/task.ts'

type Outcome = Extract<JobEvent, { type: 'settled' | 'broke' | 'unstarted' | 'cancelled' }>

/**
 * Waits for the end of a task, as what it means to its job. A handler was started when an award was made that its provider
 * did not refuse; then it counts, whatever was heard of it.
 */
export async function outcomeOf (taskId: string, events: AsyncIterable<TaskEvent>): Promise<Outcome> {
  let holder: string | undefined
  for await (const event of events) {
    const { at } = event
    switch (event.event) {
      case 'awarded':
        holder = event.provider
        break
      case 'moved':
        holder = undefined
        break
      case 'result': return { type: 'settled', at, taskId, provider: event.provider, cost: event.cost }
      case 'failed': {
        const { failure } = event
        if (failure.code === 'CANCELLED') return { type: 'cancelled', at, why: failure.why }
        if (holder === undefined) return { type: 'unstarted', at, taskId, failure }
        return { type: 'broke', at, taskId, provider: holder, failure, jitter: Math.random() }
      }
      default:
    }
  }
  throw new Error(`the events of task ${taskId} have no end`)
}

/** The default policy, but those who failed at this job before come last: with others there, it goes to them. */
export function avoiding (attempts: readonly Attempt[]): RankingPolicy {
  const failed = new Set(attempts.filter(({ failure }) => failure !== undefined).map(({ provider }) => provider))
  return (bids, spec) => {
    const order = rankByValue(bids, spec)
    return [...order.filter(({ bid }) => !failed.has(bid.provider)), ...order.filter(({ bid }) => failed.has(bid.provider))]
  }
}
