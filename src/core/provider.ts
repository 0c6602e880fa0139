/**
 * The provider's side of a task, as a pure state machine. A contract is run at most once at a time, whatever the network
 * repeats; a newer epoch of the same contract takes over the work that is under way; an older one is refused.
 */
import { MAX_TURNS } from './counter.ts'
import type { Failure } from './errors.ts'
import { costAfter, type ContractTerms, type SlaTerms } from './sla.ts'
import type { Lineage } from './lineage.ts'

export type ProviderTask = Called & (
  /** `epoch`: of the last award of this task that was here; 0 when there was none. */
  | { stage: 'offered', epoch: number }
  | { stage: 'working', contract: ContractFacts, startedAt: number, deadlineAt: number }
  | { stage: 'delivering', contract: ContractFacts, startedAt: number, outcome: Outcome, cost: number, tookMs: number, spent?: number, attempt: number, retryAt: number, giveUpAt: number }
  | { stage: 'closed', reason: Closed, failure?: Failure, epoch: number, cost?: number, spent?: number }
)

export type Closed = 'settled' | 'lost' | 'revoked' | 'fenced' | 'expired' | 'undelivered'

interface Called {
  taskId: string
  capability: string
  requester: string
  bid: HeldBid
  call: CallFacts
}

/** The bid that stands. */
export interface HeldBid extends Terms {
  round: number
  confidence?: number
  expiresAt: number
  /** Counter-offers that it was answered with, the newest by its message id; */
  turns?: number
  counter?: string
  /** and the bids that it has taken the place of. */
  earlier?: Terms[]
}

/** What a bid offers, by its message id. */
interface Terms { id: string, cost: number, durationMs?: number }

/** What the announcement said that the work needs later. */
export interface CallFacts extends Lineage {
  maxCost?: number
  /** Terms of service that the bid agreed to. */
  sla?: SlaTerms
  inputBytes?: number
  maxDurationMs?: number
}

export interface ContractFacts {
  epoch: number
  leaseMs: number
  /** SHA-256 of the award's statement, base64url. */
  contractHash: string
  inputHash: string
  /** Work with the same, for the same requester and input, is done once. */
  idempotencyKey?: string
  /** What the handler may spend on delegations. Absent: no limit. */
  budget?: number
}

export type Outcome =
  | { outcome: 'completed', output: unknown }
  | { outcome: 'failed', failure: Failure }

export type ProviderEvent = { at: number } & (
  | { type: 'offered', taskId: string, capability: string, requester: string, bid: HeldBid, call: CallFacts }
  /** The bid was answered with other terms; `bid`: what is offered now. Absent: what was offered stands. */
  | { type: 'countered', counter: string, bidId: string, bid?: Terms & { confidence: number } }
  /** `bidId`: which bid; a decline may be late, and meant for one of an earlier round. */
  | { type: 'declined', reason: string, bidId?: string }
  /** With both signed statements, base64: the contract is complete once it is accepted. */
  | { type: 'awarded', bidId: string, contract: ContractFacts, deadlineAt: number, award: string, acceptance: string }
  /** `spent`: what the handler's delegations came to. */
  | { type: 'handled', outcome: Outcome, spent?: number }
  /** The requester has countersigned. */
  | { type: 'delivered', epoch: number }
  | { type: 'undeliverable', epoch: number, why: string }
  | { type: 'fenced', epoch: number }
  | { type: 'revoked', epoch: number, reason: string }
  | { type: 'tick' }
  /** This process came back after a crash: what ran is lost. */
  | { type: 'recovered' }
)

export type ProviderEffect =
  | { type: 'accept', contract: ContractFacts }
  | { type: 'refuse', epoch: number, failure: Failure }
  | { type: 'run', contract: ContractFacts, deadlineAt: number }
  | { type: 'abort', failure: Failure }
  | { type: 'deliver', contract: ContractFacts, outcome: Outcome }

export interface ProviderStep { task: ProviderTask, effects: ProviderEffect[] }

/** A result that cannot be delivered is tried again for this long after its deadline, in ms. */
export const DELIVERY_GRACE_MS = 60_000
const RETRY_MS = [100, 200, 400, 800, 1_600, 3_200, 5_000]

/** A bid was made. */
export function openOffer (event: Extract<ProviderEvent, { type: 'offered' }>): ProviderStep {
  const { taskId, capability, requester, bid, call } = event
  return still({ taskId, capability, requester, bid, call, stage: 'offered', epoch: 0 })
}

