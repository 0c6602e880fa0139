/** One round of a task, until its bids are in: whom it was announced to, who bids, and when the window closes. Pure, as core/requester.ts, which it is a part of. */
import { isOver, openCountering } from './counter.ts'
import { fail, rest, same } from './ending.ts'
import { loops } from './giving-up.ts'
import { budgetOf } from './spending.ts'
import type { RequesterEffect, RequesterEvent, RequesterTask, Step } from './requester.ts'
import type { Bid } from './task.ts'

/** Bids of one task, and those of one node among them: agents cost nothing to make. The rest is declined. */
const MAX_BIDS = 256
const MAX_BIDS_OF_PEER = 32
/** A window without a bid closes after this many times as long, if somebody asked may still answer. */
const HELD_OPEN = 8

/**
 * When the window for bids closes by itself. Once somebody has bid, the silent are waited for no longer than those asked usually take:
 * they are stopped, starting or cut off, and all that is asked of their neighbours would wait with them. While all are silent
 * it stays open for longer: they are slow rather than unwilling, and to ask them again would give them more to do, not less.
 */
export function closingAt ({ closesAt, waitMs = Infinity, bidAt, awaiting = [], spec }: RequesterTask & { stage: 'announced' }): number {
  if (closesAt === undefined) return spec.deadlineAt
  if (bidAt !== undefined) return Math.min(closesAt, bidAt + waitMs)
  return awaiting.length > 0 ? closesAt + (HELD_OPEN - 1) * spec.bidWindowMs : closesAt
}

/** It was announced: the window opens, and closes at once if everybody who was asked has answered already. */
export function onCalled (task: RequesterTask, event: Extract<RequesterEvent, { type: 'called' }>): Step {
  if (task.stage !== 'announced' || event.round !== task.round) return same(task)
  // Announced once more after a restart: the bids that there are stand.
  if (task.awaiting !== undefined) return same(event.call === task.call ? task : { ...task, call: event.call })
  const answered = new Set([...task.bids.map(bid => bid.provider), ...task.passes.map(pass => pass.provider)])
  const called: RequesterTask = {
    ...task,
    call: event.call,
    asked: [...new Set([...task.asked, ...event.asked])],
    awaiting: event.asked.filter(agent => !answered.has(agent)),
    closesAt: event.at + task.spec.bidWindowMs,
    waitMs: event.waitMs,
    onPath: both(task.onPath, event.onPath)
  }
  const announced: RequesterEffect = { type: 'publish', event: { event: 'announced', round: task.round, capability: task.spec.capability, asked: event.asked.length } }
  const next = event.asked.length > 0 ? closeWhenDue(called, event.at) : loops(called) && task.spec.to !== undefined ? rest(called, event.at) : same(called)
  return { task: next.task, effects: [announced, ...next.effects] }
}

/** A bid came. It is taken into the round, or declined with the reason; the last one awaited closes the window. */
export function onBid (task: RequesterTask, bid: Bid, at: number): Step {
  if (task.stage !== 'announced' || bid.round !== task.round) {
    const known = task.stage === 'choosing' || task.stage === 'countering' ? task.bids : task.stage === 'awarded' || task.stage === 'working' ? [task.winner, ...task.standby.map(entry => entry.bid)] : []
    // Its answer to a counter-offer may come late: the bid it made before stands.
    return known.some(other => other.provider === bid.provider && other.round === bid.round) ? same(task) : { task, effects: [{ type: 'decline', bid, reason: 'the window for bids has closed' }] }
  }
  // A bid is sealed to one announcement: made for another task, requester or round, or before this one, it is none.
  if (bid.call !== task.call) return { task, effects: [{ type: 'decline', bid, reason: 'it answers another announcement' }] }
  if (bid.expiresAt <= at) return { task, effects: [{ type: 'decline', bid, reason: 'it does not stand any more' }] }
  if (task.excluded.includes(bid.provider) || (task.spec.to !== undefined && task.spec.to !== bid.provider)) {
    return { task, effects: [{ type: 'decline', bid, reason: 'not asked' }] }
  }
  if (task.bids.some(other => other.provider === bid.provider)) return same(task)
  if (task.bids.length >= MAX_BIDS || task.bids.filter(({ peer }) => peer === bid.peer).length >= MAX_BIDS_OF_PEER) {
    return { task, effects: [{ type: 'decline', bid, reason: 'there are enough bids' }] }
  }
  const { provider, cost, durationMs, confidence, load, round, counter } = bid
  // A contract is what both agree on; an older node has not read these terms.
  if (task.spec.sla !== undefined && bid.agrees !== true) {
    const step = onPassed(task, { type: 'passed', at, provider, round, reason: 'it does not know the terms of service that are asked for' })
    return { task: step.task, effects: [{ type: 'decline', bid, reason: 'it does not agree to the terms of service' }, ...step.effects] }
  }
  const next = closeWhenDue({ ...task, bids: [...task.bids, bid], bidAt: task.bidAt ?? at, awaiting: task.awaiting?.filter(agent => agent !== provider) }, at)
  return { task: next.task, effects: [{ type: 'publish', event: { event: 'bid', provider, cost, durationMs, confidence, load, round, ...(counter && { counter }) } }, ...next.effects] }
}

