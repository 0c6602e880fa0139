/** What a requester's task has cost, and may. */
import type { RequesterTask } from './requester.ts'

/** What one more award may cost, all in all. `undefined`: there is no limit. */
export const budgetOf = ({ spec, spent = 0 }: RequesterTask): number | undefined =>
  spec.maxCost === undefined ? undefined : Math.max(0, spec.maxCost - spent)

/** What a task that has ended came to, all in all, or may have. */
export const totalOf = (task: RequesterTask): number =>
  (task.spent ?? 0) + (task.stage === 'settled' ? task.cost : task.stage === 'failed' ? task.untold ?? 0 : 0)

/** What delegations of the last provider came to is not known yet. */
export const isUntold = (task: RequesterTask): boolean => task.stage === 'failed' && task.untold !== undefined

/** With what delegations of a provider came to, besides. */
export const withSpent = <T extends RequesterTask>(task: T, spent?: number): T => spent === undefined ? task : { ...task, spent: (task.spent ?? 0) + spent }
