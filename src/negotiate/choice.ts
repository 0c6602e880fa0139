/** The order of a task's bids by its owner's policy, which is not ours: one that throws or forgets a bid must not lose the task. */
import { messageOf } from '../core/errors.ts'
import { rankByValue, type RankingPolicy } from '../core/ranking.ts'
import type { Logger } from '../core/ports.ts'
import type { Bid, RankedBid, TaskSpec } from '../core/task.ts'

/** Best first, all of them; by the default policy when the given one is of no use. */
export function rankBids (policy: RankingPolicy, bids: Bid[], spec: TaskSpec, logger: Logger): RankedBid[] {
  try {
    const order = policy(bids, spec)
    if (order.length === bids.length) return order
    logger.warn('the ranking policy left bids out; the default one decides', { taskId: spec.taskId })
  } catch (error) {
    logger.warn('the ranking policy failed; the default one decides', { taskId: spec.taskId, why: messageOf(error) })
  }
  return rankByValue(bids, spec)
}
