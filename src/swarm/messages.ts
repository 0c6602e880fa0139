/** What the supervisor and its workers say to each other over IPC. */
import type { PlannedAgent } from './plan.ts'

export type ToWorker =
  | { type: 'start', home: string, rendezvous: string, agents: PlannedAgent[] }
  /** Find all of these agents. */
  | { type: 'discover', expected: string[], timeoutMs: number }
  /** Delegate at `rate` tasks a second until told to drain. */
  | { type: 'traffic', rate: number, capabilities: string[] }
  /** Start nothing more, wait for what is open, at most `timeoutMs`, then report. */
  | { type: 'drain', timeoutMs: number }
  | { type: 'end' }

export type FromWorker =
  | { type: 'ready', agents: string[], node: SwarmNode, elapsedMs: number }
  | { type: 'discovered', found: number, elapsedMs: number }
  | { type: 'stats', stats: WorkerStats }
  /** Times of single tasks and searches, in ms. `awardMs`: from asking to the first award. */
  | { type: 'drained', stats: WorkerStats, taskMs: number[], awardMs: number[], findMs: number[] }
  | { type: 'failed', why: string }

/** Where the node of a process is. */
export interface SwarmNode {
  pid: number
  peerId: string
  addresses: string[]
}

export interface WorkerStats {
  found: number
  started: number
  completed: number
  /** Failed, or completed with a wrong result. */
  failed: number
  open: number
  /** Awards after the first, of one task. */
  reawards: number
  /** Failures by code; WRONG_RESULT for what was not what it should be. */
  failures: Record<string, number>
  rssBytes: number
  /** CPU time used so far, user and system, in ms. */
  cpuMs: number
}
