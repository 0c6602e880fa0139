/** Asks a silent channel now and then whether its other end is alive; again at once when there was no answer. */
import type { Clock } from '../core/ports.ts'

export interface LivenessParts {
  clock: Clock
  /** How long it may be silent until it is asked, in ms. */
  idleMs: () => number
  /** When something was last received. */
  heardAt: () => number
  /** Ask although it was not silent: the round trip is not known yet. */
  wanted: () => boolean
  ping: () => Promise<void>
  /** Two in a row stayed without answer, and nothing else came. */
  onDead: () => void
}

/** Returns the way to stop. */
export function keepAlive ({ clock, idleMs, heardAt, wanted, ping, onDead }: LivenessParts): () => void {
  let stopped = false
  let missed = 0
  let cancel = next()

  function next (): () => void {
    return clock.after(missed > 0 ? 0 : idleMs() * (0.8 + Math.random() * 0.4), () => { void look() })
  }

  async function look (): Promise<void> {
    const before = heardAt()
    if (missed === 0 && clock.now() - before < idleMs() * 0.8 && !wanted()) {
      missed = 0
    } else {
      try {
        await ping()
        missed = 0
      } catch {
        missed = heardAt() === before ? missed + 1 : 0
      }
    }
    if (stopped) return
    if (missed >= 2) onDead()
    else cancel = next()
  }

  return () => {
    stopped = true
    cancel()
  }
}
