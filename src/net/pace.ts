/** Messages of a protocol that others send as fast as they like, taken no faster from each peer than it is worth. */
import { setTimeout as wait } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { createBudget, type Budget } from './budget.ts'

export interface Pace {
  /** Messages of one peer: so many a second, and so many at once. */
  perSecond: number
  burst: number
  /** Peers that are remembered. One that is forgotten begins anew. */
  peers: number
}

/**
 * A handler that lets a peer wait which sends more than its share. Each stream is read one message at a time, so what it sends meanwhile
 * stays in its own buffers, and in those of its connection.
 * @param nameOf what peers are told apart by
 * @param now ms on a clock that is not set
 */
export function paced<P, M, R> (handle: (peer: P, message: M) => Promise<R>, nameOf: (peer: P) => string, { perSecond, burst, peers }: Pace, now: () => number = performance.now.bind(performance)): (peer: P, message: M) => Promise<R> {
  const budgets = new LRUCache<string, Budget>({ maxSize: peers, sizeCalculation: () => 1 })
  return async (peer, message) => {
    const name = nameOf(peer)
    const budget = budgets.get(name) ?? createBudget(perSecond, burst, now)
    budgets.set(name, budget)
    while (!budget.take()) await wait(budget.waitMs(1))
    return await handle(peer, message)
  }
}
