/**
 * What is known of who can do what: signed adverts by agent, and the agents by each prefix of their capabilities, so that
 * a name and a prefix are both one look-up. Bounded; what has outlived its ttl is not there.
 */
import { matches, parsePattern, prefixesOf, type Capability, type CapabilityPattern } from '../core/capability.ts'
import type { FoundAgent } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'

/** An agent's own signed word, once it was checked. */
export interface Advert {
  agentId: string
  name?: string
  peerId: string
  endpoints: string[]
  protocols: string[]
  capabilities: Capability[]
  load: number
  region?: string
  sequence: number
  ttlMs: number
  /** The signed bytes, to pass on. */
  bytes: Uint8Array
}

export interface Entry extends Advert {
  heardAt: number
  source: FoundAgent['source']
}

export interface Index {
  /** False when a newer one is there, or the same. */
  put: (advert: Advert, source: FoundAgent['source']) => boolean
  /** The newest sequence number heard of an agent, also when its entry is gone: an old record never comes back. */
  sequenceOf: (agentId: string) => number
  get: (agentId: string) => Entry | undefined
  match: (pattern: CapabilityPattern) => Entry[]
  /** Takes it out, for it is not reachable. A newer advert brings it back. */
  drop: (agentId: string) => void
  dropPeer: (peerId: string) => void
  all: () => Entry[]
  size: () => number
  /** Called after each change. Returns the way to stop. */
  onChange: (listener: (agentId: string) => void) => () => void
}

/** The most agents that are kept. Beyond it, the one heard longest ago goes. */
const MAX_AGENTS = 10_000

export function createIndex (clock: Clock): Index {
  const entries = new Map<string, Entry>()
  const byPrefix = new Map<string, Set<string>>()
  const sequences = new Map<string, number>()
  const listeners = new Set<(agentId: string) => void>()

  const unlink = (entry: Entry): void => {
    for (const prefix of prefixesIn(entry)) {
      const agents = byPrefix.get(prefix)
      agents?.delete(entry.agentId)
      if (agents?.size === 0) byPrefix.delete(prefix)
    }
  }
  const drop = (agentId: string): void => {
    const entry = entries.get(agentId)
    if (entry === undefined) return
    entries.delete(agentId)
    unlink(entry)
    for (const listener of listeners) listener(agentId)
  }
  const live = (agentId: string): Entry | undefined => {
    const entry = entries.get(agentId)
    if (entry === undefined || clock.now() < entry.heardAt + entry.ttlMs) return entry
    drop(agentId)
    return undefined
  }
  const remember = (agentId: string, sequence: number): void => {
    sequences.delete(agentId)
    sequences.set(agentId, sequence)
    if (sequences.size > 2 * MAX_AGENTS) sequences.delete(sequences.keys().next().value as string)
  }

  return {
    put: (advert, source) => {
      if (advert.sequence <= (sequences.get(advert.agentId) ?? -1)) return false
      remember(advert.agentId, advert.sequence)
      drop(advert.agentId)
      if (advert.ttlMs > 0) {
        entries.set(advert.agentId, { ...advert, heardAt: clock.now(), source })
        for (const prefix of prefixesIn(advert)) byPrefix.set(prefix, (byPrefix.get(prefix) ?? new Set()).add(advert.agentId))
        if (entries.size > MAX_AGENTS) drop(entries.keys().next().value as string)
      }
      for (const listener of listeners) listener(advert.agentId)
      return true
    },
    sequenceOf: agentId => sequences.get(agentId) ?? -1,
    get: live,
    match: pattern => {
      const among = pattern.labels.length === 0 ? entries.keys() : byPrefix.get(pattern.labels.join('.')) ?? []
      return [...among].flatMap(agentId => {
        const entry = live(agentId)
        return entry !== undefined && (pattern.labels.length === 0 || entry.capabilities.some(capability => matches(pattern, capability))) ? [entry] : []
      })
    },
    drop,
    dropPeer: peerId => { for (const entry of entries.values()) if (entry.peerId === peerId) drop(entry.agentId) },
    all: () => [...entries.keys()].flatMap(agentId => live(agentId) ?? []),
    size: () => entries.size,
    onChange: listener => {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
}

/** The entry as whoever looked for the pattern wants it. */
export function toFound (entry: Entry, pattern: string, now: number): FoundAgent {
  const { agentId, name, peerId, endpoints, protocols, load, region, sequence, source, heardAt, ttlMs } = entry
  const parsed = parsePattern(pattern)
  const capabilities = entry.capabilities.filter(capability => matches(parsed, capability))
  return { agentId, name, peerId, endpoints, protocols, capabilities, load, region, sequence, source, ageMs: now - heardAt, ttlMs: heardAt + ttlMs - now }
}

const prefixesIn = (advert: Advert): Set<string> => new Set(advert.capabilities.flatMap(({ name }) => prefixesOf(name)))
