/**
 * Nodes that are known to be there, by their distance to a key: as in Kademlia, SHA-256 of the peer id XOR SHA-256 of the
 * key. Nobody is dialled to get in here, so it may hold a whole machine's nodes; who is asked finds out who lives.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { LRUCache } from 'lru-cache'
import { sha256 } from '../wire/hash.ts'

/** How it is known that a node is there. */
export type Source = 'folder' | 'connected' | 'self'

export interface Contacts {
  add: (peer: string, source: Source) => void
  /** It stays as long as another source knows it. */
  remove: (peer: string, source: Source) => void
  /** In the folder of the user. */
  isNear: (peer: string) => boolean
  /** How many are, with this node. */
  near: () => number
  /** Counts those who came into the folder, or left it. */
  turnover: () => number
  /** Whether somebody is connected that is not in the folder. */
  hasOutsiders: () => boolean
  /**
   * The closest to a key, the closest first: of those in the folder, whom all who are in it know. Of strangers each node knows others, and who
   * is close to a key by choice is most often one.
   */
  closest: (key: Uint8Array, count: number) => string[]
}

/** The first 62 of the 256 bits of a place, in two numbers that V8 keeps without an object for each. Two nodes that share these would be in any order. */
interface Place { high: number, low: number }

interface Node extends Place { peer: string, sources: number }

const BIT: Record<Source, number> = { folder: 1, connected: 2, self: 4 }
const NEAR = BIT.folder | BIT.self

/** @param max beyond it nobody is added */
export function createContacts (max: number): Contacts {
  const places = new Map<string, Node>()
  let near = 0
  let outsiders = 0
  let turnover = 0

  function set (peer: string, { high, low }: Place, sources: number): void {
    const before = places.get(peer)?.sources ?? 0
    outsiders += Number(sources === BIT.connected) - Number(before === BIT.connected)
    const change = Number((sources & NEAR) !== 0) - Number((before & NEAR) !== 0)
    near += change
    turnover += Math.abs(change)
    if (sources === 0) places.delete(peer)
    else places.set(peer, { peer, high, low, sources })
  }

  return {
    add (peer, source) {
      const known = places.get(peer)
      const place = known ?? (places.size < max ? placeOf(peer) : undefined)
      if (place === undefined) return
      set(peer, place, (known?.sources ?? 0) | BIT[source])
    },
    remove (peer, source) {
      const known = places.get(peer)
      if (known === undefined) return
      set(peer, known, known.sources & ~BIT[source])
    },
    isNear: peer => ((places.get(peer)?.sources ?? 0) & BIT.folder) !== 0,
    near: () => near,
    turnover: () => turnover,
    hasOutsiders: () => outsiders > 0,
    closest (key, count) {
      const target = toPlace(sha256(key))
      const found: Node[] = []
      for (const place of places.values()) {
        if ((place.sources & NEAR) === 0) continue
        let at = found.length
        for (let other = found[at - 1]; other !== undefined && isCloser(place, other, target); other = found[at - 1]) at--
        if (at === count) continue
        found.splice(at, 0, place)
        if (found.length > count) found.pop()
      }
      return found.map(({ peer }) => peer)
    }
  }
}

function isCloser (a: Place, b: Place, { high, low }: Place): boolean {
  const before = (a.high ^ high) - (b.high ^ high)
  return before < 0 || (before === 0 && (a.low ^ low) < (b.low ^ low))
}

/** The same for all nodes of a process. */
const memory = new LRUCache<string, Place>({ max: 8_192 })

/** Undefined when it is no peer id. */
function placeOf (peer: string): Place | undefined {
  const known = memory.get(peer)
  if (known !== undefined) return known
  try {
    const place = toPlace(sha256(peerIdFromString(peer).toMultihash().bytes))
    memory.set(peer, place)
    return place
  } catch {
    return undefined
  }
}

function toPlace (hash: Uint8Array): Place {
  const view = new DataView(hash.buffer, hash.byteOffset, hash.byteLength)
  return { high: view.getUint32(0) >>> 1, low: view.getUint32(4) >>> 1 }
}
