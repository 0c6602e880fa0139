/**
 * Counter-offers, before the award: when the window for bids has closed, the owner of a task may answer each bid with other
 * terms. Its bidder makes a new bid or keeps the one it made, twice at most. And the owner may take a bid that is beyond what
 * it asked for. Pure, as core/requester.ts, which it is a part of.
 */
import { exceeds } from './purse.ts'
import type { CounterCall, Offer } from './agent.ts'
import type { RequesterEffect, RequesterEvent, RequesterTask, Step } from './requester.ts'
import type { Bid, TaskSpec } from './task.ts'

/** What is asked instead. What is left out is as it was bid. */
export interface CounterOffer {
  /** In the requester's cost units. */
  cost?: number
  durationMs?: number
}

/** A counter-offer to one bid. */
export interface Ask extends CounterOffer { bidId: string }

/** How often one bid may be answered. */
export const MAX_TURNS = 2
/** All turns together take no longer than the window for bids, nor than this share of the time that the task has left. */
const SHARE_OF_TIME = 1 / 4

type Announced = RequesterTask & { stage: 'announced' }
type Countering = RequesterTask & { stage: 'countering' }
/** Goes on to the choice. */
type Finish = (task: Countering, at: number) => Step

/** The window is closed, and the owner wants to see the bids before they are ranked. */
export function openCountering (task: Announced, at: number): Step {
  const { call: _, awaiting: __, closesAt: ___, waitMs: ____, bidAt: _____, ...rest } = task
  const { spec: { bidWindowMs, deadlineAt }, bids, round } = task
  const countering: Countering = { ...rest, stage: 'countering', turn: 1, waiting: [], revised: [], closesAt: at + Math.min(bidWindowMs, (deadlineAt - at) * SHARE_OF_TIME) }
  return { task: countering, effects: [{ type: 'counter', round, turn: 1, bids }] }
}

/** The owner has answered the bids: those to whom it makes a counter-offer are asked. */
export function onCountered (task: Countering, { at, turn, asks, taken }: Extract<RequesterEvent, { type: 'countered' }>, finish: Finish): Step {
  if (turn !== task.turn || task.waiting.length > 0) return { task, effects: [] }
  const bids = task.bids.map(bid => taken.includes(bid.id) ? { ...bid, taken: true as const } : bid)
  const open = turn > MAX_TURNS ? [] : asks.flatMap(({ bidId, ...ask }) => bids.filter(bid => bid.id === bidId && bid.taken !== true).map(bid => ({ bid, ask })))
  const next: Countering = { ...task, bids, waiting: open.map(({ bid }) => bid.id), revised: [] }
  if (open.length === 0) return finish(next, at)
  return {
    task: next,
    effects: open.flatMap(({ bid, ask }): RequesterEffect[] => [
      { type: 'publish', event: { event: 'countered', provider: bid.provider, turn, ...ask } },
      { type: 'ask', bid, round: task.round, turn, ask, closesAt: task.closesAt }
    ])
  }
}

/** A bidder has a new bid, or keeps the one it made, or nothing is heard of it: its bid stands. */
export function onAnswered (task: Countering, event: Extract<RequesterEvent, { type: 'answered' }>, finish: Finish): Step {
  const { at, turn, bidId } = event
  const before = task.bids.find(({ id }) => id === bidId)
  if (turn !== task.turn || before === undefined || !task.waiting.includes(bidId)) return { task, effects: [] }
  const bid = supersedes(event.bid, before, at) ? { ...event.bid, call: before.call } : before
  const isRevised = bid !== before
  const waiting = task.waiting.filter(id => id !== bidId)
  const revised = isRevised ? [...task.revised, bid.id] : task.revised
  const next: Countering = { ...task, bids: task.bids.map(other => other === before ? bid : other), waiting, revised }
  const { provider, cost, durationMs, confidence } = bid
  const told: RequesterEffect = { type: 'publish', event: { event: 'answered', provider, turn, revised: isRevised, cost, durationMs, confidence } }
  const step = waiting.length > 0 ? { task: next, effects: [] } : nextTurn(next, at, finish)
  return { task: step.task, effects: [told, ...step.effects] }
}

/** Whoever keeps its bid is not asked again. */
function nextTurn (task: Countering, at: number, finish: Finish): Step {
  const turn = task.turn + 1
  const bids = task.bids.filter(({ id }) => task.revised.includes(id))
  if (bids.length === 0 || at >= task.closesAt) return finish(task, at)
  return { task: { ...task, turn, revised: [] }, effects: [{ type: 'counter', round: task.round, turn, bids }] }
}

/** Only of the same bidder, from the same peer, in the same round, and while it stands. */
const supersedes = (bid: Bid | undefined, before: Bid, at: number): bid is Bid =>
  bid !== undefined && bid.id !== before.id && bid.provider === before.provider && bid.peer === before.peer && bid.round === before.round && bid.expiresAt > at

/** Whether a bid costs more than is allowed, and its owner has not taken it all the same. */
export const isOver = (bid: Bid, limit: number): boolean => bid.taken !== true && exceeds(bid.cost, limit)

/** Whether a bid promises its result only after the task's deadline. */
export const isLate = ({ durationMs = 0 }: Bid, { deadlineAt }: Pick<TaskSpec, 'deadlineAt'>, at: number): boolean => at + durationMs > deadlineAt

/** What was asked for, with the time that a bid needs whose terms the owner has taken. */
export const withTimeFor = (spec: TaskSpec, bid: Bid, at: number): TaskSpec =>
  bid.taken === true && isLate(bid, spec, at) ? { ...spec, deadlineAt: at + (bid.durationMs ?? 0) + spec.leaseMs } : spec

/** What a bidder says that was not told what to say: it takes terms that are no worse for it than what it has bid. */
export function answerOf ({ offered, asked }: CounterCall): Offer | undefined {
  const { cost = offered.cost, durationMs = offered.durationMs } = asked
  const isWorse = cost < offered.cost || (durationMs !== undefined && (offered.durationMs === undefined || durationMs < offered.durationMs))
  return isWorse ? undefined : { ...offered, cost, durationMs }
}
