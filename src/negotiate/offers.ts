/** What a requester puts its name to: the call for proposals, and the award. */
import { slaMs } from '../core/requester.ts'
import { compose, type Author } from '../wire/compose.ts'
import { signEnvelope } from '../wire/envelope.ts'
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

/** A signed `task.announce`: what is needed, not the payload. */
export function composeCall (spec: TaskSpec, round: number, { inputBytes, excluded }: { inputBytes: number, excluded: string[] }, { author, signer, peerId, addresses, now }: Sender): Envelope {
  const remainingMs = Math.max(0, spec.deadlineAt - now)
  const { taskId, capability, bidWindowMs, maxCost, depth, visited } = spec
  return signEnvelope(compose('task.announce', {
    capability, round,
    closes_in_ms: bidWindowMs,
    max_cost: maxCost,
    max_duration_ms: remainingMs,
    input_bytes: inputBytes,
    peer_id: peerId,
    endpoints: addresses.slice(0, MAX_ADDRESSES),
    exclude: excluded.slice(-MAX_EXCLUDED)
  }, author, { correlationId: taskId, task: capability, remainingMs, depth, visited }), signer)
}

/** A signed `task.award`: the requester's half of the contract. The input travels beside it, by its hash. */
export function composeAward (spec: TaskSpec, bid: Bid, epoch: number, { author, signer, peerId, addresses, now }: Sender): Envelope {
  const { taskId, capability, leaseMs, inputHash, deadlineAt, maxCost, depth, visited } = spec
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
      fallback: 'next-bidder'
    }
  }, author, { correlationId: taskId, to: bid.provider, task: capability, epoch, remainingMs: Math.max(0, deadlineAt - now), remainingCost: maxCost, depth, visited }), signer)
}
