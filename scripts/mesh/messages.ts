/** What the measuring process and those that hold the nodes say to each other over IPC. */
export interface PlannedNode {
  /** Its place in the plan. Who replaces a dead one takes over its place. */
  place: number
  agents: Array<{ name: string, capability: string }>
}

export type ToWorker =
  | { type: 'start', folder: string, rendezvous: string, nodes: PlannedNode[] }
  /** Counters from here on. */
  | { type: 'count' }
  /** `rate` finds a second of this process, for `forMs`. */
  | { type: 'find', rate: number, forMs: number, capabilities: string[] }
  /** Writes what it did until the next count into this file. */
  | { type: 'profile', file: string }
  | { type: 'end' }

export interface Found {
  capability: string
  /** When it was asked, in ms of the machine's clock. */
  at: number
  /** Whether the node knew nobody before. */
  cold: boolean
  findMs: number
  /** Find, and a request to the agent that was chosen and its answer. Undefined when nobody was found, or it did not answer. */
  handshakeMs?: number
  /** The same find once more. */
  warmMs: number
  agents: string[]
  /** Of the first find, and of the one a second later. */
  again: string[]
  why?: string
}

export interface Counts {
  elapsedMs: number
  cpuMs: number
  rssBytes: number
  nodes: number
  /** Peers with a channel, of all nodes. */
  peers: number
  /** Open sockets, of all nodes: each connection is one at both its ends. */
  sockets: number
  /** Sockets opened since the count began. */
  opened: number
  bytesSent: number
  /** Writes to sockets: one for all that a node says to a peer in one turn of the event loop. */
  writes: number
  known: number
  /** Of the delays of the event loop while finding, in ms. */
  lagP99Ms: number
  /** Most and fewest peers of a node. */
  peersMax: number
  peersMin: number
  dhtPeers: number
  refused: Record<string, number>
}

export type FromWorker =
  | { type: 'node', place: number, agents: Array<{ agentId: string, capability: string }>, tookMs: number }
  | { type: 'ready' }
  | { type: 'counts', counts: Counts }
  | { type: 'found', found: Found }
  | { type: 'over' }
  | { type: 'failed', why: string }
