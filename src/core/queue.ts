/** The library's face of the background queue: what `agent.enqueue` and `agent.dead` take and give. Types only. */
import type { DelegateOptions, WorkResult } from './agent.ts'
import type { Failure } from './errors.ts'
import type { Attempt } from './job.ts'
import type { TaskEvent } from './task.ts'

export interface EnqueueOptions extends Pick<DelegateOptions, 'maxCostTokens' | 'to' | 'leaseMs' | 'bidWindowMs' | 'output'> {
  /** Milliseconds for each attempt. Default 60,000. */
  maxDurationMs?: number
  /**
   * The same key gives the same job and its outcome, and nothing is done twice: until 24 h after it has ended, and for as
   * long as it is a dead letter. At most 128 characters.
   */
  idempotencyKey?: string
  /** Milliseconds since the epoch: not attempted earlier. */
  notBefore?: number
  /** Milliseconds since the epoch: not attempted later, and it ends with EXPIRED. Default: 7 days from now, or from `notBefore`. */
  expiresAt?: number
  /** Handlers that are started for it at most, one after the other. Then it is a dead letter. Default 5. */
  maxAttempts?: number
}

/** A job in the queue. */
export interface Job extends AsyncIterable<TaskEvent> {
  readonly id: string
  /** Starts to wait for its end when it is first asked for. @throws A2aError DEAD_LETTER, EXPIRED, CANCELLED */
  readonly result: Promise<WorkResult>
  cancel: (why?: string) => Promise<void>
}

export interface DeadLetters {
  /** The oldest first. */
  list: () => DeadLetter[]
  /** The whole message, and what became of each attempt. @throws A2aError TASK_UNKNOWN, REFUSED when it is none */
  show: (jobId: string) => DeadMessage
  /** Puts it into the queue again, with as many attempts and as much time as at first. @throws A2aError TASK_UNKNOWN, REFUSED when it is none, LOG_WRITE_FAILED */
  replay: (jobId: string) => Promise<Job>
  /** Gives it up for good; its history stays in the log. @throws A2aError TASK_UNKNOWN, REFUSED when it is none, LOG_WRITE_FAILED */
  drop: (jobId: string) => Promise<DeadLetter>
}

/** A job that was given up. Times in ms since the epoch. */
export interface DeadLetter {
  jobId: string
  capability: string
  enqueuedAt: number
  diedAt: number
  /** What the last attempt failed with. */
  failure: Failure
  /** All there were, also before it was replayed. */
  attempts: Attempt[]
}

export interface DeadMessage extends DeadLetter {
  input: unknown
  options: EnqueueOptions
}
