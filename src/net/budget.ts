/** A token bucket: so many a second, so many at once. */
export interface Budget {
  /** Takes one, or `count`; false when there are not so many, and then all there are. */
  take: (count?: number) => boolean
  /** Milliseconds until `count` can be taken at once. */
  waitMs: (count: number) => number
}

export function createBudget (perSecond: number, burst: number, now: () => number): Budget {
  let tokens = burst
  let at = now()

  function refill (): void {
    const time = now()
    // A clock set back gives nothing and takes nothing.
    tokens = Math.min(burst, tokens + Math.max(0, time - at) * perSecond / 1_000)
    at = time
  }

  return {
    take (count = 1) {
      // The clock is asked only when it matters: this is on the way of every message.
      if (tokens < count) refill()
      const enough = tokens >= count
      tokens = enough || count === 1 ? tokens - Number(enough) * count : 0
      return enough
    },
    waitMs (count) {
      if (tokens < count) refill()
      return Math.max(0, Math.ceil((count - tokens) * 1_000 / perSecond))
    }
  }
}
