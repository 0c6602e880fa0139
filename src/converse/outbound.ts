/**
 * What one end of a dialogue says. Messages wait here for room in the window that the other end grants; what may leave is
 * gathered for a turn of the event loop and leaves in one piece. Everything else overtakes messages that wait.
 */
import { Uint8ArrayList } from 'uint8arraylist'
import { A2aError } from '../core/errors.ts'
import { LARGE_BYTES } from '../net/memory.ts'
import type { ByteStream } from '../net/streams.ts'
import { encodeMore, type Message } from './frames.ts'
import { DIALOGUE } from './limits.ts'

export interface Outbound {
  /** Resolves once there was room for it. @throws A2aError OVERLOADED, or what `stop` was given */
  send: (message: Message) => Promise<void>
  /** Resolves when no message waits any more. */
  idle: () => Promise<unknown>
  /** A frame that takes no room, before all messages that wait. */
  urge: (frame: Uint8Array) => void
  /** The other end has room for more. @throws A2aError MESSAGE_MALFORMED when it is more than was sent */
  grant: (bytes: number) => void
  /** We have room for more: the other end is to hear of it. */
  tellMore: (bytes: number) => void
  /** Rejects what waits and what comes; what may leave already still leaves, unless `atOnce`. */
  stop: (error: A2aError, atOnce?: boolean) => void
  /** Hands over what may leave, and ends the stream. */
  close: () => Promise<void>
}

type Waiting = Message & PromiseWithResolvers<void>

const TAKEN = Promise.resolve()

/** @param onBroken the stream takes no more */
export function createOutbound (stream: ByteStream, onBroken: (error: unknown) => void): Outbound {
  const waiting: Waiting[] = []
  let waitingBytes = 0
  let leaving: Uint8Array[] = []
  let leavingBytes = 0
  let room: number = DIALOGUE.windowBytes
  let more = 0
  let stopped: A2aError | undefined
  let gathering = false
  let busy = false
  let writing = TAKEN

  function leave (frame: Uint8Array): void {
    leaving.push(frame)
    leavingBytes += frame.length
    gather()
  }

  function gather (): void {
    if (busy) return
    if (leavingBytes >= DIALOGUE.batchBytes) flush()
    else if (!gathering) {
      gathering = true
      setImmediate(() => {
        gathering = false
        flush()
      })
    }
  }

  function flush (): void {
    if (!busy) writing = write()
  }

  async function write (): Promise<void> {
    busy = true
    try {
      while (leaving.length > 0 || more > 0) await stream.write(nextBatch())
    } catch (error) {
      onBroken(error)
    } finally {
      busy = false
    }
  }

  function nextBatch (): Uint8Array | Uint8ArrayList {
    if (more > 0) leaving.push(encodeMore(more))
    const areSmall = leavingBytes < leaving.length * LARGE_BYTES
    const batch = areSmall && leaving.length > 1 ? Buffer.concat(leaving) : new Uint8ArrayList(...leaving)
    more = 0
    leaving = []
    leavingBytes = 0
    return batch
  }

  function enqueue (message: Message): Promise<void> {
    const taken = Promise.withResolvers<void>()
    // The end of the dialogue is told by its iteration too: not awaiting this one is no reason for a process to end.
    taken.promise.catch(() => {})
    waiting.push({ ...message, ...taken })
    waitingBytes += message.cost
    return taken.promise
  }

  function admit (): void {
    while (room > 0) {
      const next = waiting.shift()
      if (next === undefined) return
      waitingBytes -= next.cost
      room -= next.cost
      leave(next.frame)
      next.resolve()
    }
  }

  return {
    send (message) {
      if (stopped !== undefined) return rejected(stopped)
      const { frame, cost } = message
      if (waiting.length === 0 && room > 0) {
        room -= cost
        leave(frame)
        return TAKEN
      }
      if (waitingBytes + cost > DIALOGUE.waitingBytes) throw new A2aError({ code: 'OVERLOADED', what: 'bytes that wait to be sent in a dialogue: send did not wait for the one before', limit: DIALOGUE.waitingBytes })
      return enqueue(message)
    },
    idle: () => waiting.at(-1)?.promise.catch(() => {}) ?? TAKEN,
    urge: leave,
    grant (bytes) {
      if (bytes === 0 || room + bytes > DIALOGUE.windowBytes) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'in a dialogue: it grants what was not taken' })
      room += bytes
      admit()
    },
    tellMore (bytes) {
      more += bytes
      gather()
    },
    stop (error, atOnce = false) {
      stopped ??= error
      if (atOnce) {
        leaving = []
        leavingBytes = 0
      }
      waitingBytes = 0
      for (const { reject } of waiting.splice(0)) reject(error)
    },
    async close () {
      flush()
      await writing
      await stream.end()
    }
  }
}

/** A rejection that nobody has to handle. */
export function rejected (error: A2aError): Promise<never> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}
