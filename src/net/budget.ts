/** A token bucket: so many a second, so many at once. */
export interface Budget {
  /** Takes one; false when there is none. */
  take: () => boolean
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
    take () {
      refill()
      if (tokens < 1) return false
      tokens--
      return true
    },
    waitMs (count) {
      refill()
      return Math.max(0, Math.ceil((count - tokens) * 1_000 / perSecond))
    }
  }
}
