/**
 * Staying awake for a moment where the next message is about to come. A thread that sleeps in its event loop lets its core
 * go to sleep, and waking it costs both ends of a conversation more (40 to 75 µs on a virtual machine) than the message. So where messages
 * follow one another closely, the loop looks again and again for a short time before it sleeps: what others do by
 * busy polling in the network stack, and no longer than sleeping would have cost (Karlin et al., Competitive
 * Randomized Algorithms for Nonuniform Problems, 1994). It stops by itself where nothing comes of it: the peer takes long, or has no core of its own.
 */
import { VIGIL } from './limits.ts'

export interface Vigil {
  /** A message has come. */
  heard: () => void
  /** A message leaves, which may be answered. */
  said: () => void
}

/**
 * @param now a clock that never goes back, in ms with fractions
 * @param nextTurn runs something in the next turn of the event loop, which does not sleep before
 */
export function createVigil (now: () => number = () => performance.now(), nextTurn: (run: () => void) => void = setImmediate): Vigil {
  /** When something was heard or said last. */
  let last = -Infinity
  /** Messages in a row that came soon after the one before. */
  let close = 0
  /** Vigils in a row that ended with nothing heard. */
  let missed = 0
  let restUntil = -Infinity
  let restMs: number = VIGIL.restMs
  let looking = false

  function look (): void {
    const turnEnds = now() + VIGIL.turnMs
    let at = now()
    while (at < turnEnds) at = now()
    if (at - last < VIGIL.forMs) nextTurn(look)
    else {
      looking = false
      if (++missed >= VIGIL.misses) rest(at)
    }
  }

  function rest (at: number): void {
    missed = 0
    restUntil = at + restMs
    restMs = Math.min(restMs * 2, VIGIL.longestRestMs)
  }

  function start (): void {
    if (looking || close < VIGIL.close || last < restUntil) return
    looking = true
    nextTurn(look)
  }

  return {
    heard () {
      const at = now()
      close = at - last < VIGIL.closeMs ? close + 1 : 0
      last = at
      if (looking) {
        missed = 0
        restMs = VIGIL.restMs
      }
      start()
    },
    said () {
      last = now()
      start()
    }
  }
}

/** The one of this process: it has one event loop. */
export const vigil = createVigil()
