/** Who is close to a key, of the nodes in the user's folder, in the metric of Kademlia; and whose connection is wanted. */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/ports.ts'
import type { Contacts } from './contacts.ts'
import type { Channels } from './channels.ts'
import type { Contact, Dht } from './net.ts'
import type { Rendezvous } from './rendezvous.ts'

/** Until all have looked at the folder and told a newcomer what it is to keep, in ms. */
const NEW_MS = 20_000
/** Of so many it is remembered when they came. */
const MAX_CAME = 256
/** Dead nodes that are passed over for one key. */
const TRIES = 64

export interface KeepersParts {
  self: string
  clock: Clock
  channels: Channels
  /** The folder keeps its nodes in here; those connected are added. */
  contacts: Contacts
  rendezvous: Pick<Rendezvous, 'addressesOf'> | undefined
}

export interface Keepers extends Pick<Dht, 'keepers' | 'near' | 'turnover' | 'isNear' | 'want'> {
  isWanted: (peer: string) => boolean
  /** Nodes beyond the folder of the user can be reached: what they know is found only by Kademlia. */
  hasOutsiders: () => boolean
}

export function createKeepers ({ self, clock, channels, contacts, rendezvous }: KeepersParts): Keepers {
  const wanted = new Map<string, ReadonlySet<string>>()
  /** When those in the folder came. */
  const cameAt = new LRUCache<string, number>({ maxSize: MAX_CAME, sizeCalculation: () => 1 })
  cameAt.set(self, clock.now())
  contacts.add(self, 'self')
  channels.onPeer(({ type, peer }) => {
    if (type === 'closed') contacts.remove(peer, 'connected')
    // One of the same user is in the folder, though we may not have looked since it came.
    else contacts.add(peer, channels.get(peer)?.sameUser() === true ? 'folder' : 'connected')
  })

  async function reachable (peer: string): Promise<Contact | undefined> {
    const isThere = peer === self || channels.get(peer)?.ready() === true
    // Its file is read for one that is there only to know since when.
    if (isThere && cameAt.has(peer)) return { peer, addresses: [], isNew: isNew(peer) }
    const there = await rendezvous?.addressesOf(peer)
    if (there !== undefined) cameAt.set(peer, clock.now() - there.sinceMs)
    if (isThere) return { peer, addresses: [], isNew: isNew(peer) }
    return there === undefined ? undefined : { peer, addresses: there.addresses, isNew: isNew(peer) }
  }

  const isNew = (peer: string): boolean => clock.now() - (cameAt.get(peer) ?? -Infinity) < NEW_MS

  return {
    async keepers (key, count) {
      const found: Contact[] = []
      // Those who died are taken out as they are asked for.
      let next = contacts.closest(key, count)
      for (let tries = 0; next.length > 0 && tries < TRIES; tries++) {
        const [peer, ...others] = next as [string, ...string[]]
        const contact = await reachable(peer)
        if (contact === undefined) contacts.remove(peer, 'folder')
        else found.push(contact)
        next = contact === undefined ? contacts.closest(key, count).filter(peer => !found.some(contact => contact.peer === peer)) : others
      }
      return found
    },
    near: contacts.near,
    turnover: contacts.turnover,
    isNear: contacts.isNear,
    hasOutsiders: contacts.hasOutsiders,
    want (purpose, peers) {
      const set = new Set(peers)
      if (set.size === 0) wanted.delete(purpose)
      else wanted.set(purpose, set)
    },
    isWanted: peer => [...wanted.values()].some(set => set.has(peer))
  }
}
