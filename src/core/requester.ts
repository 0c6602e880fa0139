/**
 * The requester's side of a task, as a pure state machine: what happened goes in, the next state and what to do about it
 * come out. Networks repeat and reorder: a late or doubled event leaves the task as it was. Whatever carries an old epoch
 * is fenced off, so a task has one result, whoever wakes up late.
 */
import { award, move, onProvider } from './contract.ts'
import { onAnswered, onCountered } from './counter.ts'
import { fail, hasEnded, same, winnerOf } from './ending.ts'
import { overTime } from './giving-up.ts'
import { choose, close, closingAt, onBid, onCalled, onPassed } from './round.ts'
import { progressDueAt } from './sla.ts'
import { budgetOf, withSpent } from './spending.ts'
import type { Ask, CounterOffer } from './counter.ts'
import type { Failure } from './errors.ts'
import type { Bid, RankedBid, ReceiptFacts, TaskEvent, TaskSpec } from './task.ts'

export type RequesterTask = Asked & (
  /** `call`: the message id of the announcement. Only what answers it is a bid for this round. `waitMs`: for those who are silent, from the first bid on, which came `bidAt`. */
  | { stage: 'announced', call?: string, awaiting?: string[], closesAt?: number, waitMs?: number, bidAt?: number, bids: Bid[], passes: Pass[] }
  /** Bids that were answered with other terms: `waiting` for whom, `revised` who made a new one in this turn, both by the id of the bid. */
  | { stage: 'countering', bids: Bid[], passes: Pass[], turn: number, waiting: string[], revised: string[], closesAt: number }
  | { stage: 'choosing', bids: Bid[] }
  /** `again`: it was awarded before a restart, so a refusal now does not say that no handler was started. */
  | { stage: 'awarded', winner: Bid, standby: RankedBid[], awardedAt: number, leaseUntil: number, slaUntil?: number, again?: boolean }
  /** `progressUntil`: when progress must have been shown; not while an answer of ours is waited for. */
  | { stage: 'working', winner: Bid, standby: RankedBid[], awardedAt: number, leaseUntil: number, slaUntil?: number, sequence: number, accepted: boolean, received: number, progressUntil?: number }
  | { stage: 'resting', resumesAt: number }
  /** `cost` is the provider's own. */
  | { stage: 'settled', provider: string, cost: number, accepted: boolean }
  /** `untold`: what delegations of the last provider may have come to at most, until it says what they did. */
  | { stage: 'failed', failure: Failure, untold?: number }
)

interface Asked {
  spec: TaskSpec
  /** Announcements so far. */
  round: number
  /** Awards so far; the newest award's fencing token. */
  epoch: number
  /** Providers that fell silent, failed or broke their promise: not asked again. Those who only lost are. */
  excluded: string[]
  /** Agents that were asked and might do it, over all rounds. */
  asked: string[]
  /** What the last failed attempt said. */
  lastFailure?: Failure
  /** The lowest bid above the budget. */
  lowestOver?: number
  /** Agents that might do it, and through which it came: they are not asked. */
  onPath?: string[]
  /** What delegations of its providers came to, as far as they told. */
  spent?: number
}

export interface Pass { provider: string, reason: string, code?: string }

