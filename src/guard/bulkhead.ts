/**
 * The slots of a capability among its callers. One caller may have them all, but not while others wait: then who has an equal
 * share takes no more, unless there is one left for each that waits. So whoever waits gets the next slot that ends.
 */
import { LRUCache } from 'lru-cache'
import type { Failure } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'

export interface Bulkhead {
  /**
   * Why a caller must not take one more slot: an OVERLOADED. It counts as waiting then, until it has one or has not asked for a while.
   * @param holders the callers of the slots that are taken, one entry a slot
   */
  refusal: (caller: string, holders: readonly string[]) => Failure | undefined
}

/** Who was refused is waited for so long, in ms: a task is announced again within 1 s. */
const WAITS_MS = 1_000
/** Callers that may wait; the one that asked first is forgotten. */
const MAX_WAITING = 256

export function createBulkhead (limit: number, clock: Pick<Clock, 'now'>): Bulkhead {
  /** When each that waits asked last. */
  const waiting = new LRUCache<string, number>({ maxSize: MAX_WAITING, sizeCalculation: () => 1 })

  return {
    refusal: (caller, holders) => {
      const now = clock.now()
      const others = new Set([...waiting.entries()].filter(([other, askedAt]) => other !== caller && now - askedAt < WAITS_MS).map(([other]) => other))
      const own = holders.filter(holder => holder === caller).length
      const free = limit - holders.length
      const share = shareOf(limit, new Set([...holders, ...others, caller]).size)
      if (free > (own < share ? 0 : others.size)) {
        waiting.delete(caller)
        return undefined
      }
      waiting.set(caller, now)
      return free > 0
        ? { code: 'OVERLOADED', what: 'tasks of one caller while others wait', limit: share }
        : { code: 'OVERLOADED', what: 'tasks at work or waiting', limit }
    }
  }
}

const shareOf = (limit: number, callers: number): number => Math.max(1, Math.ceil(limit / callers))
