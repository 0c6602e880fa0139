/**
 * An agent's background queue: jobs that are kept on disk and attempted until they are done, by driving core/job.ts.
 *
 *   enqueue → waiting (not before, backoff) → ready → running, as a task of its own → settled, dead, expired or cancelled
 *
 * Each attempt is a task of its own, with its own id: its contract, lease and epochs are those of any task, so a provider
 * that wakes up late is fenced off as ever, and nobody is excluded for ever for having failed once.
 */
import { avoiding, outcomeOf } from './attempt.ts'
import { followJob } from './follow.ts'
import { createKeys } from './keys.ts'
import { createLanes } from './lanes.ts'
import { deadLetters, deadMessage, letterOf, readJob, requireDead, requireJob } from './letters.ts'
import { QUEUE } from './limits.ts'
import { jobMachine } from './machine.ts'
import { shifted, specOf } from './spec.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { jobWakeAt, openJob, resumeJob, type Job, type JobEffect, type JobEvent } from '../core/job.ts'
import { createBook } from '../negotiate/book.ts'
import { encodeJson, parseJson, toBase64 } from '../wire/body.ts'
import { hashOf } from '../wire/hash.ts'
import { MAX_CONTENT } from '../wire/messages.ts'
import type { Author } from '../wire/compose.ts'
import type { Agent, AttachOptions, DelegateOptions, Work } from '../core/agent.ts'
import type { EnqueueOptions, Job as JobHandle } from '../core/queue.ts'
import type { Clock, EventLog, Logger } from '../core/ports.ts'
import type { TaskEvent } from '../core/task.ts'

export interface QueueParts {
  author: Author
  log: EventLog
  /** Goes on evenly (core/clock.ts): a clock that is set lets no job expire, and keeps none back. */
  clock: Clock
  /** The time of day, which callers go by. Default: the same. */
  wall?: Clock
  logger: Logger
  /** Delegates an attempt as the task of this id. */
  delegate: (capability: string, input: unknown, options: DelegateOptions, attempt: { taskId: string, jobId: string, idempotencyKey: string }) => Work
  /** The events of a task, from its first on. `undefined`: there is none. */
  attach: (taskId: string, options?: AttachOptions) => AsyncIterable<TaskEvent> | undefined
  cancel: (taskId: string, why: string) => Promise<void>
  /** Whether somebody is known, or found in this time, who offers it. */
  isOffered: (capability: string, options: { to?: string, timeoutMs: number }) => Promise<boolean>
}

export interface Queue extends Pick<Agent, 'enqueue' | 'dead'> {
  /** The events of a job after a number, and on until it ends or the signal aborts. `undefined`: not a job of this agent. */
  attach: (jobId: string, options?: AttachOptions) => AsyncIterableIterator<TaskEvent> | undefined
  /** @throws A2aError TASK_UNKNOWN; REFUSED when it has ended */
  cancel: (jobId: string, why: string) => Promise<void>
  /** The task that it is being attempted as. */
  taskOf: (jobId: string) => string | undefined
  counts: () => { waiting: number, running: number, dead: number }
  /** Goes on with what the log says is open. The requester's end must have done so before. */
  recover: () => void
  close: () => void
}

