/**
 * A hedged task (Dean and Barroso, The Tail at Scale, 2013): when the first attempt has no result after a while, a second one is
 * made with another agent if there is one; the first result counts, and the other is cancelled.
 */
import { DEFAULT_DURATION_MS } from '../core/deadline.ts'
import { policyOf } from '../core/policy.ts'
import { rankByValue, type RankingPolicy } from '../core/ranking.ts'
import type { DelegateOptions, Work, WorkResult } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'
import type { TaskEvent } from '../core/task.ts'

export interface HedgeParts {
  clock: Clock
  start: (options: DelegateOptions) => Work
  /** Where the events of both go. It ends with the first `result` or `failed`. */
  feed: AsyncIterable<TaskEvent> & { push: (event: TaskEvent) => void, readonly result: Promise<WorkResult> }
}

export function hedge ({ clock, start, feed }: HedgeParts, { afterMs }: NonNullable<DelegateOptions['hedge']>, options: DelegateOptions): Work {
  const { maxDurationMs = DEFAULT_DURATION_MS, maxCostTokens, policy = rankByValue } = options
  const rank = typeof policy === 'string' ? policyOf(policy) : policy
  const until = clock.now() + maxDurationMs
  const first = start(options)
  const works = [first]
  const failed: TaskEvent[] = []
  const costs = new Map<string, number>()
  /** Who has the first attempt. */
  let winner: string | undefined
  let asking = first
  let isDue = false

  const follow = async (work: Work): Promise<void> => {
    for await (const event of work) {
      if (event.event === 'input-required') asking = work
      if (work === first && (event.event === 'bid' || event.event === 'answered')) costs.set(event.provider, event.cost)
      if (work === first && event.event === 'awarded') {
        winner = event.provider
        second()
      }
      if (event.event === 'failed') {
        stop()
        if (failed.push(event) === works.length) feed.push(failed[0] as TaskEvent)
        return
      }
      feed.push(event)
      if (event.event === 'result') return await cancelOthers(work)
    }
  }

  const cancelOthers = async (winning: Work): Promise<void> => {
    stop()
    await Promise.allSettled(works.filter(work => work !== winning).map(work => work.cancel('another agent was faster')))
  }

  /** Once, when its time has come and the first attempt is somebody's: before that it is not known whom and what it leaves. */
  const second = (): void => {
    if (!isDue || winner === undefined || works.length > 1) return
    const left = maxCostTokens === undefined ? undefined : maxCostTokens - (costs.get(winner) ?? 0)
    if (left !== undefined && left < 0) return
    const work = start({ ...options, maxDurationMs: Math.max(1, until - clock.now()), maxCostTokens: left, policy: lastOf(rank, winner) })
    works.push(work)
    void follow(work)
  }
  const stop = clock.after(afterMs, () => {
    isDue = true
    second()
  })
  void follow(first)

  return {
    taskId: first.taskId,
    result: feed.result,
    [Symbol.asyncIterator]: () => feed[Symbol.asyncIterator](),
    giveInput: value => asking.giveInput(value),
    cancel: async why => {
      stop()
      await Promise.all(works.map(work => work.cancel(why)))
    }
  }
}

/** A policy's order, with one provider behind all others. */
const lastOf = (policy: RankingPolicy, provider: string): RankingPolicy => (bids, spec) =>
  policy(bids, spec).toSorted((a, b) => Number(a.bid.provider === provider) - Number(b.bid.provider === provider))
