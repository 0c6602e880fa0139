/** The face of a node: what `createNode` gives. */
import type { Agent } from './agent.ts'
import type { AgentChange, DiscoveryStatus, FindOptions, FoundAgent, PeerRow, WatchOptions } from './found.ts'
import type { AgentCost, AgentMetrics } from './ports.ts'
import type { BreakerRow, SlotsRow } from './status.ts'

/** One libp2p host in this process, which agents share. */
export interface Node extends AsyncDisposable {
  readonly peerId: string
  readonly home: string
  readonly agents: Agent[]
  /** Multiaddrs with the peer id. */
  addresses: () => string[]
  /** Another agent on the same node, with its own key and capabilities. */
  createAgent: (options?: { name?: string }) => Promise<Agent>
  find: (pattern: string, options?: FindOptions) => Promise<FoundAgent[]>
  /** Who offers it now, and then each change: as `agent.watch`. */
  watch: (pattern: string, options?: WatchOptions) => AsyncIterableIterator<AgentChange>
  /** Resolves when everybody who could be found at once (same machine, bootstrap list) has been asked, or after `timeoutMs`. */
  joined: (timeoutMs?: number) => Promise<void>
  peers: () => PeerRow[]
  status: () => NodeStatus
}

export interface NodeStatus {
  version: string
  pid: number
  home: string
  peerId: string
  addresses: string[]
  startedAt: number
  uptimeMs: number
  rssBytes: number
  peers: number
  agentsKnown: number
  /** The event log: its size, how much of it is in use, and how long ended tasks stay in it, in ms. */
  log: { bytes: number, usedBytes: number, keepMs: number }
  discovery: DiscoveryStatus
  dht: { mode: 'client' | 'server', peers: number }
  gossip: Array<{ topic: string, subscribers: number }>
  agents: Array<{ agentId: string, name: string, capabilities: string[], running: number, queued: number, load: number, metrics: AgentMetrics[], costs: AgentCost[], credentialExpiresAt: number, breakers: BreakerRow[], slots: SlotsRow[] }>
  /** Jobs of all agents here: waiting for their time, for somebody or for room; being attempted; given up. */
  queue: { waiting: number, running: number, dead: number }
  /** Messages refused since the start, by failure code. */
  refused: Record<string, number>
}