/** An agent will not bid. The last one awaited closes the window. */
export function onPassed (task: RequesterTask, event: Extract<RequesterEvent, { type: 'passed' }>): Step {
  if (task.stage !== 'announced' || event.round !== task.round) return same(task)
  const { provider, reason, code } = event
  if (task.passes.length >= MAX_BIDS || [...task.passes, ...task.bids].some(answer => answer.provider === provider)) return same(task)
  const next = closeWhenDue({ ...task, passes: [...task.passes, { provider, reason, code }], awaiting: task.awaiting?.filter(agent => agent !== provider) }, event.at)
  return { task: next.task, effects: [{ type: 'publish', event: { event: 'passed', provider, reason } }, ...next.effects] }
}

function closeWhenDue (task: RequesterTask & { stage: 'announced' }, at: number): Step {
  return at >= closingAt(task) || (task.awaiting?.length === 0 && task.asked.length > 0) ? close(task, at) : same(task)
}

/** The window is closed. */
export const close = (task: RequesterTask & { stage: 'announced' }, at: number): Step =>
  task.spec.counters === true && task.bids.length > 0 ? openCountering(task, at) : choose(task, at)

/** Choose among what there is, or announce again. */
export function choose (task: RequesterTask & { stage: 'announced' | 'countering' }, at: number): Step {
  const { spec, round, epoch, excluded, asked, lastFailure, passes, spent } = task
  const limit = budgetOf(task) ?? Infinity
  const [over, bids] = [task.bids.filter(bid => isOver(bid, limit)), task.bids.filter(bid => !isOver(bid, limit))]
  const lowestOver = over.length === 0 ? task.lowestOver : Math.min(...over.map(bid => bid.cost), task.lowestOver ?? Infinity)
  const onPath = both(task.onPath, passes.filter(({ code, provider }) => code === 'LOOP' && spec.visited.includes(provider)).map(({ provider }) => provider))
  const common = { spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent }
  const declined: RequesterEffect[] = over.map(bid => ({ type: 'decline', bid, reason: `over the budget of ${limit}` }))
  if (bids.length > 0) return { task: { ...common, stage: 'choosing', bids }, effects: [...declined, { type: 'choose', round, bids }] }
  // Whoever heard of it by gossip may say no: only those who were asked can bar us.
  const barred = passes.find(pass => pass.code === 'NOT_ALLOWED' && asked.includes(pass.provider))
  const step = barred !== undefined && over.length === 0 && passes.every(pass => pass.code === 'NOT_ALLOWED')
    ? fail({ ...task, ...common }, { code: 'NOT_ALLOWED', capability: spec.capability, why: barred.reason })
    : rest({ ...task, ...common }, at)
  return { task: step.task, effects: [...declined, ...step.effects] }
}

const both = (some: string[] = [], others: string[] = []): string[] | undefined =>
  some.length + others.length === 0 ? undefined : [...new Set([...some, ...others])]
