/**
 * What a client command asks of a node. The node implements it (operate/node-api.ts), and its Unix socket carries it
 * (control/server.ts, control/client.ts), so a command does not know whether the node is this process or another.
 * All results are JSON.
 */
import type { FanOutOutcome, FanOutPolicy } from '../index.ts'
import type { ContentProgress, ContentRef, ContentRow, ReceivedFile, SendContentOptions } from '../core/content.ts'
import type { AgentChange, AgentFilter, Check, FindOptions, FoundAgent, PeerRow } from '../core/found.ts'
import type { NodeStatus } from '../core/node.ts'
import type { Failure } from '../core/errors.ts'
import type { PolicyName } from '../core/policy.ts'
import type { DeadLetter, DeadMessage, EnqueueOptions } from '../core/queue.ts'
import type { Role, TaskRow } from '../core/ports.ts'
import type { ReceiptFacts, TaskEvent } from '../core/task.ts'

export interface NodeApi {
  status: () => Promise<NodeStatus>
  find: (pattern: string, options?: Omit<FindOptions, 'signal'>) => Promise<FoundAgent[]>
  /** Who offers it, and then each change. Goes on until the iteration is ended. */
  watch: (request: WatchRequest) => AsyncIterable<AgentChange>
  peers: () => Promise<PeerRow[]>
  /** Delegates a task as the node's first agent. The last event is `result` or `failed`. Ending the iteration early cancels the task. */
  run: (request: RunRequest) => AsyncIterable<TaskEvent>
  /** Gives a task to many agents, as the node's first one. The last event is `fanned-out`. Ending the iteration early cancels all of it. */
  fanOut: (request: FanOutRequest) => AsyncIterable<FanOutEvent>
  /** Puts a job into the queue of the node's first agent. Resolves to its id when it is on disk. */
  enqueue: (request: EnqueueRequest) => Promise<string>
  /** Jobs that were given up, the oldest first. */
  deadLetters: () => Promise<DeadLetter[]>
  /** With the whole message. Rejects with REFUSED when it is no dead letter. Here and below, the beginning of an id will do. */
  deadLetter: (jobId: string) => Promise<DeadMessage>
  /** Puts it into the queue again. Resolves to its whole id. */
  replayDead: (jobId: string) => Promise<string>
  dropDead: (jobId: string) => Promise<DeadLetter>
  /**
   * The events of a task or job that this node asked for: those after a number, and on until it ends; none when that was the last. Ending
   * early leaves the task alone.
   */
  resume: (taskId: string, options?: { after?: number }) => AsyncIterable<TaskEvent>
  giveInput: (taskId: string, value: unknown) => Promise<void>
  /** Resolves to the task's whole id. Rejects with REFUSED when it has ended already, or is somebody else's. */
  cancel: (taskId: string) => Promise<string>
  tasks: (query?: { role?: Role, limit?: number }) => Promise<TaskRow[]>
  /** A task with its whole history. Rejects with TASK_UNKNOWN. `taskId` may be an unambiguous prefix. */
  task: (taskId: string) => Promise<TaskHistory[]>
  contracts: (query?: { limit?: number }) => Promise<TaskRow[]>
  contract: (taskId: string) => Promise<ContractView[]>
  identity: () => Promise<IdentityView[]>
  /** New operational keys and a new credential for every agent of the node. */
  rotate: () => Promise<IdentityView[]>
  /** Looks the node over. With a target (a capability, a pattern, or an agent): why it is found or not, step by step. */
  doctor: (why?: string) => Promise<Check[]>
  /** Offers a file of this machine to whoever gets the ref. The last event is `sent`. Ending the iteration early ends the hashing. */
  sendContent: (request: SendContentRequest) => AsyncIterable<ContentEvent>
  /** Fetches content into a file of this machine. The last event is `received`. Ending the iteration early keeps what has come. */
  receiveContent: (request: ReceiveContentRequest) => AsyncIterable<ContentEvent>
  contents: () => Promise<ContentRow[]>
  /** Resolves to the whole hash. `hash` may be an unambiguous prefix. Rejects with CONTENT_UNKNOWN. */
  dropContent: (hash: string) => Promise<string>
}

export interface WatchRequest extends AgentFilter {
  pattern: string
}

export interface SendContentRequest extends Pick<SendContentOptions, 'name' | 'mediaType'> {
  /** A whole path. */
  file: string
}

export interface ReceiveContentRequest {
  ref: ContentRef
  /** A whole path. */
  file: string
}

export type ContentEvent =
  | { event: 'progress' } & ContentProgress
  | { event: 'sent', ref: ContentRef }
  | { event: 'received' } & ReceivedFile

export interface RunRequest {
  capability: string
  input: unknown
  maxDurationMs?: number
  maxCostTokens?: number
  maxDepth?: number
  to?: string
  policy?: PolicyName
  patient?: boolean
  leaseMs?: number
  bidWindowMs?: number
  hedge?: { afterMs: number }
}

export interface EnqueueRequest extends EnqueueOptions {
  capability: string
  input: unknown
}

export interface FanOutRequest extends Pick<RunRequest, 'capability' | 'input' | 'maxDurationMs' | 'maxCostTokens'> {
  policy: FanOutPolicy
}

export type FanOutEvent =
  | TaskEvent
  /** With the failure when the policy is not satisfied. */
  | { event: 'fanned-out', outcomes: FanOutOutcome[], failure?: Failure }

/** One side's view of a task: its row, and what happened in order. */
export interface TaskHistory {
  row: TaskRow
  history: Array<{ at: number, type: string, data: unknown }>
  /** What its handler delegated, the first first. */
  delegated: TaskRow[]
}

/** A contract and its receipt, with the result of checking every signature in them offline. */
export interface ContractView {
  taskId: string
  epoch: number
  role: 'requester' | 'provider'
  capability: string
  requester: string
  provider: string
  terms: Record<string, unknown>
  contractHash: string
  awardHolds: boolean
  acceptanceHolds: boolean
  receipt?: ReceiptFacts
}

export interface IdentityView {
  agentId: string
  /** Absent while no node runs: it is given at each start. */
  name?: string
  peerId: string
  keyFile: string
  /** Absent while no node runs: its keys live in memory only. */
  credential?: { notBefore: number, expires: number }
}
