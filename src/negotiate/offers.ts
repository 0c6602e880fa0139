/** What a requester asks for, and puts its name to: the task, the call for proposals, and the award. */
import { hopsLeft, MAX_DEPTH, type Lineage } from '../core/lineage.ts'
import { slaMs } from '../core/requester.ts'
import { compose, type Author } from '../wire/compose.ts'
import { signEnvelope } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import type { DelegateOptions } from '../core/agent.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Signer } from '../core/ports.ts'
import type { Bid, TaskSpec } from '../core/task.ts'

/** Who signs, and where the answers are to go. */
export interface Sender {
  author: Author
  signer: Signer
  peerId: string
  addresses: string[]
}

/** Addresses in one message, and agents excluded by name: a message is small, or it is not read. */
const MAX_ADDRESSES = 16
const MAX_EXCLUDED = 32

const DEFAULTS = { maxDurationMs: 60_000, leaseMs: 5_000, bidWindowMs: 500, maxRounds: 3 }

export interface Wanted {
  taskId: string
  capability: string
  input: Uint8Array
  maxCost?: number
  options: DelegateOptions
  lineage: Lineage
}

/** The task that is asked for, from now on. */
export function specOf ({ taskId, capability, input, maxCost, options, lineage }: Wanted, { agentId, now }: Author): TaskSpec {
  const { maxDurationMs, leaseMs, bidWindowMs, maxRounds } = { ...DEFAULTS, ...definedOf(options) }
  const { depth, deepest = MAX_DEPTH - 1 } = lineage
  const createdAt = now()
  return {
    taskId, requester: agentId, capability, createdAt,
    deadlineAt: createdAt + maxDurationMs, maxCost, leaseMs, bidWindowMs, maxRounds,
    to: options.to, ...lineage, deepest: Math.min(deepest, depth + Math.max(0, Math.trunc(options.maxDepth ?? MAX_DEPTH))), inputHash: hashOf(input)
  }
}

/** The options that were given: `undefined` means the default. */
const definedOf = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>

/** What goes along with a task, on every message that hands it on. */
const lineageFields = (spec: TaskSpec): Pick<Envelope, 'depth' | 'visited' | 'hopsLeft' | 'traceparent'> =>
  ({ depth: spec.depth, visited: spec.visited, hopsLeft: hopsLeft(spec), traceparent: spec.traceparent })

/** A signed `task.announce`: what is needed, not the payload. */
export function composeCall (spec: TaskSpec, round: number, { inputBytes, excluded, maxCost }: { inputBytes: number, excluded: string[], maxCost?: number }, { author, signer, peerId, addresses }: Sender): Envelope {
  const remainingMs = Math.max(0, spec.deadlineAt - author.now())
  const { taskId, capability, bidWindowMs } = spec
  return signEnvelope(compose('task.announce', {
    capability, round,
    closes_in_ms: bidWindowMs,
    max_cost: maxCost,
    max_duration_ms: remainingMs,
    input_bytes: inputBytes,
    peer_id: peerId,
    endpoints: addresses.slice(0, MAX_ADDRESSES),
    exclude: excluded.slice(-MAX_EXCLUDED)
  }, author, { correlationId: taskId, task: capability, remainingMs, ...lineageFields(spec) }), signer)
}

/**
 * A signed `task.award`: the requester's half of the contract. The input travels beside it, by its hash.
 * @param maxCost for the provider's cost and its delegations together
 */
export function composeAward (spec: TaskSpec, bid: Bid, { epoch, maxCost }: { epoch: number, maxCost?: number }, { author, signer, peerId, addresses }: Sender): Envelope {
  const { taskId, capability, leaseMs, inputHash, deadlineAt } = spec
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
  }, author, { correlationId: taskId, to: bid.provider, task: capability, epoch, remainingMs: Math.max(0, deadlineAt - author.now()), remainingCost: maxCost, ...lineageFields(spec) }), signer)
}
