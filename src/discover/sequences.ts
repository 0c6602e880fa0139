/**
 * Sequence numbers of this node's own adverts: the time, but never below one that was used, whatever became of the clock or
 * of the process. Kept on disk a stretch ahead, so that not every advert waits for it.
 */
import type { Clock, Logger, Values } from '../core/ports.ts'
import { messageOf } from '../core/errors.ts'

export interface Sequences {
  /** Resolves when the next one may be used: it stays used after a crash too. */
  ready: (agentId: string) => Promise<void>
  next: (agentId: string) => number
  /** The next one is above this. */
  raise: (agentId: string, above: number) => void
  /** Keeps exactly what was used. */
  close: () => Promise<void>
}

/** So many ms of numbers are reserved with one write. */
const STRETCH = 600_000

export interface SequencesParts {
  values: Pick<Values, 'get' | 'set'>
  clock: Clock
  logger: Logger
  /** What was heard of an agent; -1 when nothing was. */
  heard: (agentId: string) => number
}

export function createSequences ({ values, clock, logger, heard }: SequencesParts): Sequences {
  const used = new Map<string, number>()
  const reserved = new Map<string, number>()

  const lastOf = (agentId: string): number => {
    const known = used.get(agentId)
    if (known !== undefined) return known
    const kept = Number(Buffer.from(values.get(keyOf(agentId)) ?? []).toString() || -1)
    const last = Number.isSafeInteger(kept) ? kept : -1
    used.set(agentId, last)
    return last
  }
  const upcoming = (agentId: string): number => Math.max(clock.now(), lastOf(agentId) + 1, heard(agentId) + 1)

  async function keep (agentId: string, sequence: number): Promise<void> {
    try {
      await values.set(keyOf(agentId), Buffer.from(String(sequence)))
      reserved.set(agentId, sequence)
    } catch (error) {
      // Others may refuse its adverts if the clock goes back before the next start. That is no reason to say none.
      logger.warn('the sequence number of an agent could not be kept', { agentId, why: messageOf(error) })
    }
  }

  return {
    ready: async agentId => {
      const next = upcoming(agentId)
      if (next >= (reserved.get(agentId) ?? -1)) await keep(agentId, next + STRETCH)
    },
    next: agentId => {
      const sequence = upcoming(agentId)
      used.set(agentId, sequence)
      return sequence
    },
    raise: (agentId, above) => { used.set(agentId, Math.max(lastOf(agentId), above)) },
    close: async () => { await Promise.all([...reserved.keys()].map(agentId => keep(agentId, lastOf(agentId)))) }
  }
}

const keyOf = (agentId: string): string => `discover/sequence/${agentId}`
