/** What a requester's task has cost, and may. */
import type { RequesterTask } from './requester.ts'
import type { Bid } from './task.ts'

/** What one more award may cost, all in all. `undefined`: there is no limit. */
export const budgetOf = ({ spec, spent = 0 }: RequesterTask): number | undefined =>
  spec.maxCost === undefined ? undefined : Math.max(0, spec.maxCost - spent)

/** The same for the holder of a bid, which may have been taken though it costs more. */
export const awardBudgetOf = (task: RequesterTask, bid?: Bid): number | undefined => {
  const budget = budgetOf(task)
  return budget === undefined || bid?.taken !== true ? budget : Math.max(budget, bid.cost)
}

/** What a task that has ended came to, all in all, or may have. */
export const totalOf = (task: RequesterTask): number =>
  (task.spent ?? 0) + (task.stage === 'settled' ? task.cost : task.stage === 'failed' ? task.untold ?? 0 : 0)

/** What delegations of the last provider came to is not known yet. */
export const isUntold = (task: RequesterTask): boolean => task.stage === 'failed' && task.untold !== undefined

/** With what delegations of a provider came to, besides. */
export const withSpent = <T extends RequesterTask>(task: T, spent?: number): T => spent === undefined ? task : { ...task, spent: (task.spent ?? 0) + spent }
