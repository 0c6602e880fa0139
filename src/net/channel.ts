/**
 * One stream of a channel: whole frames in and out. Outbound messages wait in the outbox, not yet encoded, until the
 * transport can take them; those of one turn of the event loop leave in one piece. Inbound, reading stops while the
 * owner says so.
 */
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Stream } from '@libp2p/interface'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import type { Envelope } from '../core/envelope.ts'
import { MAX_ENVELOPE } from '../wire/envelope.ts'
import { laneOf, type Lane } from '../wire/messages.ts'
import { createBatch } from './batch.ts'
import { createFlow } from './flow.ts'
import { createFrameReader } from './frames.ts'
import { countForHeap } from './heap.ts'
import { CHANNEL } from './limits.ts'
import { createOutbox } from './outbox.ts'
import { heard } from './vigil.ts'

export interface ChannelParts {
  stream: Stream
  peer: string
  /** Asked before each frame. While false the stream is paused; call `readOn` when it may have changed. */
  mayRead: () => boolean
  onFrame: (frame: Uint8Array) => void
  /** The bytes are no frames. The stream has been reset. */
  onGarbage: (error: A2aError) => void
  /** Called once, however it ends. `parted`: it is not needed any more, and both ends live. */
  onClosed: (why: string, parted: boolean) => void
  clock: Clock
}

export interface Channel {
  /** We opened it. */
  readonly ours: boolean
  /** Queues a message. `undefined` when it could not, and `onFailed` has been called. */
  send: (envelope: Envelope, options?: Sending) => Queued | undefined
  /** True when the message will not be sent, and then neither callback is called. */
  takeBack: (message: Queued) => boolean
  /** When something was last received, in ms since the epoch. */
  heardAt: () => number
  /** Messages waiting. */
  queued: () => number
  readOn: () => void
  /** Ends it at once. */
  abort: (why: string) => void
  /** Ends it with a farewell, so that the other side does not take us for dead. Never rejects. */
  part: (signal: AbortSignal) => Promise<void>
}

export interface Sending {
  /** Default: that of the message's type. */
  lane?: Lane
  /** The transport has it. */
  onTaken?: () => void
  /** How long it may wait for the transport, in ms since the epoch. OVERLOADED then. Default: for ever. */
  until?: number
  /** The transport never will have it. */
  onFailed?: (error: unknown) => void
}

/** A message in the outbox. */
export interface Queued extends Sending {
  envelope: Envelope
  lane: Lane
  caller: string
  bytes: number
}

/** A message that waited for the transport all its time. */
export const notRead = (peer: string): A2aError => new A2aError({ code: 'OVERLOADED', what: `messages waiting for ${peer}, which does not read`, limit: CHANNEL.queued })

/** What an envelope has beside its content, about, in bytes. */
const HEAD_BYTES = 300

