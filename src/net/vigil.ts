/**
 * Staying awake where the next message is about to come. A thread that sleeps in its event loop lets its core
 * go to sleep, and waking it costs both ends of a conversation more (40 to 75 µs on a virtual machine) than the message; and who is
 * woken while its core has other work for a moment is put on the core of its peer, where each waits for the other for a tick or two of the kernel.
 * So where messages follow one another closely, the loop looks again and again before it sleeps, for long
 * enough to outlast a collection of garbage at the other end: what others do by busy polling in the network stack. All in all it
 * costs no more than it has saved (Karlin et al., Competitive Randomized Algorithms for Nonuniform Problems, 1994), and where nothing comes of it,
 * because the peer takes long or has no core of its own, it stops by itself.
 */
import { VIGIL } from './limits.ts'

/**
 * @param now a clock that never goes back, in ms with fractions
 * @param nextTurn runs something in the next turn of the event loop, which does not sleep before
 * @returns is to be called when messages have come. `crowded`: several at a time, so the next one does not hang on this end being awake
 */
export function createVigil (now: () => number = () => performance.now(), nextTurn: (run: () => void) => void = setImmediate): (crowded?: boolean) => void {
  /** When the last one came, */
  let last = -Infinity
  /** and for how long it has looked since then with nothing to do, in ms. */
  let idle = 0
  let lookedAt = 0
  /** Messages in a row that came soon. */
  let close = 0
  /** What waiting in vain may still cost, in ms. */
  let credit: number = VIGIL.mostCreditMs
  let restUntil = -Infinity
  let restMs: number = VIGIL.restMs
  let looking = false
  let patienceMs: number = VIGIL.forMs

  function look (): void {
    const turnEnds = now() + VIGIL.turnMs
    let at = now()
    while (at < turnEnds) at = now()
    idle += Math.min(at - lookedAt, VIGIL.longestIdleTurnMs)
    lookedAt = at
    if (at >= restUntil && idle < patienceMs) {
      nextTurn(look)
      return
    }
    looking = false
    if (at >= restUntil) spend(at)
  }

  function earn (): void {
    credit = Math.min(credit + VIGIL.savesMs, VIGIL.mostCreditMs)
    if (credit === VIGIL.mostCreditMs) restMs = VIGIL.restMs
  }

  function spend (at: number): void {
    credit -= idle
    if (credit > 0) return
    restUntil = at + restMs
    restMs = Math.min(restMs * 2, VIGIL.longestRestMs)
    credit = VIGIL.forMs
  }

  return (crowded = false) => {
    const at = now()
    close = at - last < VIGIL.closeMs ? close + 1 : 0
    last = at
    if (looking) {
      if (idle < VIGIL.soonMs) earn()
      else spend(at)
    } else if (close >= VIGIL.close && at >= restUntil) {
      looking = true
      lookedAt = at
      nextTurn(look)
    }
    idle = 0
    patienceMs = crowded ? VIGIL.soonMs : VIGIL.forMs
  }
}

/** The one of this process: it has one event loop. */
export const heard = createVigil()