export type RequesterEvent = { at: number } & (
  /** With the input, base64, and the schema asked of the output: what is needed again after a restart. */
  | { type: 'opened', spec: TaskSpec, input: string, output?: Record<string, unknown> }
  /** The announcement is out; these known agents were asked directly, and those not, for the task came through them. `waitMs`: how long those asked usually take to answer, at most. */
  | { type: 'called', round: number, call?: string, asked: string[], waitMs?: number, onPath?: string[] }
  | { type: 'bid', bid: Bid }
  /** An agent that was asked makes no bid, or cannot be reached. */
  | { type: 'passed', provider: string, round: number, reason: string, code?: string }
  /** What the owner of the task says to these bids: other terms, or that it takes them beyond what it asked for. */
  | { type: 'countered', round: number, turn: number, asks: Ask[], taken: string[] }
  /** What a bidder says to a counter-offer: a new bid, or that the one it made stands. */
  | { type: 'answered', round: number, turn: number, bidId: string, bid?: Bid }
  | { type: 'chosen', round: number, order: RankedBid[] }
  /** The contract is complete: both signed statements, base64, are kept with it. */
  | { type: 'accepted', provider: string, epoch: number, award: string, acceptance: string }
  | { type: 'refused', provider: string, epoch: number, reason: string, retryable: boolean }
  /** A sign of life: renews the lease. */
  | { type: 'heard', provider: string, epoch: number }
  | { type: 'progress', provider: string, epoch: number, sequence: number, fraction?: number, note?: string }
  | { type: 'artifact', provider: string, epoch: number, sequence: number, name: string, mediaType: string, data: string, append: boolean, last: boolean }
  | { type: 'input-required', provider: string, epoch: number, sequence: number, prompt: string, schema?: Record<string, unknown> }
  | { type: 'result', provider: string, epoch: number, output: unknown, cost: number, spent?: number, durationMs: number, receipt: ReceiptFacts }
  | { type: 'broke', provider: string, epoch: number, failure: Failure, retryable: boolean, spent?: number }
  /** A provider whose contract was taken from it says what its delegations came to. */
  | { type: 'told', provider: string, epoch: number, spent: number }
  /** The provider's process or machine is gone for certain: nothing listens there any more. */
  | { type: 'gone', provider: string, why: string }
  | { type: 'cancelled', why: string }
  /** With the lease as it stands: the signs of life that renewed it are not in the log. */
  | { type: 'tick', leaseUntil?: number }
  /** This process came back after a crash: a provider at work gets a fresh lease to be heard in. */
  | { type: 'recovered' }
)

export type RequesterEffect =
  | { type: 'announce', round: number }
  /** What does its owner say to these bids? */
  | { type: 'counter', round: number, turn: number, bids: Bid[] }
  | { type: 'ask', bid: Bid, round: number, turn: number, ask: CounterOffer, closesAt: number }
  | { type: 'choose', round: number, bids: Bid[] }
  | { type: 'award', bid: Bid, epoch: number }
  | { type: 'standby', bid: Bid, rank: number }
  | { type: 'decline', bid: Bid, reason: string }
  /** `told`: what its delegations came to is known. */
  | { type: 'revoke', bid: Bid, epoch: number, reason: string, told?: true }
  /** The result of this epoch is taken: countersign its receipt, again if it is asked for again. */
  | { type: 'take', provider: string, epoch: number }
  /** Refuse it: it belongs to an award that is over. */
  | { type: 'fence', provider: string, epoch: number, what: string }
  | { type: 'publish', event: Published }

/** A TaskEvent without what the driver knows: task id, number and time. */
export type Published = TaskEvent extends infer E ? E extends TaskEvent ? Omit<E, 'taskId' | 'seq' | 'at'> : never : never

export interface Step { task: RequesterTask, effects: RequesterEffect[] }

/** A task that was just asked for. */
export function openTask (spec: TaskSpec): Step {
  const task: RequesterTask = { spec, round: 1, epoch: 0, excluded: [], asked: [], stage: 'announced', bids: [], passes: [] }
  return { task, effects: [{ type: 'announce', round: 1 }] }
}

/** When the task wants a `tick`, in ms since the epoch. `undefined`: it has ended. */
export function wakeAt (task: RequesterTask): number | undefined {
  const { deadlineAt } = task.spec
  switch (task.stage) {
    case 'announced': return Math.min(closingAt(task), deadlineAt)
    case 'countering': return Math.min(task.closesAt, deadlineAt)
    case 'choosing': return deadlineAt
    case 'awarded': return Math.min(task.leaseUntil, task.slaUntil ?? deadlineAt, deadlineAt)
    case 'working': return Math.min(task.leaseUntil, task.slaUntil ?? deadlineAt, task.progressUntil ?? deadlineAt, deadlineAt)
    case 'resting': return Math.min(task.resumesAt, deadlineAt)
    case 'settled':
    case 'failed': return undefined
  }
}

/** The timer's event, as it is to be kept. */
export const tickOf = (task: RequesterTask, at: number): RequesterEvent =>
  task.stage === 'awarded' || task.stage === 'working' ? { type: 'tick', at, leaseUntil: task.leaseUntil } : { type: 'tick', at }