/** When it wants a `tick`. `undefined`: never. */
export function providerWakeAt (task: ProviderTask): number | undefined {
  switch (task.stage) {
    case 'offered': return task.bid.expiresAt
    case 'working': return task.deadlineAt
    case 'delivering': return Math.min(task.retryAt, task.giveUpAt)
    case 'closed': return undefined
  }
}

export function stepProvider (task: ProviderTask, event: ProviderEvent): ProviderStep {
  switch (event.type) {
    case 'offered': return onOffered(task, event)
    case 'countered': return onCountered(task, event)
    case 'awarded': return onAwarded(task, event)
    case 'declined': return task.stage === 'offered' && (event.bidId ?? task.bid.id) === task.bid.id ? still(closed(task, 'lost')) : still(task)
    case 'handled': return task.stage === 'working' ? deliver(task, event.outcome, event.at, event.spent) : still(task)
    case 'delivered': return task.stage === 'delivering' && task.contract.epoch === event.epoch ? still({ ...closed(task, 'settled', failureOf(task.outcome)), cost: task.cost, spent: task.spent }) : still(task)
    case 'undeliverable': return task.stage === 'delivering' && task.contract.epoch === event.epoch ? retryLater(task, event.at) : still(task)
    case 'fenced': return end(task, 'fenced', event.epoch, { code: 'STALE_EPOCH', taskId: task.taskId, epoch: event.epoch, current: event.epoch + 1 })
    case 'revoked': return end(task, 'revoked', event.epoch, { code: 'CANCELLED', taskId: task.taskId, why: event.reason })
    case 'tick': return onTick(task, event.at)
    case 'recovered': return onRecovered(task, event.at)
  }
}

/** What was agreed on. */
export const termsOf = ({ bid: { cost, durationMs }, call: { sla } }: Pick<ProviderTask, 'bid' | 'call'>): ContractTerms =>
  ({ cost, ...(durationMs !== undefined && { durationMs }), ...sla })

export const epochOf = (task: ProviderTask): number =>
  task.stage === 'closed' || task.stage === 'offered' ? task.epoch : task.contract.epoch

/**
 * A bid in a later round takes the place of one that led to nothing. In one round the first bid stands: its requester may
 * have it already, and ask again only because it was restarted.
 */
function onOffered (task: ProviderTask, event: Extract<ProviderEvent, { type: 'offered' }>): ProviderStep {
  if (event.bid.round <= task.bid.round && event.at < task.bid.expiresAt) return still(task)
  if (task.stage === 'offered') return still({ ...task, bid: event.bid })
  if (task.stage !== 'closed' || task.reason === 'settled') return still(task)
  const { taskId, capability, requester, call, epoch } = task
  return still({ taskId, capability, requester, bid: event.bid, call, stage: 'offered', epoch })
}

function onCountered (task: ProviderTask, { at, counter, bidId, bid }: Extract<ProviderEvent, { type: 'countered' }>): ProviderStep {
  const { id, cost, durationMs, turns = 0, earlier = [] } = task.bid
  if (task.stage !== 'offered' || bidId !== id || turns >= MAX_TURNS || at >= task.bid.expiresAt) return still(task)
  const superseded = bid === undefined ? {} : { ...bid, earlier: [...earlier, { id, cost, durationMs }] }
  return still({ ...task, bid: { ...task.bid, ...superseded, turns: turns + 1, counter } })
}

/**
 * The bid that an award names, if it is honoured: the one that stands, or one before it, for the answer to a counter-offer may have been
 * lost. But nobody gets the terms of before where they are better than those that stand.
 */
export function namedBid ({ bid }: Pick<ProviderTask, 'bid'>, bidId: string): Terms | undefined {
  if (bid.id === bidId) return bid
  const { cost, durationMs = Infinity } = bid
  return bid.earlier?.find(before => before.id === bidId && before.cost >= cost && (before.durationMs ?? Infinity) >= durationMs)
}

