/** What the leader of a run and its processes say to each other over IPC. Times in ms. */
import type { Poison } from './fault.ts'

export type ToWorker =
  | Start
  /** Delegates at `rate` tasks a second, and puts jobs into its queue at `jobs` a second; over the first `rampMs` it grows up to that. */
  | { type: 'work', rate: number, jobs: number, rampMs: number, capabilities: string[], maxDurationMs: number, leaseMs: number }
  /** Asks for nothing more. */
  | { type: 'rest' }
  /** How many tasks and jobs of its own are open. */
  | { type: 'count' }
  /** Puts a job into its queue, and tells when that is over. */
  | { type: 'enqueue', capability: string }
  | { type: 'end' }

export interface Start {
  type: 'start'
  home: string
  rendezvous: string
  listen: string
  bootstrap: string[]
  name: string
  capability: string
  poison?: Poison
  /** What a task takes at most, in ms, and a tenth of it at least. */
  workMs: number
  /** How much of the tasks takes 1 to 3 s, 0 to 1. */
  long: number
  /** Where what its handlers did is written down. */
  effects: string
  /** Where all processes note what jobs were attempted. */
  attempts: string
}

export type FromWorker =
  | { type: 'ready', agentId: string, tookMs: number }
  /** The task is on disk: its owner may rely on it. */
  | { type: 'acknowledged', taskId: string, at: number }
  | { type: 'told', taskId: string, at: number, event: unknown }
  /** A handler is at work, or no more. */
  | { type: 'began' | 'ceased', taskId: string, epoch: number, at: number }
  /** A job is in the queue. */
  | { type: 'enqueued', jobId: string }
  /** The job that it was told to put there is settled or given up, or could not be put there. */
  | { type: 'over' }
  | { type: 'counted', open: number }
  | { type: 'failed', why: string }
