/**
 * One stream of a channel: whole frames in and out. Outbound messages wait here, not yet encoded, until the transport
 * can take them; those of one turn of the event loop leave in one piece. Inbound, reading stops while the owner says so.
 */
import { Uint8ArrayList } from 'uint8arraylist'
import type { Stream } from '@libp2p/interface'
import { A2aError, messageOf } from '../core/errors.ts'
import { MAX_ENVELOPE } from '../wire/envelope.ts'
import { createFlow } from './flow.ts'
import { createFrameReader, framePrefix } from './frames.ts'
import { CHANNEL } from './limits.ts'

export interface ChannelParts {
  stream: Stream
  peer: string
  /** Asked before each frame. While false the stream is paused; call `readOn` when it may have changed. */
  mayRead: () => boolean
  onFrame: (frame: Uint8Array) => void
  /** The bytes are no frames. The stream has been reset. */
  onGarbage: (error: A2aError) => void
  /** Called once, however it ends. */
  onClosed: (why: string) => void
}

export interface Channel {
  /** We opened it. */
  readonly ours: boolean
  /** Queues a message. `taken` settles when the transport has it, or never will. */
  send: (encode: () => Uint8Array) => Outgoing
  /** Messages waiting. */
  queued: () => number
  readOn: () => void
  /** Ends it at once. */
  abort: (why: string) => void
}

export interface Outgoing {
  taken: Promise<void>
  /** Gives up: `taken` rejects, and what was not yet handed to the transport is not sent. */
  cancel: (error: unknown) => void
}

interface Entry {
  encode: () => Uint8Array
  resolve: () => void
  reject: (error: unknown) => void
  given: boolean
}

export function createChannel ({ stream, peer, mayRead, onFrame, onGarbage, onClosed }: ChannelParts): Channel {
  const reader = createFrameReader(MAX_ENVELOPE)
  const queue = new Set<Entry>()
  let closed = false
  let flushing = false
  let reading = false
  const flow = createFlow(stream, mayRead)
  const isOpen = (): boolean => !closed

  function readOn (): void {
    if (reading || closed) return
    reading = true
    try {
      while (isOpen() && mayRead()) {
        const frame = reader.next()
        if (frame === undefined) break
        onFrame(frame)
      }
    } catch (error) {
      const garbage = error instanceof A2aError ? error : new A2aError({ code: 'MESSAGE_MALFORMED', why: messageOf(error) })
      onGarbage(garbage)
      abort(garbage.message)
    } finally {
      reading = false
    }
    if (!closed) flow.update()
  }

  async function flush (): Promise<void> {
    // Lets everything that is sent in this turn of the event loop gather first.
    await new Promise(resolve => { setImmediate(resolve) })
    while (queue.size > 0 && isOpen()) {
      const { entries, bytes } = nextBatch()
      try {
        if (bytes.length > 0 && !stream.send(bytes)) await flow.drained()
      } catch (error) {
        abort(messageOf(error))
      }
      for (const entry of entries) {
        queue.delete(entry)
        if (closed) entry.reject(unreachable('the channel was closed'))
        else entry.resolve()
      }
    }
    flushing = false
  }

  function nextBatch (): { entries: Entry[], bytes: Uint8ArrayList } {
    const entries: Entry[] = []
    const bytes = new Uint8ArrayList()
    for (const entry of queue) {
      try {
        const frame = entry.encode()
        bytes.append(framePrefix(frame.length))
        bytes.append(frame)
        entry.given = true
        entries.push(entry)
      } catch (error) {
        queue.delete(entry)
        entry.reject(error)
      }
      if (bytes.length >= CHANNEL.batchBytes) break
    }
    return { entries, bytes }
  }

  function end (why: string): void {
    if (closed) return
    closed = true
    const error = unreachable(why)
    for (const entry of queue) entry.reject(error)
    queue.clear()
    onClosed(why)
  }

  function abort (why: string): void {
    end(why)
    stream.abort(new Error(why))
  }

  const unreachable = (why: string): A2aError => new A2aError({ code: 'PEER_UNREACHABLE', peer, why })

  stream.inactivityTimeout = 0
  stream.addEventListener('message', ({ data }) => {
    reader.push(data)
    readOn()
  })
  stream.addEventListener('close', ({ error }) => { end(error === undefined ? 'it closed the channel' : messageOf(error)) })
  stream.addEventListener('remoteCloseWrite', () => { abort('it closed the channel') })
  if (stream.status !== 'open') queueMicrotask(() => { end('it closed the channel') })

  return {
    ours: stream.direction === 'outbound',
    send (encode) {
      if (closed) return failed(unreachable('the channel was closed'))
      if (queue.size >= CHANNEL.queued) return failed(new A2aError({ code: 'OVERLOADED', what: `messages waiting for ${peer}`, limit: CHANNEL.queued }))
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const entry: Entry = { encode, resolve, reject, given: false }
      queue.add(entry)
      if (!flushing) {
        flushing = true
        void flush()
      }
      return {
        taken: promise,
        cancel (error) {
          if (!entry.given) queue.delete(entry)
          reject(error)
        }
      }
    },
    queued: () => queue.size,
    readOn,
    abort
  }
}

function failed (error: A2aError): Outgoing {
  return { taken: Promise.reject(error), cancel () {} }
}
