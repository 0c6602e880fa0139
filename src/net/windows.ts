/**
 * Receive windows of yamux streams (@libp2p/yamux 8.0; docs/performance.md has what each gains):
 *
 * - A window may grow to `STREAMS.windowBytes`; of a stream that should share the connection evenly, less far (`narrow`).
 * - It is opened again by quarters. Stock yamux answers each data frame with a window update, a small message that may wake the
 *   sender: 13,000 of them for 847 MB. As the sender has most of a window left, it does not wait for one that comes later.
 *   That of a narrow stream goes with whatever is sent next, and by itself only once half is gone: its reader answers anyway.
 * - Of protocols that send one message a stream it is not opened again: who sends more finds that nobody takes it.
 * - Nothing is said to a connection that has ended. Stock yamux throws there, out of resume(): from a stream whose connection has
 *   ended but which has not been told yet, or has been and is read to its end.
 */
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import type { yamux } from '@libp2p/yamux'
import { Uint8ArrayList } from 'uint8arraylist'
import { takeDirectly } from './direct.ts'
import { STREAMS } from './limits.ts'

/** What this needs of YamuxStream. */
interface WindowedStream {
  maxStreamWindowSize: number
  state: number
  recvWindow: number
  recvWindowCapacity: number
  sendWindowUpdate: () => void
  /** Empty until it is agreed on. */
  protocol: string
}

/** StreamState.Established: before it, a window update carries the opening of the stream. */
const ESTABLISHED = 3
/** With no more left than this of its first window, a stream is one that windows may grow for. Most connections have none. */
const MUCH = 15 / 16

/**
 * yamux with windows that grow, and that are opened again by quarters.
 * @param brief a protocol with one message a stream
 */
export const windowed = (create: ReturnType<typeof yamux>, brief: string) => (): StreamMuxerFactory => {
  const factory = create()
  return {
    protocol: factory.protocol,
    createStreamMuxer (connection) {
      const muxer = factory.createStreamMuxer(connection)
      const createStream = muxer.createStream.bind(muxer)
      const onRemoteStream = muxer.onRemoteStream.bind(muxer)
      const send = muxer.send.bind(muxer)
      /** Streams whose windows are opened with whatever is sent next, and what they say. */
      const waiting = new Set<() => void>()
      let said: Uint8ArrayList | undefined
      muxer.send = bytes => {
        if (said !== undefined) {
          said.append(bytes)
          return true
        }
        if (waiting.size === 0) return send(bytes)
        const all = said = new Uint8ArrayList()
        try {
          for (const open of waiting) open()
        } finally {
          said = undefined
        }
        all.append(bytes)
        return send(all)
      }
      let isAsked = false
      /** Once, for without it no window ever grows. Without a deadline: yamux ends the connection when an answer comes after one. */
      const askRoundTrip = (): void => {
        if (isAsked) return
        isAsked = true
        muxer.ping().catch(() => {})
      }
      muxer.createStream = async options => {
        const stream = await createStream(options)
        tune(stream, connection, { brief, waiting, onMuch: askRoundTrip })
        return stream
      }
      muxer.onRemoteStream = stream => {
        tune(stream, connection, { brief, waiting, onMuch: askRoundTrip })
        onRemoteStream(stream)
      }
      takeDirectly(connection, bytes => {
        try {
          muxer.onData(bytes)
        } catch (error) {
          muxer.abort(error as Error)
          connection.abort(error as Error)
        }
      })
      return muxer as unknown as StreamMuxer
    }
  }
}

/** Lets the receive window of a stream grow no further than this: what others on the same connection may have to wait behind. */
export function narrow (stream: object, bytes: number): void {
  if (isWindowed(stream)) stream.maxStreamWindowSize = bytes
}

interface Tuning {
  brief: string
  /** Those who open a window when something is sent. */
  waiting: Set<() => void>
  onMuch: () => void
}

function tune (stream: object, connection: MessageStream, { brief, waiting, onMuch }: Tuning): void {
  if (!isWindowed(stream)) return
  const update = stream.sendWindowUpdate.bind(stream)
  const open = (): void => {
    waiting.delete(open)
    if (connection.status === 'open') update()
  }
  stream.sendWindowUpdate = () => {
    const { state, recvWindow, recvWindowCapacity: left, maxStreamWindowSize: most } = stream
    if (state !== ESTABLISHED) {
      open()
      return
    }
    if (stream.protocol === brief || left > recvWindow * MUCH || connection.status !== 'open') return
    onMuch()
    if (left > recvWindow * 3 / 4) return
    if (most < STREAMS.windowBytes && left > recvWindow / 2) waiting.add(open)
    else open()
  }
}

const isWindowed = (stream: object): stream is WindowedStream =>
  ['maxStreamWindowSize', 'state', 'recvWindow', 'recvWindowCapacity', 'sendWindowUpdate', 'protocol'].every(member => member in stream)
