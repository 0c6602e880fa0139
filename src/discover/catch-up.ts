/** When this node compares its index with whose: with everybody it meets, two at a time, and now and then with one of its peers. */
import { messageOf } from '../core/errors.ts'
import type { Compared } from './reconcile.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

export interface CatchUp {
  /** Compares with a peer soon. */
  enqueue: (peer: string) => void
  /** Resolves when all that was begun is done. */
  settled: () => Promise<void>
  close: () => void
}

export interface CatchUpParts {
  net: Net
  clock: Clock
  logger: Logger
  compare: (peer: string) => Promise<Compared>
  /** What this peer knows comes by another way. */
  isSpared: (peer: string) => boolean
  /** After each of them. `again`: not because it was met. */
  onCompared: (compared: Compared, again: boolean) => void
}

/** At once; and waiting. Whoever finds no place is compared with another time. */
const AT_ONCE = 2
const MAX_WAITING = 64
/** How often one peer is compared with, in ms; spread by half. What gossip has lost is found by this. */
const EVERY_MS = 30_000

export function createCatchUp ({ net, clock, logger, compare, isSpared, onCompared }: CatchUpParts): CatchUp {
  /** With whether it is compared with again. */
  const waiting = new Map<string, boolean>()
  const running = new Set<Promise<void>>()
  let idle = Promise.withResolvers<void>()
  idle.resolve()
  let stop = (): void => {}
  let closed = false
  again()

  function again (): void {
    stop = clock.after(EVERY_MS * (0.5 + Math.random()), () => {
      const peers = net.connected()
      const one = peers[Math.floor(Math.random() * peers.length)]
      if (one !== undefined) enqueue(one, true)
      again()
    })
  }

  function enqueue (peer: string, repeated = false): void {
    if (closed || waiting.size >= MAX_WAITING || isSpared(peer)) return
    if (waiting.size === 0 && running.size === 0) idle = Promise.withResolvers<void>()
    waiting.set(peer, repeated)
    next()
  }

  function next (): void {
    const [first] = waiting
    if (first === undefined || running.size >= AT_ONCE) {
      if (running.size === 0) idle.resolve()
      return
    }
    const [peer, repeated] = first
    waiting.delete(peer)
    const run = compare(peer).then(compared => { onCompared(compared, repeated) }, (error: unknown) => { logger.debug('a peer told nothing', { peer, why: messageOf(error) }) }).finally(() => {
      running.delete(run)
      next()
    })
    running.add(run)
    next()
  }

  return {
    enqueue,
    settled: () => idle.promise,
    close: () => {
      closed = true
      waiting.clear()
      stop()
    }
  }
}
