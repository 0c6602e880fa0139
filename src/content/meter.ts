/** Progress with its rate over the last seconds, and the time left at that rate. */
import type { ContentProgress } from '../core/content.ts'
import type { Clock } from '../core/ports.ts'

/** What the rate is taken over, in ms, and how often progress is told. */
const WINDOW_MS = 3_000
const TELL_MS = 100

export interface Meter {
  add: (bytes: number) => void
  /** Tells the last of it. */
  end: () => void
}

/** @param begun bytes that were there before, which say nothing about the rate */
export function createMeter (clock: Clock, tell: ((progress: ContentProgress) => void) | undefined, total?: number, begun = 0): Meter {
  const marks: Array<{ at: number, bytes: number }> = [{ at: clock.now(), bytes: begun }]
  let bytes = begun
  let toldAt = 0

  function report (now: number): void {
    toldAt = now
    while (marks.length > 2 && now - (marks[1]?.at ?? now) > WINDOW_MS) marks.shift()
    const first = marks[0] ?? { at: now, bytes }
    marks.push({ at: now, bytes })
    const bytesPerSecond = Math.round((bytes - first.bytes) * 1_000 / Math.max(1, now - first.at))
    tell?.({ bytes, total, bytesPerSecond, leftMs: total === undefined || bytesPerSecond === 0 ? undefined : Math.round((total - bytes) * 1_000 / bytesPerSecond) })
  }

  return {
    add (more) {
      bytes += more
      const now = clock.now()
      if (tell !== undefined && now - toldAt >= TELL_MS) report(now)
    },
    end: () => { if (tell !== undefined) report(clock.now()) }
  }
}
