/**
 * Peers that were lost without a farewell are tried again: the network between may have fallen apart, and nobody says when
 * it is whole again. As soon as one of them is back, so may the others be: they are tried at once.
 */
import { LRUCache } from 'lru-cache'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { REUNION } from './limits.ts'
import type { PeerEvent } from './net.ts'

export interface ReunionParts {
  onPeer: (listener: (event: PeerEvent) => void) => () => void
  /** Dials it, whenever it was dialled last. With no addresses, where it was before. Rejects when it cannot be met. */
  meet: (peer: string, addresses: string[]) => Promise<void>
  /** Known to be dead: it is not tried. */
  isDead: (peer: string) => Promise<boolean>
  clock: Clock
  logger: Logger
}

export interface Reunion {
  /** One that should be there, at these addresses, and could not be reached. */
  seek: (peer: string, addresses: string[]) => void
  close: () => void
}

export function createReunion ({ onPeer, meet, isDead, clock, logger }: ReunionParts): Reunion {
  const lost = new Map<string, { addresses: string[], since: number, dueAt: number }>()
  const back = new LRUCache<string, { since: number, at: number }>({ max: REUNION.peers })
  const trying = new Set<string>()
  let cancel = (): void => {}
  let closed = false

  const stopListening = onPeer(({ type, peer, parted }) => {
    if (type === 'opened') found(peer)
    else if (type === 'closed' && parted !== true) seek(peer, [])
  })

  function seek (peer: string, addresses: string[]): void {
    const known = lost.get(peer)
    if (known !== undefined) {
      if (addresses.length > 0) known.addresses = addresses
      return
    }
    const [oldest] = lost.keys()
    if (lost.size >= REUNION.peers && oldest !== undefined) lost.delete(oldest)
    // Who comes and goes is tried less and less, like one that stays away.
    const before = back.get(peer)
    const now = clock.now()
    const since = before !== undefined && now - before.at < REUNION.steadyMs ? before.since : now
    lost.set(peer, { addresses, since, dueAt: now + pauseOf(since) })
    if (lost.size === 1) lookLater()
  }

  function found (peer: string): void {
    const entry = lost.get(peer)
    if (entry === undefined) return
    lost.delete(peer)
    back.set(peer, { since: entry.since, at: clock.now() })
    for (const other of lost.values()) other.dueAt = 0
    tryDue()
  }

  const pauseOf = (since: number): number => Math.min(REUNION.longestPauseMs, Math.max(REUNION.pauseMs, (clock.now() - since) * REUNION.share))

  function lookLater (): void {
    cancel()
    if (closed || lost.size === 0) return
    cancel = clock.after(REUNION.lookMs * (0.5 + Math.random()), () => {
      for (const [peer, { since }] of lost) if (clock.now() - since > REUNION.forMs) lost.delete(peer)
      tryDue()
      lookLater()
    })
  }

  /** Any of those that are due, so that not all who lost the same ones dial the same one. */
  function tryDue (): void {
    const due = [...lost].filter(([peer, { dueAt }]) => dueAt <= clock.now() && !trying.has(peer)).map(([peer]) => peer)
    while (due.length > 0 && trying.size < REUNION.atOnce) void attempt(due.splice(Math.floor(Math.random() * due.length), 1)[0] as string)
  }

  async function attempt (peer: string): Promise<void> {
    trying.add(peer)
    try {
      if (await isDead(peer)) lost.delete(peer)
      else {
        await meet(peer, lost.get(peer)?.addresses ?? [])
        found(peer)
      }
    } catch (error) {
      const entry = lost.get(peer)
      if (entry !== undefined) entry.dueAt = clock.now() + pauseOf(entry.since)
      logger.debug('a lost peer is not back', { peer, why: messageOf(error) })
    } finally {
      trying.delete(peer)
      if (!closed) tryDue()
    }
  }

  return {
    seek,
    close () {
      closed = true
      cancel()
      stopListening()
    }
  }
}
