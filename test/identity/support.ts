/** Fixed keys and a clock that tests move by hand. */
import { createSigner, type RotatingSigner, type SignerParts } from '../../src/identity/signer.ts'
import { keyOfSeed } from '../../src/identity/keys.ts'
import type { Clock } from '../../src/core/ports.ts'
import type { KeyObject } from 'node:crypto'

export const PEER = '12D3KooWQJqAAoKh8NSxVSs7QDxUKcAaK1CpL4mAmXnnzWoTKYCX'
export const START = Date.UTC(2026, 0, 2, 3, 4, 5)

export interface ManualClock extends Clock {
  /** Moves on, running what falls due, in order. */
  advance: (ms: number) => void
  /** Jumps without running timers, as the clock of a machine that slept. */
  jump: (ms: number) => void
  pending: () => number
}

export function manualClock (start = START): ManualClock {
  let now = start
  const timers = new Set<{ at: number, run: () => void }>()
  return {
    now: () => now,
    after (ms, run) {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => { timers.delete(timer) }
    },
    advance (ms) {
      const end = now + ms
      for (;;) {
        const [next] = [...timers].filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.run()
      }
      now = end
    },
    jump (ms) { now += ms },
    pending: () => timers.size
  }
}

/** The same key for the same number, always. */
export const rootKey = (number: number): KeyObject => keyOfSeed(new Uint8Array(32).fill(number))

export const signerOf = (number: number, parts: Partial<SignerParts> = {}): RotatingSigner =>
  createSigner({ root: rootKey(number), peerId: PEER, clock: manualClock(), ...parts })

/** For assert.throws and assert.rejects: the error with this code. */
export const withCode = (code: string, why = /./) => (error: unknown): boolean => {
  const failure = (error as { failure?: { code: string, why?: string } }).failure
  return failure?.code === code && why.test(failure.why ?? '-')
}
