/** Messages of a protocol that others send as fast as they like, taken no faster from each peer than it is worth; and our own, no more at once than a peer takes. */
import { setTimeout as wait } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import { createBudget, type Budget } from './budget.ts'

export interface Pace {
  /** Messages of one peer: so many a second, and so many at once. */
  perSecond: number
  burst: number
  /** Peers that are remembered. One that is forgotten begins anew. */
  peers: number
  /** Messages of all peers together, each of which has one in line: identities cost nothing. */
  ofAll: { perSecond: number, burst: number }
}

/**
 * A handler that lets a peer wait which sends more than its share, and all where they send more than there is time for. Each stream is read one message at a time, so what it sends meanwhile
 * stays in its own buffers, and in those of its connection.
 * @param nameOf what peers are told apart by
 * @param now ms on a clock that is not set
 */
export function paced<P, M, R> (handle: (peer: P, message: M) => Promise<R>, nameOf: (peer: P) => string, { perSecond, burst, peers, ofAll }: Pace, now: () => number = performance.now.bind(performance)): (peer: P, message: M) => Promise<R> {
  const lanes = new LRUCache<string, { budget: Budget, last: Promise<void> }>({ maxSize: peers, sizeCalculation: () => 1 })

  const budgetOfAll = createBudget(ofAll.perSecond, ofAll.burst, now)
  let lastOfAll = Promise.resolve()

  const taken = async (budget: Budget, before: Promise<void>): Promise<void> => {
    await before
    while (!budget.take()) await wait(budget.waitMs(1))
  }

  return async (peer, message) => {
    const name = nameOf(peer)
    const lane = lanes.get(name) ?? { budget: createBudget(perSecond, burst, now), last: Promise.resolve() }
    lanes.set(name, lane)
    // In the order they came: what is never answered would else be overtaken by what is, and its streams would add up.
    lane.last = taken(lane.budget, lane.last).then(() => lastOfAll = taken(budgetOfAll, lastOfAll))
    await lane.last
    return await handle(peer, message)
  }
}

/** So many at once of each name; the others wait for their turn, in the order they came. Resolves with what ends a turn. */
export function createLanes (atOnce: number): (name: string) => Promise<() => void> {
  const lanes = new Map<string, { busy: number, waiting: Array<() => void> }>()
  return async name => {
    const lane = lanes.get(name) ?? { busy: 0, waiting: [] }
    lanes.set(name, lane)
    if (lane.busy >= atOnce) await new Promise<void>(resolve => { lane.waiting.push(resolve) })
    else lane.busy++
    return () => {
      const next = lane.waiting.shift()
      if (next !== undefined) next()
      else if (--lane.busy === 0) lanes.delete(name)
    }
  }
}

/**
 * Sends to each peer so many messages at once, and the next when one of them is answered: those beyond what a peer takes would be lost.
 * @param nameOf what peers are told apart by
 */
export function bounded<P, R extends unknown[], T> (send: (peer: P, ...rest: R) => AsyncIterable<T>, nameOf: (peer: P) => string, atOnce: number): (peer: P, ...rest: R) => AsyncGenerator<T> {
  const turn = createLanes(atOnce)
  return async function * (peer, ...rest) {
    const end = await turn(nameOf(peer))
    try {
      yield * send(peer, ...rest)
    } finally {
      end()
    }
  }
}