function onAwarded (task: ProviderTask, event: Extract<ProviderEvent, { type: 'awarded' }>): ProviderStep {
  const { contract, deadlineAt, at } = event
  const current = epochOf(task)
  const stale: Failure = { code: 'STALE_EPOCH', taskId: task.taskId, epoch: contract.epoch, current }
  // Epochs begin at 1: an award without one could not be told from no award.
  if (contract.epoch < Math.max(1, current)) return { task, effects: [{ type: 'refuse', epoch: contract.epoch, failure: stale }] }
  switch (task.stage) {
    case 'working': return { task: { ...task, contract, deadlineAt }, effects: [{ type: 'accept', contract }] }
    case 'delivering': return { task: { ...task, contract, attempt: 1, retryAt: task.giveUpAt }, effects: [{ type: 'accept', contract }, { type: 'deliver', contract, outcome: task.outcome }] }
    case 'closed':
    case 'offered':
      // Its requester came back and awards it again, but it has ended here by itself: it is told of what.
      if (contract.epoch === current) return { task, effects: [{ type: 'refuse', epoch: contract.epoch, failure: (task.stage === 'closed' ? task.failure : undefined) ?? stale }] }
      if (task.stage === 'closed' && task.reason === 'settled') return { task, effects: [{ type: 'refuse', epoch: contract.epoch, failure: stale }] }
  }
  const named = namedBid(task, event.bidId)
  if (named === undefined || at >= task.bid.expiresAt) {
    return { task, effects: [{ type: 'refuse', epoch: contract.epoch, failure: { code: 'REFUSED', why: 'that bid does not stand any more' } }] }
  }
  const { taskId, capability, requester, call } = task
  const { id, cost, durationMs } = named
  return {
    task: { taskId, capability, requester, bid: { ...task.bid, id, cost, durationMs }, call, stage: 'working', contract, startedAt: at, deadlineAt },
    effects: [{ type: 'accept', contract }, { type: 'run', contract, deadlineAt }]
  }
}

function onTick (task: ProviderTask, at: number): ProviderStep {
  switch (task.stage) {
    case 'offered': return at >= task.bid.expiresAt ? still(closed(task, 'expired')) : still(task)
    case 'working':
      return at >= task.deadlineAt ? end(task, 'expired', epochOf(task), overTime(task, at)) : still(task)
    case 'delivering': {
      if (at >= task.giveUpAt) return still(closed(task, 'undelivered', failureOf(task.outcome) ?? overTime(task, at)))
      return at >= task.retryAt ? { task: { ...task, retryAt: task.giveUpAt }, effects: [{ type: 'deliver', contract: task.contract, outcome: task.outcome }] } : still(task)
    }
    case 'closed': return still(task)
  }
}

function onRecovered (task: ProviderTask, at: number): ProviderStep {
  if (task.stage === 'working') {
    return deliver(task, { outcome: 'failed', failure: { code: 'HANDLER_LOST', capability: task.capability, why: 'its process was restarted' } }, at)
  }
  return task.stage === 'delivering' ? still({ ...task, retryAt: at }) : still(task)
}

function deliver (task: ProviderTask & { stage: 'working' }, outcome: Outcome, at: number, spent?: number): ProviderStep {
  const giveUpAt = task.deadlineAt + DELIVERY_GRACE_MS
  const { deadlineAt: _, ...rest } = task
  const tookMs = at - task.startedAt
  const cost = outcome.outcome === 'completed' ? costAfter(termsOf(task), tookMs) : task.bid.cost
  return {
    // The delivery under way reports its own end; the timer only comes into it after a failure.
    task: { ...rest, stage: 'delivering', outcome, cost, tookMs, spent, attempt: 1, retryAt: giveUpAt, giveUpAt },
    effects: [{ type: 'deliver', contract: task.contract, outcome }]
  }
}

function retryLater (task: ProviderTask & { stage: 'delivering' }, at: number): ProviderStep {
  const wait = RETRY_MS[Math.min(task.attempt, RETRY_MS.length) - 1] ?? 0
  return still({ ...task, attempt: task.attempt + 1, retryAt: at + wait })
}

/** Ends what there is under an epoch, without a result. It may overtake the award that it ends, which is then refused. */
function end (task: ProviderTask, reason: Closed, epoch: number, failure: Failure): ProviderStep {
  const current = epochOf(task)
  if (task.stage === 'closed' || epoch < current || (task.stage === 'offered' && epoch === current)) return still(task)
  return { task: { ...closed(task, reason, failure), epoch }, effects: task.stage === 'working' ? [{ type: 'abort', failure }] : [] }
}

function closed (task: ProviderTask, reason: Closed, failure?: Failure): ProviderTask & { stage: 'closed' } {
  const { taskId, capability, requester, bid, call } = task
  return { taskId, capability, requester, bid, call, stage: 'closed', reason, failure, epoch: epochOf(task) }
}

const overTime = ({ taskId, startedAt }: { taskId: string, startedAt: number }, at: number): Failure => ({ code: 'DEADLINE_EXCEEDED', taskId, afterMs: at - startedAt })
const failureOf = (outcome: Outcome): Failure | undefined => outcome.outcome === 'failed' ? outcome.failure : undefined
const still = (task: ProviderTask): ProviderStep => ({ task, effects: [] })
