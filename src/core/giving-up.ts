/** When a requester gives a task up, and what it says then. */
import { budgetOf } from './spending.ts'
import type { Failure } from './errors.ts'
import type { RequesterTask } from './requester.ts'

/** Asking again would not help: the way leads back to where it came from, or nothing is left to pay with. */
export const isHopeless = (task: RequesterTask): boolean =>
  loops(task) || task.lastFailure?.code === 'LOOP' || (task.lowestOver !== undefined && budgetOf(task) === 0)

/** All that are known to be capable have had a hand in what led to this task. */
export const loops = ({ epoch, asked, onPath = [], lowestOver }: RequesterTask): boolean =>
  epoch === 0 && lowestOver === undefined && onPath.length > 0 && asked.every(agent => onPath.includes(agent))

/** Why, when everybody who can be asked was asked. */
export function giveUpReason (task: RequesterTask, at: number): Failure {
  const { spec, epoch, asked, round, lastFailure, lowestOver, onPath = [] } = task
  const { capability } = spec
  if (lastFailure?.code === 'LOOP') return lastFailure
  if (loops(task)) return { code: 'LOOP', path: [...spec.visited, ...onPath.slice(0, 1)] }
  if (epoch > 0) return { code: 'ALL_PROVIDERS_FAILED', capability, attempts: epoch, last: describe(lastFailure) }
  if (lowestOver !== undefined) return { code: 'OVER_BUDGET', capability, maxCost: budgetOf(task) ?? 0, lowest: lowestOver }
  if (asked.length === 0) return { code: 'NO_CAPABLE_AGENT', capability, waitedMs: at - spec.createdAt }
  return { code: 'NO_BIDS', capability, rounds: round, asked: asked.length }
}

/** At the deadline. More time would have helped only where somebody has bid, or still may: else it is as when all rounds are over. */
export function overTime (task: RequesterTask, at: number): Failure {
  const { spec, epoch, round } = task
  const mayYetBid = task.stage === 'announced' && round === 1 && (task.awaiting ?? []).length > 0
  const hopeless = epoch === 0 && (task.stage === 'resting' || (task.stage === 'announced' && task.bids.length === 0)) && !mayYetBid
  return hopeless ? giveUpReason(task, at) : { code: 'DEADLINE_EXCEEDED', taskId: spec.taskId, afterMs: at - spec.createdAt }
}

const describe = (failure: Failure | undefined): string =>
  failure === undefined ? 'nothing' : 'why' in failure ? `${failure.code}: ${failure.why}` : failure.code
