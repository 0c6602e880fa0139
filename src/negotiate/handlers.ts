/**
 * The handlers at work under contract: each has a lease that is renewed while it runs, a way to talk to its requester, and
 * an end, by itself or by abort.
 */
import { LRUCache } from 'lru-cache'
import { A2aError, messageOf, toFailure, type Failure } from '../core/errors.ts'
import { epochOf, termsOf, type ProviderTask, type Outcome } from '../core/provider.ts'
import { BYTES_TYPE, encodeJson, JSON_TYPE, parseJson } from '../wire/body.ts'
import { MAX_CONTENT, type MessageName, type Payload } from '../wire/messages.ts'
import { createStream, type Extra, type TaskStream } from './stream.ts'
import type { TaskContext } from '../core/agent.ts'
import type { JsonSchema } from '../core/capability.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Delegations } from './delegations.ts'

export interface HandlersParts {
  clock: Clock
  logger: Logger
  /** Sends to the task's requester, under the contract as it stands. */
  tell: <T extends MessageName>(taskId: string, type: T, payload: Payload<T>, extra?: Extra) => Promise<void>
  /** What a handler delegates, with what the task leaves it. */
  delegations: (task: Working, remainingMs: () => number, signal: AbortSignal) => Delegations
  /** The deadline of a task, which a new award may have moved. */
  deadlineOf: (taskId: string) => number | undefined
  /** A handler has ended by itself. `spent`: what its delegations came to. */
  onEnded: (taskId: string, outcome: Outcome, spent: number) => void
}

type Working = ProviderTask & { stage: 'working' }

export interface Handlers {
  start: (taskId: string, task: Working, input: Uint8Array, run: (input: unknown, context: TaskContext) => Promise<unknown>) => void
  abort: (taskId: string, failure: Failure) => void
  isRunning: (taskId: string) => boolean
  /** What the delegations of the newest run came to, once it has ended. `undefined`: none is known. */
  spentBy: (taskId: string) => Promise<number> | undefined
  /** Answers the question that was asked first. False: nothing was asked. */
  answer: (taskId: string, value: unknown) => boolean
  /** Aborts all, with what is to be told of each. Resolves when the last has ended. */
  endAll: (why: (capability: string) => Failure, told: (taskId: string, failure: Failure, spent: number) => Promise<void>) => Promise<void>
}

interface Running {
  abort: AbortController
  capability: string
  delegations: Delegations
  answers: Array<PromiseWithResolvers<unknown>>
  stream: TaskStream
  stopBeating: () => void
  /** Resolves to what its delegations came to. */
  ended: Promise<number>
}

/** A lease is renewed this often within its time. */
const BEATS_PER_LEASE = 3
/** But no more often than this, in ms, whatever lease somebody asks for. */
const MIN_BEAT_MS = 25
const MAX_NOTE = 512
const MAX_NAME = 256
/** Runs of which it is known what their delegations came to. */
const REMEMBERED = 10_000

