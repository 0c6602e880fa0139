/**
 * The terms of service that are agreed on beside cost and time: how often progress is shown, and what a late result costs its provider.
 * Both sides sign them with the award, and both come to the same price by what the receipt says.
 */
export interface SlaTerms {
  /** Progress is shown at least this often, in ms, from the acceptance on: a heartbeat is none. */
  progressEveryMs?: number
  /** This share of the cost, from 0 to 1, is taken off when the work took longer than was promised. */
  latePenalty?: number
}

/** What a contract says of its price and service. */
export interface ContractTerms extends SlaTerms {
  /** In the requester's cost units. */
  cost: number
  /** What was promised. Absent: nothing. */
  durationMs?: number
}

/** A promised duration is breached after this many times as long. */
export const SLA_FACTOR = 5

/** How long a provider that promised `durationMs` may take before the work is taken away. */
export const slaMs = ({ leaseMs }: { leaseMs: number }, durationMs: number): number => Math.max(leaseMs, SLA_FACTOR * durationMs)

/** When the next sign of progress is due. `undefined`: none was agreed on. */
export const progressDueAt = ({ sla }: { sla?: SlaTerms }, at: number): number | undefined =>
  sla?.progressEveryMs === undefined ? undefined : at + sla.progressEveryMs

/** What is taken off the cost of work that took so long. 0 when nothing was promised, or agreed. */
export const penaltyOf = ({ cost, durationMs = Infinity, latePenalty = 0 }: ContractTerms, tookMs: number): number =>
  tookMs > durationMs ? cost * latePenalty : 0

/** What is left of the cost. */
export const costAfter = (terms: ContractTerms, tookMs: number): number => terms.cost - penaltyOf(terms, tookMs)

/** Whether two say the same. */
export const sameSla = (a: SlaTerms = {}, b: SlaTerms = {}): boolean =>
  a.progressEveryMs === b.progressEveryMs && a.latePenalty === b.latePenalty
