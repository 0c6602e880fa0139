/** How a task ends, or rests until it is announced again. Pure, as core/requester.ts, which it is a part of. */
import { restMs } from './backoff.ts'
import { giveUpReason, isHopeless } from './giving-up.ts'
import { budgetOf } from './spending.ts'
import type { Failure } from './errors.ts'
import type { Published, RequesterTask, Step } from './requester.ts'
import type { Bid } from './task.ts'

/** Whether nothing can happen to it any more. */
export const hasEnded = (task: RequesterTask): boolean => task.stage === 'settled' || task.stage === 'failed'

/** The bid that holds the contract, while one does. */
export const winnerOf = (task: RequesterTask): Bid | undefined =>
  task.stage === 'awarded' || task.stage === 'working' ? task.winner : undefined

/** Nobody is left: announce again after a while, or give up. */
export function rest (task: RequesterTask, at: number): Step {
  const { spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent } = task
  if (round < spec.maxRounds && !isHopeless(task)) {
    return same({ spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent, stage: 'resting', resumesAt: at + restMs(spec.taskId, round) })
  }
  return fail(task, giveUpReason(task, at))
}

/**
 * Ends it with a failure: its contract is revoked, and whoever bid or stands by is let go.
 * @param told whether it is known what delegations of its provider came to
 */
export function fail (task: RequesterTask, failure: Failure, told = false): Step {
  const { spec, round, epoch, excluded, asked, spent } = task
  const released = task.stage === 'announced' || task.stage === 'countering' || task.stage === 'choosing' ? task.bids : task.stage === 'awarded' || task.stage === 'working' ? task.standby.map(entry => entry.bid) : []
  const winner = winnerOf(task)
  const untold = winner === undefined || told ? undefined : Math.max(0, (budgetOf(task) ?? 0) - winner.cost)
  return {
    task: { spec, round, epoch, excluded, asked, spent, stage: 'failed', failure, ...(untold === undefined ? {} : { untold }) },
    effects: [
      ...(winner === undefined ? [] : [{ type: 'revoke' as const, bid: winner, epoch, reason: failure.code, ...(told && { told }) }]),
      ...released.map(bid => ({ type: 'decline' as const, bid, reason: failure.code })),
      { type: 'publish', event: { event: 'failed', failure } }
    ]
  }
}

/** The task as it is, or is now, and nothing that follows. */
export const same = (task: RequesterTask): Step => ({ task, effects: [] })

/** The task, and an event that its owner is told. */
export const publish = (task: RequesterTask, event: Published): Step => ({ task, effects: [{ type: 'publish', event }] })
