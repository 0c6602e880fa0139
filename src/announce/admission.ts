/**
 * How many announcements are considered: each that is bid for is an event on disk and a task for a minute, and one from a
 * peer that is not connected makes us dial addresses that it names. The user's own nodes are not counted.
 */
import { LRUCache } from 'lru-cache'
import { A2aError } from '../core/errors.ts'
import type { Clock, EnvelopeHandler } from '../core/ports.ts'

export interface AdmissionParts {
  clock: Clock
  sameUser: (peer: string) => boolean
  connected: (peer: string) => boolean
}

/** Announcements a second, and at once: of one peer, and of all strangers together. */
const OF_PEER = { perSecond: 50, burst: 200 }
const OF_ALL = { perSecond: 200, burst: 1_000 }
/** Announcements under consideration whose requester would have to be dialled. The others are passed over. */
const DIALS = 8
const PEERS = 1_000

/** @throws A2aError OVERLOADED, by the handler it gives */
export function admission ({ clock, sameUser, connected }: AdmissionParts, consider: EnvelopeHandler): EnvelopeHandler {
  const all = bucket(OF_ALL, clock)
  const peers = new LRUCache<string, () => boolean>({ maxSize: PEERS, sizeCalculation: () => 1 })
  let dials = 0

  return async (envelope, origin) => {
    const { peer } = origin
    if (sameUser(peer)) return await consider(envelope, origin)
    const mine = peers.get(peer) ?? bucket(OF_PEER, clock)
    peers.set(peer, mine)
    if (!mine()) throw new A2aError({ code: 'OVERLOADED', what: 'announcements a second from one peer', limit: OF_PEER.perSecond })
    if (!all()) throw new A2aError({ code: 'OVERLOADED', what: 'announcements a second', limit: OF_ALL.perSecond })
    if (connected(peer)) return await consider(envelope, origin)
    if (dials >= DIALS) return undefined
    dials++
    try {
      return await consider(envelope, origin)
    } finally {
      dials--
    }
  }
}

function bucket ({ perSecond, burst }: typeof OF_PEER, clock: Clock): () => boolean {
  let tokens = burst
  let at = clock.now()
  return () => {
    const now = clock.now()
    tokens = Math.min(burst, tokens + Math.max(0, now - at) * perSecond / 1_000)
    at = now
    if (tokens < 1) return false
    tokens--
    return true
  }
}