/** What to do again for a task that was found open in the log. */
export function resumeTask (task: RequesterTask): RequesterEffect[] {
  switch (task.stage) {
    case 'announced': return [{ type: 'announce', round: task.round }]
    case 'choosing': return [{ type: 'choose', round: task.round, bids: task.bids }]
    case 'awarded': return [{ type: 'award', bid: task.winner, epoch: task.epoch }]
    default: return []
  }
}

export function stepRequester (task: RequesterTask, event: RequesterEvent): Step {
  switch (event.type) {
    case 'opened': return same(task)
    case 'called': return onCalled(task, event)
    case 'bid': return onBid(task, event.bid, event.at)
    case 'passed': return onPassed(task, event)
    case 'countered': return task.stage === 'countering' && event.round === task.round ? onCountered(task, event, choose) : same(task)
    case 'answered': return task.stage === 'countering' && event.round === task.round ? onAnswered(task, event, choose) : same(task)
    case 'chosen': return task.stage === 'choosing' && event.round === task.round ? award(task, event.order, event.at, []) : same(task)
    case 'tick': return onTick(task, event.at, event.leaseUntil)
    case 'recovered': return onRecovered(task, event.at)
    case 'cancelled': return hasEnded(task) ? same(task) : fail(task, { code: 'CANCELLED', taskId: task.spec.taskId, why: event.why })
    case 'told': return onTold(task, event)
    case 'gone': return winnerOf(task)?.provider === event.provider ? move(task, { code: 'PEER_UNREACHABLE', peer: event.provider, why: event.why }, event.at) : same(task)
    default: return onProvider(task, event)
  }
}

function onRecovered (task: RequesterTask, at: number): Step {
  const leaseUntil = at + task.spec.leaseMs
  // Who was asked, and what its owner would say to the answers, went with the process.
  if (task.stage === 'countering') return choose(task, at)
  if (task.stage === 'awarded') return same({ ...task, leaseUntil, again: true })
  return same(task.stage === 'working' ? { ...task, leaseUntil, ...(task.progressUntil !== undefined && { progressUntil: progressDueAt(task.spec, at) }) } : task)
}

/** What was spent on a contract that is over counts all the same, whoever has it now. */
function onTold (task: RequesterTask, { epoch, spent }: Extract<RequesterEvent, { type: 'told' }>): Step {
  const told = withSpent(task, spent > 0 ? Math.min(spent, budgetOf(task) ?? Infinity) : undefined)
  if (epoch < task.epoch) return same(told)
  return same(told.stage === 'failed' && told.untold !== undefined ? { ...told, untold: undefined } : task)
}

function onTick (task: RequesterTask, at: number, lease?: number): Step {
  if (hasEnded(task)) return same(task)
  if (at >= task.spec.deadlineAt) return fail(task, overTime(task, at))
  switch (task.stage) {
    case 'announced': return at >= closingAt(task) ? close(task, at) : same(task)
    case 'countering': return at >= task.closesAt ? choose(task, at) : same(task)
    case 'awarded':
    case 'working': {
      const { provider, durationMs = 0 } = task.winner
      const leaseUntil = lease ?? task.leaseUntil
      if (at >= leaseUntil) return move(task, { code: 'LEASE_EXPIRED', provider, silentMs: at - leaseUntil + task.spec.leaseMs }, at)
      if (task.slaUntil !== undefined && at >= task.slaUntil) return move(task, { code: 'SLA_BREACHED', provider, promisedMs: durationMs, afterMs: at - task.awardedAt }, at)
      if (task.stage === 'working' && task.progressUntil !== undefined && at >= task.progressUntil) {
        const { progressEveryMs: promisedMs = 0 } = task.spec.sla ?? {}
        return move(task, { code: 'SLA_BREACHED', provider, term: 'progress', promisedMs, afterMs: at - task.progressUntil + promisedMs }, at)
      }
      return same(task)
    }
    case 'resting': {
      if (at < task.resumesAt) return same(task)
      const { resumesAt: _, ...asked } = task
      const round = task.round + 1
      return { task: { ...asked, stage: 'announced', round, bids: [], passes: [] }, effects: [{ type: 'announce', round }] }
    }
    default: return same(task)
  }
}
