/** The load that every subject gets, in the process that asks: one piece of code for all, so that they differ in nothing else. */
import { createHistogram, performance } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { percentile } from './stats.ts'

export interface Load {
  /** Requests under way at any time. */
  inFlight: number
  /** Ends after so many ms, */
  ms?: number
  /** or after so many requests. */
  count?: number
  /** The same before, unmeasured, in ms. */
  warmUpMs: number
}

export interface Measured {
  count: number
  elapsedMs: number
  perSecond: number
  /** Of single requests, in µs. */
  p50Us: number
  p99Us: number
  maxUs: number
}

/** Of single times, in ms. */
export interface Spread {
  p50Ms: number
  p99Ms: number
}

export const spreadOf = (tookMs: readonly number[]): Spread => ({ p50Ms: percentile(tookMs, 0.5), p99Ms: percentile(tookMs, 0.99) })

/** A closed loop: each of `inFlight` lanes asks again as soon as it is answered. */
export async function closedLoop (ask: () => Promise<unknown>, { inFlight, ms = Infinity, count = Infinity, warmUpMs }: Load): Promise<Measured> {
  await run(ask, inFlight, warmUpMs, Infinity, () => undefined)
  const nanoseconds = createHistogram({ lowest: 1, highest: 60_000_000_000, figures: 3 })
  const begun = performance.now()
  const done = await run(ask, inFlight, ms, count, tookMs => { nanoseconds.record(Math.max(1, Math.round(tookMs * 1e6))) })
  const elapsedMs = performance.now() - begun
  return {
    count: done, elapsedMs, perSecond: done / elapsedMs * 1_000,
    p50Us: nanoseconds.percentile(50) / 1_000, p99Us: nanoseconds.percentile(99) / 1_000, maxUs: nanoseconds.max / 1_000
  }
}

async function run (ask: () => Promise<unknown>, inFlight: number, ms: number, count: number, record: (tookMs: number) => void): Promise<number> {
  const end = performance.now() + ms
  let begun = 0
  let done = 0
  const lane = async (): Promise<void> => {
    for (let at = performance.now(); at < end && begun < count;) {
      begun++
      await ask()
      const now = performance.now()
      record(now - at)
      done++
      at = now
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return done
}

/**
 * Tells `count` times as fast as it is taken; gives the moment of the first, of a clock that all processes share. It yields
 * now and then, as a program that does anything else would.
 */
export async function pour (tell: () => Promise<void> | undefined, count: number, flush?: () => Promise<void>): Promise<bigint> {
  const begun = process.hrtime.bigint()
  for (let i = 1; i <= count; i++) {
    const full = tell()
    if (full !== undefined) await full
    else if (i % TURN === 0) await turn()
  }
  await flush?.()
  return begun
}

/** Messages told in one turn of the event loop, at most. */
const TURN = 256

/** For callers whose every message has a promise: waits only when so many are not yet taken. */
export function windowed (tell: (payload: Buffer) => Promise<void>, size: number): { tell: (payload: Buffer) => Promise<void> | undefined, flush: () => Promise<void> } {
  let open = 0
  let failed: unknown
  let room: (() => void) | undefined
  const settle = (): void => {
    open--
    room?.()
  }
  const wait = (until: number): Promise<void> => new Promise((resolve, reject) => {
    const look = (): void => {
      if (failed !== undefined) reject(failed)
      else if (open > until) room = look
      else resolve()
    }
    look()
  })
  return {
    tell: payload => {
      open++
      tell(payload).then(settle, (error: unknown) => {
        failed = error
        settle()
      })
      return open >= size ? wait(size / 2) : undefined
    },
    flush: () => wait(0)
  }
}
