/**
 * What is known of who can do what: signed adverts by agent, and the agents by each prefix of their capabilities, so that
 * a name and a prefix are both one look-up. Bounded; what has outlived its ttl is not there.
 */
import { matches, prefixesOf, type Capability, type CapabilityPattern } from '../core/capability.ts'
import type { FoundAgent } from '../core/found.ts'
import type { Clock } from '../core/ports.ts'

/** An agent's own signed word, once it was checked. */
export interface Advert extends Pick<FoundAgent, 'agentId' | 'name' | 'peerId' | 'endpoints' | 'protocols' | 'load' | 'region' | 'sequence'> {
  /** All that it offers. */
  capabilities: Capability[]
  /** How long it holds from when it is heard, in ms. */
  ttlMs: number
  /** The signed bytes, to pass on. */
  bytes: Uint8Array
}

export interface Entry extends Advert {
  /** By this machine's clock. It holds for `ttlMs` from then on. */
  heardAt: number
  /** The peer that passed it on; none when it was its own. */
  teller?: string
  source: FoundAgent['source']
}

/** The newest sequence number of an agent, and when it was heard, in ms since the epoch. */
export interface Heard { agentId: string, sequence: number, at: number }

/** Why an entry is another, or not there any more. `crowded-out`: a bound was reached. */
export type Change = 'news' | 'farewell' | 'unreachable' | 'expired' | 'crowded-out'

export interface Index {
  /** False when a newer one is there, or the same; one that was not reachable is back when it says the same again itself. `teller`: the peer that passed it on, if it is not the agent's own. */
  put: (advert: Advert, source: FoundAgent['source'], teller?: string) => boolean
  /** The newest sequence number heard of an agent, also when its entry is gone: an old record never comes back. */
  sequenceOf: (agentId: string) => number
  /** All of them, with when they were heard: the one heard longest ago first. */
  sequences: () => Iterable<Heard>
  /** A number that was heard in an earlier run. */
  remember: (heard: Heard) => void
  get: (agentId: string) => Entry | undefined
  match: (pattern: CapabilityPattern) => Entry[]
  /** Takes it out, for it is not reachable. A newer advert brings it back, or its own word. */
  drop: (agentId: string) => void
  dropPeer: (peerId: string) => void
  /** Takes out what has outlived its ttl, so that those who watch hear of it. */
  expire: () => void
  all: () => Entry[]
  size: () => number
  /** Called after each change. Returns the way to stop. */
  onChange: (listener: (agentId: string, change: Change) => void) => () => void
}

/** The most agents that are kept, and the bytes of their adverts. Beyond it, the oldest of who told most goes. */
const MAX_AGENTS = 10_000
const MAX_BYTES = 64 * 1_024 * 1_024
/** And of one peer: the agents that it says are its own, and those it tells of. Beyond it, its oldest goes. */
const MAX_OF_PEER = { own: 256, told: 6_000, bytes: { own: 2 * 1_024 * 1_024, told: 8 * 1_024 * 1_024 } }

/** Whose share of the index an entry takes. */
const shareOf = ({ teller, peerId }: Entry): string => teller === undefined ? peerId : `by ${teller}`

/** What of the index one peer has filled, the oldest first. */
interface Share { agents: Set<string>, bytes: number }

