/** Who is found, and how well finding works. */
import type { Capability } from './capability.ts'

/** Whom to look for, beside what they offer. All of it is what agents say of themselves. */
export interface AgentFilter {
  /** Only agents of this region. */
  region?: string
  /** None busier than this, from 0 to 1. */
  maxLoad?: number
  /** None whose price hint is higher. No hint counts as 0. */
  maxCost?: number
  /** Only agents whose node speaks this protocol, such as `/a2a-node/dialogue/1`. */
  protocol?: string
  /** Only capabilities whose input schema takes this value, regular expressions left out. No schema takes everything. */
  accepts?: unknown
}

export interface FindOptions extends AgentFilter {
  /** Default 64. */
  limit?: number
  /** How long to look when nothing is known yet. Default 2,000. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface WatchOptions extends AgentFilter {
  /** Ends the watch. */
  signal?: AbortSignal
}

/** What a watch tells. `agent` is as it is now; of one that left, as it was last told of. */
export type AgentChange =
  | { change: 'found' | 'changed', agent: FoundAgent }
  /** `withdrawn`: it does not offer this any more, or not as it was asked for. `expired`: it was not heard of for its time to live. `crowded-out`: too many are known. */
  | { change: 'left', why: 'withdrawn' | 'farewell' | 'unreachable' | 'expired' | 'crowded-out', agent: FoundAgent }

/** An agent as its own signed advert describes it. */
export interface FoundAgent {
  agentId: string
  name?: string
  peerId: string
  endpoints: string[]
  protocols: string[]
  /** Those that match what was looked for. */
  capabilities: Capability[]
  load: number
  region?: string
  /** How likely it keeps a contract, by what the node's first agent has seen of it, from 0 to 1. Absent: nothing. */
  reputation?: number
  sequence: number
  /** Milliseconds since it was heard. */
  ageMs: number
  /** Milliseconds it still holds. */
  ttlMs: number
  /** Where it was learned: from itself, by gossip, from a peer's index, through the DHT, before this node was started last (`kept`), or it is on this node. */
  source: 'local' | 'direct' | 'gossip' | 'peer' | 'dht' | 'kept'
}

export interface PeerRow {
  peerId: string
  addresses: string[]
  direction: 'inbound' | 'outbound'
  /** Round trip over the channel, in ms, where measured. */
  rttMs?: number
  agents: string[]
  /** Proven to be the same user on the same machine. */
  sameUser: boolean
  connectedForMs: number
}

/** How long something took, in ms; nothing before it happened. */
export interface Times { count: number, p50Ms?: number, p99Ms?: number }

/** What a node measures of its own discovery. Shares are from 0 to 1, and absent until something was compared. */
export interface DiscoveryStatus {
  /** Of the agents that peers knew at the last comparisons, the share that was known here: 1 when nothing was missed. */
  recall?: number
  /** Comparisons behind it, 32 at most. */
  compared: number
  /** Of the agents that the DHT led to, the share that the index had. */
  recallOfDht?: number
  /** Of the nodes in the index, the share that the DHT named too. */
  dhtRecall?: number
  /** How long ago those known were heard. */
  stalenessMs?: { p50: number, p99: number }
  /** Agents that were known and did not answer, since the start. */
  dead: number
  /** Agents known from before the start. */
  restored: number
  /** Searches that the index answered, and those for which somebody was asked. */
  warm: Times
  cold: Times
}

/** One thing that was looked at: how it is, and what to do when it is not well. */
export interface Check {
  name: string
  state: 'ok' | 'warning' | 'failed'
  found: string
  advice?: string
}
