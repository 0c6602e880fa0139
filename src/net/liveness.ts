/** Asks a silent channel now and then whether its other end is alive. */
import type { Clock } from '../core/ports.ts'
import { CHANNEL } from './limits.ts'

export interface LivenessParts {
  clock: Clock
  /** When something was last received. */
  heardAt: () => number
  /** Ask although it was not silent: the round trip is not known yet. */
  wanted: () => boolean
  ping: () => Promise<void>
  /** Two in a row stayed without answer, and nothing else came. */
  onDead: () => void
}

/** Returns the way to stop. */
export function keepAlive ({ clock, heardAt, wanted, ping, onDead }: LivenessParts): () => void {
  let stopped = false
  let missed = 0
  let cancel = next()

  function next (): () => void {
    return clock.after(CHANNEL.idleMs * (0.8 + Math.random() * 0.4), () => { void look() })
  }

  async function look (): Promise<void> {
    const before = heardAt()
    if (clock.now() - before < CHANNEL.idleMs * 0.8 && !wanted()) {
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