export function createHandlers ({ clock, logger, tell, delegations, deadlineOf, onEnded }: HandlersParts): Handlers {
  const running = new Map<string, Running>()
  const spendings = new LRUCache<string, Promise<number>>({ maxSize: REMEMBERED, sizeCalculation: () => 1 })

  const start: Handlers['start'] = (taskId, task, input, run) => {
    const { capability, deadlineAt } = task
    const abort = new AbortController()
    const remainingMs = (): number => Math.max(0, (deadlineOf(taskId) ?? deadlineAt) - clock.now())
    const entry: Running = {
      abort, capability,
      delegations: delegations(task, remainingMs, abort.signal),
      stream: createStream({ clock, logger, signal: abort.signal, tell: (type, payload, extra) => tell(taskId, type, payload, extra) }),
      answers: [], stopBeating: beat(taskId, task.contract.leaseMs), ended: Promise.resolve(0)
    }
    running.set(taskId, entry)
    const work = async (): Promise<unknown> => await run(parseJson(input), contextFor(taskId, task, entry, remainingMs))
    entry.ended = outcomeOf(capability, work, entry.stream).then(async outcome => {
      const spent = await entry.delegations.end({ code: 'CANCELLED', taskId, why: 'the work it was part of has ended' })
      entry.stopBeating()
      // One that was aborted and ends late has no say in the work that took its place.
      if (running.get(taskId) === entry) {
        running.delete(taskId)
        onEnded(taskId, outcome, spent)
      }
      return spent
    })
    spendings.set(taskId, entry.ended)
  }

  /** From this thread, so that a process that hangs is silent. */
  function beat (taskId: string, leaseMs: number): () => void {
    let stop = (): void => {}
    const next = (): void => {
      stop = clock.after(Math.max(MIN_BEAT_MS, leaseMs / BEATS_PER_LEASE), () => {
        tell(taskId, 'task.heartbeat', {}).catch(error => { logger.debug('a heartbeat was not sent', { taskId, why: messageOf(error) }) })
        next()
      })
    }
    next()
    return () => { stop() }
  }

  function contextFor (taskId: string, task: Working, entry: Running, remainingMs: () => number): TaskContext {
    const { abort: { signal }, delegations: { left, delegate } } = entry
    return {
      taskId, signal, remainingMs, delegate,
      get budget () { return left() },
      capability: task.capability,
      terms: termsOf(task),
      requester: task.requester,
      idempotencyKey: task.contract.idempotencyKey,
      visited: task.call.visited,
      traceparent: task.call.traceparent,
      epoch: epochOf(task),
      progress: (fraction, note) => {
        const share = fraction === undefined ? undefined : Math.min(1, Math.max(0, fraction))
        entry.stream.progress({ fraction: share, note: note?.slice(0, MAX_NOTE) })
      },
      artifact: async (name, data, { mediaType, append = false, last = false } = {}) => {
        if (name.length > MAX_NAME) throw new A2aError({ code: 'BAD_USAGE', why: `the name of an artifact has at most ${MAX_NAME} characters` })
        const part = encodePart(data, mediaType)
        const bytes = part.content.length
        if (bytes > MAX_CONTENT) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes, limit: MAX_CONTENT })
        await entry.stream.say('task.artifact', { name, append, last }, part)
      },
      requireInput: (prompt, schema) => ask(taskId, entry, prompt, schema)
    }
  }

  async function ask (taskId: string, entry: Running, prompt: string, schema?: JsonSchema): Promise<unknown> {
    const { signal } = entry.abort
    const answer = Promise.withResolvers<unknown>()
    // It may be aborted while the question is still under way; then `tell` throws, or the await below does.
    answer.promise.catch(() => {})
    entry.answers.push(answer)
    const onAbort = (): void => { answer.reject(signal.reason) }
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      await entry.stream.sayNow('task.input-required', { prompt, schema })
      return await answer.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  return {
    start,
    isRunning: taskId => running.has(taskId),
    abort: (taskId, failure) => { running.get(taskId)?.abort.abort(new A2aError(failure)) },
    spentBy: taskId => spendings.get(taskId),
    answer: (taskId, value) => {
      const question = running.get(taskId)?.answers.shift()
      question?.resolve(value)
      return question !== undefined
    },
    endAll: async (why, told) => {
      await Promise.allSettled([...running].map(async ([taskId, { capability, abort, ended }]) => {
        const failure = why(capability)
        running.delete(taskId)
        abort.abort(new A2aError(failure))
        await told(taskId, failure, await ended)
      }))
    }
  }
}

/** What a handler's run comes to, once its requester has all that it said. */
async function outcomeOf (capability: string, run: () => Promise<unknown>, stream: TaskStream): Promise<Outcome> {
  try {
    const output = await run().catch(async error => {
      // What it said before it failed comes first; that this could not be said is not why.
      await stream.flushed().catch(() => {})
      throw error
    })
    await stream.flushed()
    const bytes = Buffer.byteLength(JSON.stringify(output ?? null))
    if (bytes > MAX_CONTENT) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes, limit: MAX_CONTENT })
    return { outcome: 'completed', output }
  } catch (error) {
    return { outcome: 'failed', failure: toFailure(error, why => ({ code: 'HANDLER_FAILED', capability, why, retryable: true })) }
  }
}

function encodePart (data: unknown, mediaType?: string): { content: Uint8Array, mediaType: string } {
  // Its owner may use these bytes for something else before they are sent.
  if (data instanceof Uint8Array) return { content: new Uint8Array(data), mediaType: mediaType ?? BYTES_TYPE }
  if (typeof data === 'string') return { content: Buffer.from(data), mediaType: mediaType ?? 'text/plain' }
  return { content: encodeJson(data), mediaType: mediaType ?? JSON_TYPE }
}
