/**
 * The requester's side of a task, as a pure state machine: what happened goes in, the next state and what to do about it
 * come out. Networks repeat and reorder: a late or doubled event leaves the task as it was. Whatever carries an old epoch
 * is fenced off, so a task has one result, whoever wakes up late.
 */
import { restMs } from './backoff.ts'
import { isOver, onAnswered, onCountered, openCountering, withTimeFor, type Ask, type CounterOffer } from './counter.ts'
import { giveUpReason, isHopeless, loops, overTime } from './giving-up.ts'
import { progressDueAt, slaMs } from './sla.ts'
import { budgetOf, withSpent } from './spending.ts'
import type { Failure } from './errors.ts'
import type { Bid, RankedBid, ReceiptFacts, TaskEvent, TaskSpec } from './task.ts'

export type RequesterTask = Asked & (
  /** `call`: the message id of the announcement. Only what answers it is a bid for this round. */
  | { stage: 'announced', call?: string, awaiting?: string[], closesAt?: number, bids: Bid[], passes: Pass[] }
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
  /** The announcement is out; these known agents were asked directly, and those not, for the task came through them. */
  | { type: 'called', round: number, call?: string, asked: string[], onPath?: string[] }
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

/** What one contract may send beside its result, in characters of base64; a message counts as so many at least. */
const MAX_RECEIVED = 256 * 1_024 * 1_024
const MESSAGE_BYTES = 4_096
/** Bids of one task, and those of one node among them: agents cost nothing to make. The rest is declined. */
const MAX_BIDS = 256
const MAX_BIDS_OF_PEER = 32
/** A window without a bid closes after this many times as long, if somebody asked may still answer. */
const HELD_OPEN = 8

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

/**
 * When the window for bids closes by itself. While those who were asked are silent, and nobody has bid, it stays open for
 * longer: they are slow rather than unwilling, and to ask them again would give them more to do, not less.
 */
function closingAt ({ closesAt, bids, awaiting = [], spec }: RequesterTask & { stage: 'announced' }): number {
  if (closesAt === undefined) return spec.deadlineAt
  return bids.length === 0 && awaiting.length > 0 ? closesAt + (HELD_OPEN - 1) * spec.bidWindowMs : closesAt
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

export const hasEnded = (task: RequesterTask): boolean => task.stage === 'settled' || task.stage === 'failed'

/** The bid that holds the contract, while one does. */
export const winnerOf = (task: RequesterTask): Bid | undefined =>
  task.stage === 'awarded' || task.stage === 'working' ? task.winner : undefined

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

/** Everything that the holder of a contract says. */
type FromProvider = Exclude<Extract<RequesterEvent, { epoch: number }>, { type: 'told' }>

function onProvider (task: RequesterTask, event: FromProvider): Step {
  const { provider, epoch, at } = event
  if (task.stage === 'settled' && epoch === task.epoch && provider === task.provider) {
    if (event.type === 'result') return { task, effects: [{ type: 'take', provider, epoch }] }
    // A quick result overtakes the acceptance: the contract is kept all the same.
    if (event.type === 'accepted') return same(task.accepted ? task : { ...task, accepted: true })
  }
  if (winnerOf(task)?.provider !== provider || epoch !== task.epoch) return fenceOff(task, event)
  if (task.stage !== 'awarded' && task.stage !== 'working') return same(task)
  const { winner, standby, awardedAt } = task
  const working: RequesterTask = {
    ...task,
    stage: 'working',
    winner, standby, awardedAt,
    leaseUntil: at + task.spec.leaseMs,
    sequence: task.stage === 'working' ? task.sequence : 0,
    accepted: task.stage === 'working' && task.accepted,
    received: task.stage === 'working' ? task.received : 0
  }
  switch (event.type) {
    // Progress may overtake it: the contract is kept all the same.
    case 'accepted': return working.accepted ? same(task) : publish({ ...working, accepted: true, progressUntil: progressDueAt(task.spec, at) }, { event: 'accepted', provider, epoch })
    // Not in the log, so it changes nothing but the lease.
    case 'heard': return same({ ...task, leaseUntil: working.leaseUntil })
    case 'refused': return move(task, { code: 'REFUSED', why: event.reason }, at, { onlyLost: event.retryable, told: true })
    case 'broke': {
      const paid = withSpent(task, event.spent)
      return event.retryable ? move(paid, event.failure, at, { told: true }) : fail(paid, event.failure, true)
    }
    case 'result': {
      const { spec, round, excluded, asked, spent } = withSpent(task, event.spent)
      const { output, cost, durationMs, receipt } = event
      const settled: RequesterTask = { spec, round, epoch, excluded, asked, spent, stage: 'settled', provider, cost, accepted: working.accepted }
      return {
        task: settled,
        effects: [
          { type: 'take', provider, epoch },
          ...standby.map(({ bid }) => ({ type: 'decline' as const, bid, reason: 'another agent has done it' })),
          { type: 'publish', event: { event: 'result', provider, epoch, output, cost, ...(spent === undefined ? {} : { spent }), durationMs, receipt } }
        ]
      }
    }
    case 'progress':
    case 'artifact':
    case 'input-required': {
      if (event.sequence <= working.sequence) return same(working)
      const received = working.received + MESSAGE_BYTES + (event.type === 'artifact' ? event.data.length : 0)
      if (received > MAX_RECEIVED) return move(task, { code: 'OVERLOADED', what: `bytes of progress and artifacts from ${provider}`, limit: MAX_RECEIVED }, at)
      const progressUntil = event.type === 'input-required' ? undefined : progressDueAt(task.spec, at)
      return publish({ ...working, sequence: event.sequence, received, progressUntil }, toPublished(event))
    }
  }
}

function toPublished (event: Extract<FromProvider, { sequence: number }>): Published {
  const { provider, epoch } = event
  switch (event.type) {
    case 'progress': return { event: 'progress', provider, epoch, fraction: event.fraction, note: event.note }
    case 'artifact': {
      const { name, mediaType, append, last } = event
      return { event: 'artifact', provider, epoch, name, mediaType, data: Buffer.from(event.data, 'base64'), append, last }
    }
    case 'input-required': return { event: 'input-required', provider, epoch, prompt: event.prompt, schema: event.schema }
  }
}

function onCalled (task: RequesterTask, event: Extract<RequesterEvent, { type: 'called' }>): Step {
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
    onPath: both(task.onPath, event.onPath)
  }
  const announced: RequesterEffect = { type: 'publish', event: { event: 'announced', round: task.round, capability: task.spec.capability, asked: event.asked.length } }
  const next = event.asked.length > 0 ? closeWhenDue(called, event.at) : loops(called) && task.spec.to !== undefined ? rest(called, event.at) : same(called)
  return { task: next.task, effects: [announced, ...next.effects] }
}

function onBid (task: RequesterTask, bid: Bid, at: number): Step {
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
  const next = closeWhenDue({ ...task, bids: [...task.bids, bid], awaiting: task.awaiting?.filter(agent => agent !== provider) }, at)
  return { task: next.task, effects: [{ type: 'publish', event: { event: 'bid', provider, cost, durationMs, confidence, load, round, ...(counter && { counter }) } }, ...next.effects] }
}

function onPassed (task: RequesterTask, event: Extract<RequesterEvent, { type: 'passed' }>): Step {
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
const close = (task: RequesterTask & { stage: 'announced' }, at: number): Step =>
  task.spec.counters === true && task.bids.length > 0 ? openCountering(task, at) : choose(task, at)

/** Choose among what there is, or announce again. */
function choose (task: RequesterTask & { stage: 'announced' | 'countering' }, at: number): Step {
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

/** Awards to the first of the order that still stands; the others stand by. */
function award (task: RequesterTask, order: RankedBid[], at: number, before: RequesterEffect[]): Step {
  const limit = budgetOf(task) ?? Infinity
  const [first, ...standby] = order.filter(({ bid }) => bid.expiresAt > at && !task.excluded.includes(bid.provider) && !isOver(bid, limit))
  if (first === undefined) {
    const step = rest(task, at)
    return { task: step.task, effects: [...before, ...step.effects] }
  }
  const { round, excluded, asked, lastFailure, lowestOver, onPath, spent } = task
  const epoch = task.epoch + 1
  const { bid, reason } = first
  const spec = withTimeFor(task.spec, bid, at)
  return {
    task: { spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent, stage: 'awarded', winner: bid, standby, awardedAt: at, leaseUntil: at + spec.leaseMs, slaUntil: slaUntil(spec, bid, at) },
    effects: [
      ...before,
      { type: 'publish', event: { event: 'awarded', provider: bid.provider, epoch, reason, standby: standby.map(entry => entry.bid.provider) } },
      { type: 'award', bid, epoch },
      ...standby.map((entry, i) => ({ type: 'standby' as const, bid: entry.bid, rank: i + 1 }))
    ]
  }
}

/** Takes the work from the winner and gives it to the next: silence, failure, breach and refusal all end here. */
function move (task: RequesterTask, failure: Failure, at: number, { onlyLost = false, told = false } = {}): Step {
  if (task.stage !== 'awarded' && task.stage !== 'working') return same(task)
  const { winner, standby, epoch } = task
  const excluded = onlyLost ? task.excluded : [...task.excluded, winner.provider]
  // A job counts the handlers that are started for it, and whoever refused has started none.
  const mayHaveBegun = failure.code !== 'REFUSED' || (task.stage === 'awarded' && task.again === true)
  if (task.spec.jobId !== undefined && mayHaveBegun) return fail({ ...task, excluded }, failure)
  const before: RequesterEffect[] = [
    { type: 'revoke', bid: winner, epoch, reason: failure.code, ...(told && { told }) },
    { type: 'publish', event: { event: 'moved', provider: winner.provider, epoch, failure } }
  ]
  return award({ ...task, excluded, lastFailure: failure }, standby.filter(entry => entry.bid.provider !== winner.provider), at, before)
}

/** Nobody is left: announce again after a while, or give up. */
function rest (task: RequesterTask, at: number): Step {
  const { spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent } = task
  if (round < spec.maxRounds && !isHopeless(task)) {
    return same({ spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent, stage: 'resting', resumesAt: at + restMs(spec.taskId, round) })
  }
  return fail(task, giveUpReason(task, at))
}

/** @param told whether it is known what delegations of its provider came to */
function fail (task: RequesterTask, failure: Failure, told = false): Step {
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

const both = (some: string[] = [], others: string[] = []): string[] | undefined =>
  some.length + others.length === 0 ? undefined : [...new Set([...some, ...others])]

/** Only what could have an effect is worth a refusal; a late heartbeat is nothing. */
function fenceOff (task: RequesterTask, { type, provider, epoch }: FromProvider): Step {
  if (type === 'heard' || type === 'progress' || type === 'refused') return same(task)
  return { task, effects: [{ type: 'fence', provider, epoch, what: type }, { type: 'publish', event: { event: 'fenced', provider, epoch, what: type } }] }
}

function slaUntil (spec: TaskSpec, { durationMs }: Bid, awardedAt: number): number | undefined {
  return durationMs === undefined ? undefined : awardedAt + slaMs(spec, durationMs)
}

const same = (task: RequesterTask): Step => ({ task, effects: [] })
const publish = (task: RequesterTask, event: Published): Step => ({ task, effects: [{ type: 'publish', event }] })