export function createChannel ({ stream, peer, mayRead, onFrame, onGarbage, onClosed, clock }: ChannelParts): Channel {
  const reader = createFrameReader(MAX_ENVELOPE)
  const outbox = createOutbox<Queued>()
  let heardAt = clock.now()
  let closed = false
  let parted = false
  let flushing = false
  /** Messages of this turn of the event loop. */
  let gathered = 0
  /** The last turn had several messages. */
  let crowded = false
  let reading = false
  /** Frames that came. */
  let frames = 0
  /** What the transport was given and has not taken yet. */
  let given: Queued[] = []
  const flow = createFlow(stream, mayRead)
  const isOpen = (): boolean => !closed

  function readOn (): void {
    if (reading || closed) return
    reading = true
    try {
      while (isOpen() && mayRead()) {
        const frame = reader.next()
        if (frame === undefined) break
        frames++
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

  /**
   * What is sent in one turn of the event loop leaves together at its end, or as soon as it is worth a write: then the other
   * end works at it while the rest is still being made. While there is one message a turn it leaves at once: nobody follows it.
   */
  function scheduleFlush (): void {
    if (flushing) return
    gathered++
    if (gathered === 1) {
      setImmediate(() => {
        crowded = gathered > 1
        gathered = 0
        if (!flushing && outbox.size > 0) start()
      })
    }
    if (gathered === 1 ? !crowded : outbox.size >= CHANNEL.worthAWrite) start()
  }

  function start (): void {
    flushing = true
    void flush()
  }

  async function flush (): Promise<void> {
    while (outbox.size > 0 && isOpen()) {
      const { entries, bytes } = nextBatch()
      given = entries
      try {
        if (entries.length > 0 && !stream.send(bytes)) await drained()
      } catch (error) {
        abort(messageOf(error))
      }
      const failure = isOpen() ? undefined : unreachable('the channel was closed')
      const ended = given
      given = []
      for (const { onTaken, onFailed } of ended) {
        if (failure === undefined) onTaken?.()
        else onFailed?.(failure)
      }
    }
    flushing = false
  }

  /** While the other side does not read, those who have waited too long are told. */
  async function drained (): Promise<void> {
    const look = (): void => {
      const isLate = ({ until = Infinity }: Queued): boolean => until <= clock.now()
      const late = [...given.filter(isLate), ...outbox.removeAll(isLate)]
      given = given.filter(entry => !late.includes(entry))
      for (const { onFailed } of late) onFailed?.(notRead(peer))
      stop = clock.after(CHANNEL.lookMs, look)
    }
    let stop = clock.after(CHANNEL.lookMs, look)
    try {
      await flow.drained()
    } finally {
      stop()
    }
  }

  function nextBatch (): { entries: Queued[], bytes: Uint8Array | Uint8ArrayList } {
    const entries: Queued[] = []
    const batch = createBatch()
    while (batch.length < CHANNEL.batchBytes) {
      const entry = outbox.next()
      if (entry === undefined) break
      try {
        batch.add(entry.envelope)
        entries.push(entry)
      } catch (error) {
        entry.onFailed?.(error)
      }
    }
    return { entries, bytes: batch.finish() }
  }

  function end (why: string): void {
    if (closed) return
    closed = true
    const error = unreachable(why)
    for (const { onFailed } of outbox.clear()) onFailed?.(error)
    onClosed(why, parted)
  }

  function abort (why: string): void {
    end(why)
    stream.abort(new Error(why))
  }

  const unreachable = (why: string): A2aError => new A2aError({ code: 'PEER_UNREACHABLE', peer, why })

  stream.inactivityTimeout = 0
  stream.addEventListener('message', ({ data }) => {
    heardAt = clock.now()
    countForHeap()
    reader.push(data)
    const before = frames
    readOn()
    heard(crowded || frames - before > 1)
  })
  stream.addEventListener('close', ({ error }) => { end(error === undefined ? 'it closed the channel' : messageOf(error)) })
  stream.addEventListener('remoteCloseWrite', () => {
    parted = true
    abort('it closed the channel')
  })
  if (stream.status !== 'open') queueMicrotask(() => { end('it closed the channel') })

  return {
    ours: stream.direction === 'outbound',
    send (envelope, { lane = laneOf(envelope.type), until, onTaken, onFailed } = {}) {
      if (closed || outbox.size >= CHANNEL.queued) {
        onFailed?.(closed ? unreachable('the channel was closed') : new A2aError({ code: 'OVERLOADED', what: `messages waiting for ${peer}`, limit: CHANNEL.queued }))
        return undefined
      }
      const entry: Queued = { envelope, lane, caller: envelope.from, bytes: HEAD_BYTES + (envelope.content?.length ?? 0), until, onTaken, onFailed }
      outbox.add(entry)
      scheduleFlush()
      return entry
    },
    takeBack: outbox.remove,
    heardAt: () => heardAt,
    queued: () => outbox.size,
    readOn,
    abort,
    async part (signal) {
      if (closed) return
      parted = true
      end('it is not needed any more')
      try {
        await stream.close({ signal })
      } catch (error) {
        stream.abort(new Error(messageOf(error)))
      }
    }
  }
}