export function createIndex (clock: Clock): Index {
  const entries = new Map<string, Entry>()
  const byPrefix = new Map<string, Set<string>>()
  const shares = new Map<string, Share>()
  let bytes = 0
  const sequences = new Map<string, Heard>()
  const listeners = new Set<(agentId: string, change: Change) => void>()
  const tell = (agentId: string, change: Change): void => { for (const listener of listeners) listener(agentId, change) }

  const unlink = (entry: Entry): void => {
    for (const prefix of prefixesIn(entry)) {
      const agents = byPrefix.get(prefix)
      agents?.delete(entry.agentId)
      if (agents?.size === 0) byPrefix.delete(prefix)
    }
  }
  const remove = (agentId: string): boolean => {
    const entry = entries.get(agentId)
    if (entry === undefined) return false
    entries.delete(agentId)
    bytes -= entry.bytes.length
    const share = shares.get(shareOf(entry))
    share?.agents.delete(agentId)
    if (share !== undefined) share.bytes -= entry.bytes.length
    if (share?.agents.size === 0) shares.delete(shareOf(entry))
    unlink(entry)
    return true
  }
  const drop = (agentId: string, why: Change): void => { if (remove(agentId)) tell(agentId, why) }
  const enter = (entry: Entry): void => {
    entries.set(entry.agentId, entry)
    bytes += entry.bytes.length
    const share = shares.get(shareOf(entry)) ?? { agents: new Set<string>(), bytes: 0 }
    shares.set(shareOf(entry), { agents: share.agents.add(entry.agentId), bytes: share.bytes + entry.bytes.length })
  }
  const isFull = (): boolean => entries.size > MAX_AGENTS || bytes > MAX_BYTES
  /** One peer must not push everybody else out, however many agents it makes. */
  const bound = (whose: string, by: 'own' | 'told'): void => {
    for (let share = shares.get(whose); share !== undefined && (share.agents.size > MAX_OF_PEER[by] || share.bytes > MAX_OF_PEER.bytes[by]); share = shares.get(whose)) dropOldest(share)
    while (isFull()) {
      const [first, ...others] = [...shares].filter(([who]) => !isLocal(who)).map(([, share]) => share)
      if (first === undefined) return
      dropOldest(others.reduce((largest, share) => share.bytes > largest.bytes ? share : largest, first))
    }
  }
  const dropOldest = ({ agents }: Share): void => { drop(agents.values().next().value as string, 'crowded-out') }
  const isLocal = (teller: string): boolean => {
    const [agentId = ''] = shares.get(teller)?.agents ?? []
    return entries.get(agentId)?.source === 'local'
  }
  const live = (agentId: string): Entry | undefined => {
    const entry = entries.get(agentId)
    if (entry === undefined || clock.now() < entry.heardAt + entry.ttlMs) return entry
    drop(agentId, 'expired')
    return undefined
  }
  const sequenceOf = (agentId: string): number => sequences.get(agentId)?.sequence ?? -1
  const remember = (heard: Heard): void => {
    if (heard.sequence <= sequenceOf(heard.agentId)) return
    sequences.delete(heard.agentId)
    sequences.set(heard.agentId, heard)
    if (sequences.size > 2 * MAX_AGENTS) sequences.delete(sequences.keys().next().value as string)
  }

  return {
    put: (advert, source, teller) => {
      const known = sequenceOf(advert.agentId)
      if (advert.sequence < known || (advert.sequence === known && (source !== 'direct' || entries.has(advert.agentId)))) return false
      remember({ agentId: advert.agentId, sequence: advert.sequence, at: clock.now() })
      const was = remove(advert.agentId)
      if (advert.ttlMs > 0) {
        const entry = { ...advert, heardAt: clock.now(), source, teller }
        enter(entry)
        for (const prefix of prefixesIn(advert)) byPrefix.set(prefix, (byPrefix.get(prefix) ?? new Set()).add(advert.agentId))
        if (source !== 'local') bound(shareOf(entry), teller === undefined ? 'own' : 'told')
      }
      if (entries.has(advert.agentId)) tell(advert.agentId, 'news')
      else if (was) tell(advert.agentId, 'farewell')
      return true
    },
    sequenceOf,
    sequences: () => sequences.values(),
    remember,
    get: live,
    match: pattern => {
      const among = pattern.labels.length === 0 ? entries.keys() : byPrefix.get(pattern.labels.join('.')) ?? []
      return [...among].flatMap(agentId => {
        const entry = live(agentId)
        return entry !== undefined && (pattern.labels.length === 0 || entry.capabilities.some(capability => matches(pattern, capability))) ? [entry] : []
      })
    },
    drop: agentId => { drop(agentId, 'unreachable') },
    dropPeer: peerId => { for (const entry of entries.values()) if (entry.peerId === peerId) drop(entry.agentId, 'unreachable') },
    expire: () => { for (const agentId of entries.keys()) live(agentId) },
    all: () => [...entries.keys()].flatMap(agentId => live(agentId) ?? []),
    size: () => entries.size,
    onChange: listener => {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}

/** The entry as whoever looked for it wants it, with those of its capabilities that were meant. */
export function toFound (entry: Entry, capabilities: Capability[], now: number): FoundAgent {
  const { agentId, name, peerId, endpoints, protocols, load, region, sequence, source, heardAt, ttlMs } = entry
  return { agentId, name, peerId, endpoints, protocols, capabilities, load, region, sequence, source, ageMs: now - heardAt, ttlMs: heardAt + ttlMs - now }
}

const prefixesIn = (advert: Advert): Set<string> => new Set(advert.capabilities.flatMap(({ name }) => prefixesOf(name)))
