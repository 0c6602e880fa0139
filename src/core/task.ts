/** The nouns of a task: what was asked, what was offered, what its owner sees. */
import type { Failure } from './errors.ts'
import type { Standing } from './reputation.ts'
import type { SlaTerms } from './sla.ts'
import type { Lineage } from './lineage.ts'

/** What was asked for. Never changes, but for the deadline when its owner takes a bid that needs longer. */
export interface TaskSpec extends Lineage {
  taskId: string
  requester: string
  /** Name, perhaps with a version: `data.revenue.aggregate@1`. */
  capability: string
  createdAt: number
  deadlineAt: number
  /** For everything: the provider's cost and what its delegations come to. */
  maxCost?: number
  /** Silence of a provider that ends its contract, in ms. */
  leaseMs: number
  /** How long bids are taken when not everybody who could bid has answered, in ms. */
  bidWindowMs: number
  /** How often it is announced before it fails. */
  maxRounds: number
  /** Only this agent may do it. */
  to?: string
  /** Terms of service that its provider has to agree to. */
  sla?: SlaTerms
  /** Its owner sees the bids before they are ranked, and may answer them with other terms; see core/counter.ts. */
  counters?: true
  /** How its bids are ranked, when its owner chose one of our policies by name; see core/policy.ts. */
  policy?: string
  /** Where its requester is, when it says so. */
  region?: string
  /** The job that it is an attempt of: one handler is started for it, and no other after that. */
  jobId?: string
  /** Goes with the award: providers do work with the same key once. */
  idempotencyKey?: string
  inputHash: string
}

export interface Bid {
  /** The message id of the bid. */
  id: string
  /** The message id of the announcement that it answers. Absent in logs of before it was looked at. */
  call?: string
  provider: string
  /** The peer that sent it. */
  peer: string
  round: number
  /** In the requester's cost units. */
  cost: number
  /** What the provider promises. Absent: it promises nothing. */
  durationMs?: number
  /** 0 to 1. */
  confidence: number
  /** 0 to 1: how busy the provider is. */
  load: number
  /** Round trip to the provider, where it was measured. */
  rttMs?: number
  /** Where the provider says it is, in its advert. */
  region?: string
  /** How the provider stood with the requester when it chose. */
  standing?: Standing
  /** Its bidder has read the terms of service that are asked for, and agrees. */
  agrees?: true
  /** Its bidder says that its terms are beyond what was asked for, */
  counter?: true
  /** and the owner of the task takes it all the same. */
  taken?: true
  /** When it ends to stand, by the requester's clock. */
  expiresAt: number
}

/** A bid with the place that the policy gave it, and why. */
export interface RankedBid {
  bid: Bid
  /** 0 to 1, higher is better. */
  score: number
  /** One line for people: what spoke for and against it. */
  reason: string
}

/**
 * What the owner of a task sees of its life, in this order. `a2a-node run --json` prints exactly these. `seq` counts them, from 1 and
 * without gaps, for each task; an event has the same one whoever reads it, and after a restart. It is on disk before it is told.
 */
export type TaskEvent = { taskId: string, seq: number, at: number } & (
  | { event: 'announced', round: number, capability: string, asked: number }
  | { event: 'bid', provider: string, cost: number, durationMs?: number, confidence: number, load: number, round: number, counter?: true }
  /** Its owner has answered a bid with other terms, the first time or the second, */
  | { event: 'countered', provider: string, turn: number, cost?: number, durationMs?: number }
  /** and this is the bid that stands now: `revised`, or as it was. */
  | { event: 'answered', provider: string, turn: number, revised: boolean, cost: number, durationMs?: number, confidence: number }
  | { event: 'passed', provider: string, reason: string }
  | { event: 'awarded', provider: string, epoch: number, reason: string, standby: string[] }
  | { event: 'accepted', provider: string, epoch: number }
  | { event: 'progress', provider: string, epoch: number, fraction?: number, note?: string }
  | { event: 'artifact', provider: string, epoch: number, name: string, mediaType: string, data: Uint8Array, append: boolean, last: boolean }
  | { event: 'input-required', provider: string, epoch: number, prompt: string, schema?: Record<string, unknown> }
  | { event: 'moved', provider: string, epoch: number, failure: Failure }
  | { event: 'fenced', provider: string, epoch: number, what: string }
  /** Of a job in the queue: `attempt` of `most` is over, or, with the number of the one before, nobody took it up. It is tried again. */
  | { event: 'retrying', attempt: number, most: number, failure: Failure }
  | { event: 'result', provider: string, epoch: number, output: unknown, cost: number, spent?: number, durationMs: number, receipt: ReceiptFacts }
  | { event: 'failed', failure: Failure }
)

/** What a receipt says, for people. The signed statements are in the event log; `a2a-node contract show` verifies them. */
export interface ReceiptFacts {
  /** SHA-256 of the provider's signed statement, base64url. */
  hash: string
  provider: string
  requester: string
  inputHash: string
  outputHash?: string
  /** What was taken off the cost because it was late. */
  penalty?: number
  /** What the requester answered. Absent: nothing, or nothing that holds. */
  accepted?: boolean
  /** Both signatures were checked and hold. */
  verified: boolean
}

/** What a provider states about a contract that has ended. */
export interface Settlement {
  taskId: string
  capability: string
  epoch: number
  requester: string
  outcome: 'completed' | 'failed'
  /** Code of the failure. */
  failure?: string
  /** SHA-256 of the award's statement, base64url; the others likewise, of input and output. */
  contractHash: string
  inputHash: string
  outputHash?: string
  /** In the requester's cost units. */
  cost: number
  /** What was taken off the cost because it was late, likewise. */
  penalty?: number
  /** What the delegations of the work came to, likewise. */
  spent?: number
  durationMs: number
  /** Milliseconds since the epoch. */
  endedAt: number
}
