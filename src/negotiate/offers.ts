/** What a requester puts its name to: the call for proposals, and the award; and the bids between them. */
import { hopsLeft } from '../core/lineage.ts'
import { slaMs } from '../core/sla.ts'
import type { RequesterTask } from '../core/requester.ts'
import { compose, payloadOf, type Author } from '../wire/compose.ts'
import { signEnvelope } from '../wire/envelope.ts'
import type { SlaTerms } from '../core/sla.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Signer } from '../core/ports.ts'
import type { Bid, TaskSpec } from '../core/task.ts'

/** Who signs, and where the answers are to go. */
export interface Sender {
  author: Author
  signer: Signer
  peerId: string
  addresses: string[]
  /** By the clock that deadlines are of; the author's may be set in between. */
  now: number
}

/** Addresses in one message, and agents excluded by name: a message is small, or it is not read. */
const MAX_ADDRESSES = 16
const MAX_EXCLUDED = 32

/** What goes along with a task, on every message that hands it on. */
const lineageFields = (spec: TaskSpec): Pick<Envelope, 'depth' | 'visited' | 'hopsLeft' | 'traceparent'> =>
  ({ depth: spec.depth, visited: spec.visited, hopsLeft: hopsLeft(spec), traceparent: spec.traceparent })

/** Terms of service, as messages have them. */
const slaFields = ({ progressEveryMs, latePenalty }: SlaTerms = {}): { progress_ms?: number, late_penalty?: number } =>
  ({ ...(progressEveryMs !== undefined && { progress_ms: progressEveryMs }), ...(latePenalty !== undefined && { late_penalty: latePenalty }) })

/** The same, read again. `undefined`: there are none. */
export const readSla = ({ progress_ms: progressEveryMs, late_penalty: latePenalty }: { progress_ms?: number, late_penalty?: number } = {}): SlaTerms | undefined =>
  progressEveryMs === undefined && latePenalty === undefined ? undefined : { ...(progressEveryMs !== undefined && { progressEveryMs }), ...(latePenalty !== undefined && { latePenalty }) }

/** A signed `task.announce`: what is needed, not the payload. */
export function composeCall (spec: TaskSpec, round: number, { inputBytes, excluded, maxCost }: { inputBytes: number, excluded: string[], maxCost?: number }, { author, signer, peerId, addresses, now }: Sender): Envelope {
  const remainingMs = Math.max(0, spec.deadlineAt - now)
  const { taskId, capability, bidWindowMs } = spec
  return signEnvelope(compose('task.announce', {
    capability, round,
    closes_in_ms: bidWindowMs,
    max_cost: maxCost,
    max_duration_ms: remainingMs,
    input_bytes: inputBytes,
    sla: spec.sla && slaFields(spec.sla),
    peer_id: peerId,
    endpoints: addresses.slice(0, MAX_ADDRESSES),
    exclude: excluded.slice(-MAX_EXCLUDED)
  }, author, { correlationId: taskId, task: capability, remainingMs, ...lineageFields(spec) }), signer)
}

/**
 * A signed `task.award`: the requester's half of the contract. The input travels beside it, by its hash.
 * @param maxCost for the provider's cost and its delegations together
 */
export function composeAward (spec: TaskSpec, bid: Bid, { epoch, maxCost }: { epoch: number, maxCost?: number }, { author, signer, peerId, addresses, now }: Sender): Envelope {
  const { taskId, capability, leaseMs, inputHash, deadlineAt, idempotencyKey } = spec
  return signEnvelope(compose('task.award', {
    capability,
    bid_id: bid.id,
    input_hash: inputHash,
    requester_peer: peerId,
    endpoints: addresses.slice(0, MAX_ADDRESSES),
    terms: {
      cost: bid.cost,
      duration_ms: bid.durationMs,
      sla_ms: bid.durationMs === undefined ? undefined : slaMs(spec, bid.durationMs),
      lease_ms: leaseMs,
      ...slaFields(spec.sla),
      fallback: 'next-bidder'
    }
  }, author, { correlationId: taskId, to: bid.provider, task: capability, epoch, remainingMs: Math.max(0, deadlineAt - now), remainingCost: maxCost, idempotencyKey, ...lineageFields(spec) }), signer)
}

/**
 * A bid as it came from `peer`. How long it stands is counted from the announcement that it answers, for it was made after that:
 * one that was held back on its way is not good for longer than its maker said.
 */
export function readBid (envelope: Envelope, peer: string, { at, task, rttMs }: { at: number, task?: RequesterTask, rttMs?: number }): Bid {
  const { round, cost, duration_ms: durationMs, confidence, load, valid_ms: validMs, counter, agrees } = payloadOf(envelope, 'task.bid')
  const calledAt = task?.stage === 'announced' && task.closesAt !== undefined ? task.closesAt - task.spec.bidWindowMs : at
  return { id: envelope.messageId, call: envelope.causationId, provider: envelope.from, peer, round, cost, durationMs, confidence, load, rttMs, ...(counter === true && { counter }), ...(agrees === true && { agrees }), expiresAt: calledAt + validMs }
}
