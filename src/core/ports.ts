/**
 * What the core and the stages need from the world. Production plugs in the real things (agent.ts, node.ts), the
 * simulator its own. Nothing here knows libp2p, SQLite or timers.
 */
import type { Envelope } from './envelope.ts'

/** Milliseconds since the epoch, and timers. */
export interface Clock {
  now: () => number
  /** Calls `run` once after `ms`. The returned function cancels it. A pending timer never keeps the process alive. */
  after: (ms: number, run: () => void) => () => void
}

/** The key an agent acts with at the moment: an operational key that its root key vouches for. */
export interface Signer {
  /** `did:key:z6Mk…` of the agent it speaks for. */
  readonly agentId: string
  /** The encoded credential to send along; see identity/credential.ts. Changes with rotation. */
  credential: () => Uint8Array
  /** Ed25519, 64 bytes (RFC 8032). */
  sign: (bytes: Uint8Array) => Uint8Array
}

/** Who a credential speaks for, once it has been verified. */
export interface Speaker {
  agentId: string
  peerId: string
}

/** Where an envelope came from: the peer that the Noise handshake authenticated. Our own peer id for local delivery. */
export interface Origin {
  peer: string
  /** It came by gossip, whose author this peer is: others may have passed it on, or may say it again. */
  gossip?: boolean
}

/**
 * Sends envelopes to peers over their channel. A reply is an envelope whose `causationId` is the request's `messageId`.
 * Both reject with PEER_UNREACHABLE, MESSAGE_TOO_LARGE or OVERLOADED; `request` also with NO_REPLY, and with the failure
 * that the other end answered.
 */
export interface Wire {
  readonly peerId: string
  /** Resolves when the transport has taken the bytes: awaiting it is the backpressure. */
  send: (peer: string, envelope: Envelope, options?: SendOptions) => Promise<void>
  request: (peer: string, envelope: Envelope, options?: SendOptions) => Promise<Envelope>
}

export interface SendOptions {
  signal?: AbortSignal
  /** How long to wait for the connection, and for the reply. Default 5,000. */
  timeoutMs?: number
  /** Multiaddrs to try when the peer is not connected and not in the peer store. */
  addresses?: string[]
  /** A question that stands for itself: a node of the same user and machine that is not connected answers without being. */
  brief?: boolean
  /** `low` waits behind everything else for the same peer. Default: what the type of the message says. */
  lane?: 'normal' | 'low'
}

/** Answers an envelope: with a reply, or with nothing. A thrown A2aError goes back as an `error` envelope. */
export type EnvelopeHandler = (envelope: Envelope, origin: Origin) => Promise<Envelope | undefined> | Envelope | undefined

/** Which state machine something belongs to: core/requester.ts, core/provider.ts, core/job.ts. */
export type Role = 'requester' | 'provider' | 'job'

/** One thing that happened, as the log keeps it. */
export interface LogEvent {
  /** Position in this node's log, from 1, without gaps but for those of tasks that were taken out. Given by the log. */
  position: number
  /** Milliseconds since the epoch. */
  at: number
  /** The local agent concerned. */
  agent: string
  role: Role
  /** The task's id, or the job's. */
  taskId: string
  /** The event's type: that of RequesterEvent, ProviderEvent or JobEvent. */
  type: string
  /** The event itself: JSON. */
  data: unknown
}

/** How a task stands after an event. The log keeps the latest for each (agent, role, task), in the same transaction. */
export interface TaskSummary {
  capability: string
  stage: string
  /** No event will change it any more. */
  ended: boolean
  /** The other side's agent id, once there is one. */
  counterpart?: string
  epoch?: number
  /** Code of the failure, when it failed. */
  failure?: string
  /** The provider's own, once it is owed. */
  cost?: number
  /** What delegations of the work came to beside it, as far as it was told. */
  spent?: number
  /** The task whose handler asked for it. */
  parent?: string
}

export interface TaskRow extends TaskSummary {
  taskId: string
  agent: string
  role: Role
  createdAt: number
  updatedAt: number
}

/** What one agent did with others: the last 1,000 are kept at hand (T1). Jobs are their attempts. */
export interface Interaction {
  at: number
  taskId: string
  role: 'requester' | 'provider'
  capability: string
  counterpart?: string
  outcome: 'completed' | 'failed' | 'cancelled'
  failure?: string
  durationMs: number
  cost?: number
}

