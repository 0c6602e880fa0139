/** Rows of a node's status. */

/** A circuit breaker that is open, or has counted failures since the last success. */
export interface BreakerRow {
  /** `peer`: an agent that work is given to. `capability`: a handler of our own. `adapter`: what handlers call. */
  of: 'peer' | 'capability' | 'adapter'
  name: string
  /** `open`: not called. `half-open`: one call is under way, which decides. */
  state: 'closed' | 'open' | 'half-open'
  /** In a row; the fifth opens it. */
  failures: number
  /** Until it is tried again, in ms; 0 when the next call is a trial. Only of one that is open. */
  retryMs?: number
  /** What the last failure said. */
  last?: string
}

/** How many handlers of a capability are at work, of how many, and for how many callers. */
export interface SlotsRow { capability: string, taken: number, limit: number, callers: number }
