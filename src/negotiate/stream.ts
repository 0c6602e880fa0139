/**
 * What a handler says to its requester, as one stream: numbered, in the order of the calls, and one at a time, so that nothing
 * overtakes what has to be said again. What wants an acknowledgement is kept and sent again until the requester has it on disk:
 * a requester that was killed and comes back hears on from the last that it has.
 */
import { orAborted } from '../core/deadline.ts'
import { A2aError, messageOf, toFailure, type FailureCode } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { MessageName, Payload } from '../wire/messages.ts'

/** What a message under a contract carries beside its payload. */
export interface Extra {
  sequence?: number
  content?: Uint8Array
  mediaType?: string
  /** Wait until the requester has taken it. */
  acknowledged?: boolean
}

/** Sends to the task's requester, under the contract as it stands. */
export type Tell = <T extends MessageName>(type: T, payload: Payload<T>, extra?: Extra) => Promise<void>

export interface TaskStream {
  /** Said once, when it is its turn. Of several that wait in a row the last is said. */
  progress: (payload: Payload<'task.progress'>) => void
  /**
   * Says it until the requester has it. Resolves when so little waits that more may follow; what the requester refuses ends the stream.
   * @throws A2aError OVERLOADED, and what ended the stream
   */
  say: <T extends MessageName>(type: T, payload: Payload<T>, extra?: Extra) => Promise<void>
  /** The same, but resolves when the requester has it. What it refuses ends nothing else. */
  sayNow: <T extends MessageName>(type: T, payload: Payload<T>, extra?: Extra) => Promise<void>
  /** Resolves when the requester has it all. @throws A2aError what ended the stream before */
  flushed: () => Promise<void>
}

export interface StreamParts {
  clock: Clock
  logger: Logger
  tell: Tell
  /** Ends it: what waits is not said any more. */
  signal: AbortSignal
}

/** What waits for one requester, in bytes. Beyond the first the handler waits; beyond the second, which only one that does not wait comes to, it is refused. */
export const STREAM_BYTES = { kept: 8 * 1_024 * 1_024, most: 16 * 1_024 * 1_024 } as const
/** A message counts as so many bytes at least. */
const MESSAGE_BYTES = 1_024
/** Rests before something is said again, in ms. */
const AGAIN_MS = [50, 100, 200, 400, 800]
/** What a requester that is away, or has no room or disk just now, answers: it may have it later. */
const PASSING: ReadonlySet<FailureCode> = new Set<FailureCode>(['PEER_UNREACHABLE', 'NO_REPLY', 'OVERLOADED', 'LOG_WRITE_FAILED'])

interface Message {
  send: (sequence: number) => Promise<void>
  /** It is said once, and may be lost. */
  passing: boolean
  /** Its caller hears what became of it. */
  awaited: boolean
  bytes: number
  taken: PromiseWithResolvers<void>
}

export function createStream ({ clock, logger, tell, signal }: StreamParts): TaskStream {
  const queue: Message[] = []
  let bytes = 0
  let sequence = 0
  let sending = false
  let failed: A2aError | undefined
  /** Something of what waits is gone. */
  let less = Promise.withResolvers<void>()

  const put = (message: Message): void => {
    // Whoever called `say` has not asked for this: what it missed it hears from the next call, or from `flushed`.
    message.taken.promise.catch(() => {})
    queue.push(message)
    bytes += message.bytes
    if (!sending) void sendAll()
  }

  async function sendAll (): Promise<void> {
    sending = true
    for (let message = queue[0]; message !== undefined && failed === undefined; message = queue[0]) {
      try {
        await sendOne(message)
        message.taken.resolve()
      } catch (error) {
        if (message.awaited && !signal.aborted) message.taken.reject(error)
        else end(error)
      }
      if (queue[0] === message) queue.shift()
      bytes -= message.bytes
      tellLess()
    }
    sending = false
  }

  async function sendOne (message: Message): Promise<void> {
    // One number, however often it is said: the requester knows by it what it has.
    const number = ++sequence
    for (let again = 0; ; again++) {
      signal.throwIfAborted()
      try {
        return await message.send(number)
      } catch (error) {
        if (message.passing) return logger.debug('progress was not sent', { why: messageOf(error) })
        if (!PASSING.has(toFailure(error).code)) throw error
        logger.debug('a requester does not take what is said to it; it is said again', { sequence: number, why: messageOf(error) })
        await rest(AGAIN_MS[Math.min(again, AGAIN_MS.length - 1)] as number)
      }
    }
  }

  const rest = async (ms: number): Promise<void> => {
    const over = Promise.withResolvers<void>()
    const cancel = clock.after(ms, over.resolve)
    await orAborted(over.promise, signal)
    cancel()
  }

  /** Nothing more is said: what waits has failed. */
  function end (error: unknown): void {
    failed ??= signal.aborted ? asError(signal.reason) : asError(error)
    for (const message of queue.splice(0)) message.taken.reject(failed)
    tellLess()
  }

  const tellLess = (): void => {
    less.resolve()
    less = Promise.withResolvers()
  }

  /** Waits until no more than so many bytes wait. */
  const until = async (most: number): Promise<void> => {
    const waits = (): boolean => bytes > most && failed === undefined
    while (waits()) await less.promise
    if (failed !== undefined) throw failed
  }

  const keep = <T extends MessageName>(type: T, payload: Payload<T>, extra: Extra = {}, awaited = false): Message => {
    if (failed !== undefined) throw failed
    signal.throwIfAborted()
    const message: Message = {
      send: number => tell(type, payload, { ...extra, sequence: number, acknowledged: true }),
      passing: false,
      awaited,
      bytes: MESSAGE_BYTES + (extra.content?.length ?? 0),
      taken: Promise.withResolvers()
    }
    if (bytes + message.bytes > STREAM_BYTES.most) throw new A2aError({ code: 'OVERLOADED', what: 'bytes of artifacts that wait for their requester', limit: STREAM_BYTES.most })
    put(message)
    return message
  }

  signal.addEventListener('abort', () => { end(signal.reason) }, { once: true })
  return {
    progress: payload => {
      if (failed !== undefined) return
      const message: Message = { send: number => tell('task.progress', payload, { sequence: number }), passing: true, awaited: false, bytes: MESSAGE_BYTES, taken: Promise.withResolvers() }
      // The first is under way.
      const last = queue.length > 1 ? queue.at(-1) : undefined
      if (last?.passing === true) last.send = message.send
      else put(message)
    },
    say: async (type, payload, extra) => {
      keep(type, payload, extra)
      await until(STREAM_BYTES.kept)
    },
    sayNow: async (type, payload, extra) => await keep(type, payload, extra, true).taken.promise,
    flushed: () => until(0)
  }
}

const asError = (error: unknown): A2aError => error instanceof A2aError ? error : new A2aError(toFailure(error), { cause: error })