/** Counters of one agent and role, over all its ended tasks (T1). */
export interface AgentMetrics {
  role: 'requester' | 'provider'
  completed: number
  failed: number
  cancelled: number
  open: number
  /** Over the last 1,000 interactions, in milliseconds. */
  p50Ms: number
  p99Ms: number
  totalCost: number
}

/** What an agent's ended tasks came to: paid as requester, earned as provider, in the requesters' cost units. */
export interface AgentCost {
  role: 'requester' | 'provider'
  capability: string
  /** Who was paid, or who paid. */
  counterpart?: string
  tasks: number
  cost: number
}

/**
 * The append-only truth of a node. A resolved append is on disk (fsync); many appends of a few milliseconds share one.
 * Rejects with LOG_WRITE_FAILED, and then nothing of that append is in the log.
 */
export interface EventLog {
  append: (event: Omit<LogEvent, 'position'>, summary: TaskSummary, options?: WriteOptions) => Promise<LogEvent>
  /** The events of one task, oldest first: all, or at most `limit` of those after a position. */
  eventsOf: (role: Role, taskId: string, page?: { after?: number, limit?: number }) => LogEvent[]
  /** The newest first. */
  tasks: (query?: { agent?: string, role?: Role, ended?: boolean, parent?: string, limit?: number }) => TaskRow[]
  /** Of several local agents with this role in the task, the one that something happened to last. */
  task: (role: Role, taskId: string) => TaskRow | undefined
  /** The last interactions of an agent, newest first. Default limit 1,000. */
  interactions: (agent: string, limit?: number) => Interaction[]
  metrics: (agent: string) => AgentMetrics[]
  /** By role, capability and counterpart, the dearest first, of the tasks that were not taken out. Default limit 20. */
  costs: (agent: string, limit?: number) => AgentCost[]
  /**
   * Takes some of an agent's tasks out, the oldest of those that ended before this moment. Receipts and metrics stay as they are, and of
   * each role the last 1,000 ended tasks whole. Resolves to how many went: 0 when there is no more to do.
   */
  prune: (agent: string, endedBefore: number) => Promise<number>
  /** How large it is, and how much of that is in use: what is free is filled before it grows. In bytes. */
  size: () => { bytes: number, usedBytes: number }
  /** Signed statements in the order an agent made them, each linked to the one before by hash. */
  chain: ReceiptChain
  /** Small values that outlive a restart, such as the sequence numbers of adverts. */
  values: Values
  close: () => Promise<void>
}

export interface WriteOptions {
  /** How much longer it may take, in ms, to share an fsync with what comes: see PATIENCE. Default 0. */
  patienceMs?: number
}

/**
 * What nothing follows from may wait for a commit that somebody waits for: an fsync is the dearest part of a small task. Should
 * the process die meanwhile, it has not happened.
 */
export const PATIENCE = {
  /** Somebody is told of it once it is kept, or may look for it. */
  briefMs: 10,
  /** Nobody does. */
  longMs: 250
} as const

export interface ReceiptChain {
  /** The hash of the agent's newest receipt, or 32 zero bytes. */
  head: (agent: string) => Uint8Array
  /**
   * Adds a receipt. Appends happen in the order of the calls, so one may follow another that is not yet resolved. Rejects
   * when `previous` is not the head by then. One whose hash is there already only adds its countersignature.
   */
  append: (entry: ReceiptEntry, options?: WriteOptions) => Promise<void>
  /** Oldest first. */
  list: (agent: string, query?: { taskId?: string, limit?: number }) => ReceiptEntry[]
}

export interface ReceiptEntry {
  agent: string
  taskId: string
  epoch: number
  at: number
  /** The hash of this agent's receipt before this one. */
  previous: Uint8Array
  /** The hash of this one. */
  hash: Uint8Array
  /** The provider's signed statement: an envelope of type `task.receipt`. */
  statement: Uint8Array
  /** The requester's signed answer: an envelope of type `task.countersign`. Absent until it has arrived. */
  countersignature?: Uint8Array
}

export interface Values {
  get: (key: string) => Uint8Array | undefined
  set: (key: string, value: Uint8Array) => Promise<void>
  /** Keys that begin with `prefix`, with their values, in order. */
  list: (prefix: string) => Array<[key: string, value: Uint8Array]>
  delete: (key: string) => Promise<void>
}

/** Where log lines go. `facts` are structured; never payloads or secrets. */
export interface Logger {
  debug: (what: string, facts?: Record<string, unknown>) => void
  info: (what: string, facts?: Record<string, unknown>) => void
  warn: (what: string, facts?: Record<string, unknown>) => void
  error: (what: string, facts?: Record<string, unknown>) => void
}
