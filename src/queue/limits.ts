/** Bounds of one agent's background queue. Times in ms. */
export const QUEUE = {
  /** Jobs that wait or run. A further one is refused with OVERLOADED. */
  open: 10_000,
  /** Attempts under way at once, and of one capability among them. The others wait. */
  running: 64,
  runningOfOne: 16,
  /** Dead letters. Beyond, the oldest is dropped with a warning; its history stays in the log. */
  dead: 1_000,
  maxAttempts: 5,
  mostAttempts: 100,
  /** A job ends with EXPIRED after this, when it does not say. */
  lifeMs: 7 * 86_400_000,
  /** An idempotency key gives the same job for so long after that has ended. */
  horizonMs: 86_400_000,
  keyLength: 128,
  /** Before an attempt, somebody who offers the capability is looked for so long. */
  lookMs: 1_000,
  /** When nobody offers a capability, or nobody bids, its jobs rest: at first at most so long, then doubled up to the second. */
  restMs: 500,
  mostRestMs: 10_000,
  /** When the disk refused what became of an attempt, it is tried again after this. */
  retryMs: 500
} as const