export function createQueue (parts: QueueParts): Queue {
  const { author, log, clock, wall = clock, logger } = parts
  const { agentId } = author
  const keys = createKeys({ agentId, log, clock })
  /** Jobs that wait or run, and those that were given up, the oldest first. */
  const open = new Set<string>()
  const dead = new Set<string>()
  const watched = new Map<string, PromiseWithResolvers<void>>()
  let stopPruning = (): void => {}
  let closed = false

  const book = createBook<Job, JobEvent, JobEffect>(jobMachine, {
    agentId, log, clock, logger, perform,
    entered: (jobId, job) => {
      if (jobWakeAt(job) === undefined) open.delete(jobId)
      else open.add(jobId)
      if (job.stage === 'dead') dead.add(jobId)
      else dead.delete(jobId)
    },
    takeUp: jobId => {
      const job = readJob(log, jobId)?.job
      if (job === undefined) return
      lanes.leave(jobId, laneOf(job), false)
      resume(jobId, job)
    }
  })
  const lanes = createLanes({
    clock,
    isOffered: lane => {
      const [capability = '', to] = lane.split(' ')
      return parts.isOffered(capability, { to, timeoutMs: QUEUE.lookMs })
    },
    start: jobId => {
      book.apply(jobId, { type: 'started', at: clock.now(), taskId: author.newId() }).done.catch(error => {
        logger.error('an attempt could not be kept, so it was not begun', { jobId, why: messageOf(error) })
        const lane = laneOf(stateOf(jobId))
        lanes.leave(jobId, lane, true)
        lanes.queue(jobId, lane)
      })
    }
  })

  /** A job as it stands; one that ended before a restart, or long ago, is in the log. */
  function recall (jobId: string): Job | undefined {
    const job = book.get(jobId)
    if (job !== undefined) return job
    if (log.task('job', jobId)?.agent !== agentId) return undefined
    const past = readJob(log, jobId)?.job
    if (past !== undefined) book.restore(jobId, past, [])
    return past
  }

  const stateOf = (jobId: string): Job => requireJob(recall(jobId), jobId)

  function perform (jobId: string, effect: JobEffect, job: Job): void {
    switch (effect.type) {
      case 'queue': return lanes.queue(jobId, laneOf(job))
      case 'run': return void attempt(jobId, effect.taskId, job)
      case 'stop':
        parts.cancel(effect.taskId, effect.why).catch(error => { logger.warn('an attempt could not be stopped', { jobId, why: messageOf(error) }) })
        return
      case 'changed': return tell(jobId)
    }
  }

  function tell (jobId: string): void {
    const job = book.get(jobId)
    if (job !== undefined && job.stage !== 'running' && job.stage !== 'ready') lanes.leave(jobId, laneOf(job), false)
    watched.get(jobId)?.resolve()
    watched.delete(jobId)
    const [oldest] = dead
    if (dead.size <= QUEUE.dead || oldest === undefined) return
    logger.warn('too many dead letters: the oldest is dropped', { jobId: oldest, limit: QUEUE.dead })
    recall(oldest)
    happen(oldest, { type: 'dropped', at: clock.now() })
  }

  /** What has happened is kept as soon as the disk takes it. */
  function happen (jobId: string, event: JobEvent): void {
    book.apply(jobId, event).done.catch(error => {
      logger.error('what became of a job could not be kept; it is tried again', { jobId, event: event.type, why: messageOf(error) })
      if (!closed) clock.after(QUEUE.retryMs, () => { happen(jobId, event) })
    })
  }

  /** Goes on with a job as the log has it. */
  function resume (jobId: string, job: Job): void {
    if (job.stage === 'running') lanes.enter(jobId, laneOf(job))
    book.restore(jobId, job, resumeJob(job))
  }

  async function attempt (jobId: string, taskId: string, job: Job): Promise<void> {
    try {
      const outcome = await outcomeOf(taskId, parts.attach(taskId) ?? delegate(jobId, taskId, job))
      lanes.leave(jobId, laneOf(job), outcome.type === 'unstarted')
      happen(jobId, outcome)
    } catch (error) {
      logger.error('an attempt at a job could not be made', { jobId, taskId, why: messageOf(error) })
      lanes.leave(jobId, laneOf(job), true)
      happen(jobId, { type: 'unstarted', at: clock.now(), taskId, failure: { code: 'INTERNAL', why: messageOf(error) } })
    }
  }

  function delegate (jobId: string, taskId: string, { spec, attempts }: Job): Work {
    const past = readJob(log, jobId)
    const { maxDurationMs = 60_000, ...terms } = spec.terms
    return parts.delegate(spec.capability, parseJson(past?.input), {
      ...terms,
      output: past?.output,
      maxDurationMs: Math.max(1, Math.min(maxDurationMs, spec.expiresAt - clock.now())),
      policy: avoiding(attempts)
    }, { taskId, jobId, idempotencyKey: spec.idempotencyKey ?? jobId })
  }

  async function enqueue (capability: string, value: unknown, options: EnqueueOptions = {}): Promise<JobHandle> {
    const input = encodeJson(value)
    if (input.length > MAX_CONTENT) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: input.length, limit: MAX_CONTENT })
    const spec = specOf(capability, shifted(options, clock.now() - wall.now()), { jobId: author.newId(), requester: agentId, createdAt: clock.now(), inputHash: hashOf(input) })
    const { jobId, idempotencyKey } = spec
    const put = (): Promise<void> => keep(spec, input, options.output)
    if (idempotencyKey === undefined) {
      await put()
      return handleOf(jobId)
    }
    const known = await keys.jobOf(idempotencyKey, jobId, put)
    const job = stateOf(known)
    if (job.spec.inputHash !== spec.inputHash || job.spec.capability !== capability) {
      throw new A2aError({ code: 'BAD_USAGE', why: `the idempotency key "${idempotencyKey}" stands for job ${known}, which has another capability or input`, hint: 'use a key for one thing only' })
    }
    return handleOf(known)
  }

  async function keep (spec: Job['spec'], input: Buffer, output: EnqueueOptions['output']): Promise<void> {
    const { jobId, createdAt } = spec
    if (open.size >= QUEUE.open) throw new A2aError({ code: 'OVERLOADED', what: 'jobs in the queue', limit: QUEUE.open })
    const { job, effects } = openJob(spec)
    try {
      await book.open(jobId, { task: job, effects }, { type: 'enqueued', at: createdAt, spec, input: toBase64(input), output })
    } catch (error) {
      open.delete(jobId)
      throw error
    }
  }

  const attach: Queue['attach'] = (jobId, { after = 0, signal } = {}) => {
    if (recall(jobId) === undefined) return undefined
    const changed = async (): Promise<void> => {
      const news = watched.get(jobId) ?? Promise.withResolvers<void>()
      watched.set(jobId, news)
      await news.promise
    }
    return followJob(jobId, { read: page => log.eventsOf('job', jobId, page), changed, attach: parts.attach, after, signal })
  }

  async function cancel (jobId: string, why: string): Promise<void> {
    const { stage } = stateOf(jobId)
    if (!open.has(jobId)) throw new A2aError({ code: 'REFUSED', why: `job ${jobId} is ${stage} already; see: a2a-node task show ${jobId}` })
    await book.apply(jobId, { type: 'cancelled', at: clock.now(), why }).done
  }

  function handleOf (jobId: string): JobHandle {
    const events = (): AsyncIterableIterator<TaskEvent> => attach(jobId) as AsyncIterableIterator<TaskEvent>
    let result: JobHandle['result'] | undefined
    return {
      id: jobId,
      get result () { return result ??= resultOf(events()) },
      [Symbol.asyncIterator]: events,
      cancel: (why = 'its owner asked for it') => cancel(jobId, why)
    }
  }

  return {
    enqueue,
    attach,
    cancel,
    dead: {
      list: () => deadLetters(log, agentId),
      show: jobId => deadMessage(log, stateOf(jobId).spec.jobId),
      replay: async jobId => {
        const { spec } = requireDead(recall(jobId), jobId)
        const at = clock.now()
        await book.apply(jobId, { type: 'replayed', at, expiresAt: at + spec.expiresAt - Math.max(spec.createdAt, spec.notBefore ?? 0) }).done
        return handleOf(jobId)
      },
      drop: async jobId => {
        const letter = letterOf(requireDead(recall(jobId), jobId))
        await book.apply(jobId, { type: 'dropped', at: clock.now() }).done
        return letter
      }
    },
    taskOf: jobId => {
      const job = recall(jobId)
      return job?.stage === 'running' ? job.taskId : undefined
    },
    counts: () => {
      const running = book.active().filter(([, { stage }]) => stage === 'running').length
      return { waiting: open.size - running, running, dead: dead.size }
    },
    recover: () => {
      for (const { taskId: jobId } of log.tasks({ agent: agentId, role: 'job', ended: false }).toReversed()) {
        const job = readJob(log, jobId)?.job
        if (job !== undefined) resume(jobId, job)
      }
      const prune = (): void => {
        keys.prune()
        stopPruning = clock.after(QUEUE.horizonMs / 24, prune)
      }
      prune()
    },
    close: () => {
      closed = true
      stopPruning()
      lanes.close()
      book.close()
    }
  }
}

/** Jobs that want the same of the same take turns with the others. */
const laneOf = ({ spec: { capability, terms: { to } } }: Job): string => to === undefined ? capability : `${capability} ${to}`

async function resultOf (events: AsyncIterable<TaskEvent>): JobHandle['result'] {
  for await (const event of events) {
    if (event.event === 'failed') throw new A2aError(event.failure)
    if (event.event === 'result') {
      const { output, receipt, provider, epoch, cost, spent = 0 } = event
      return { output, receipt, provider, epoch, cost, spent }
    }
  }
  throw new A2aError({ code: 'INTERNAL', why: 'the events of a job have no end' })
}
