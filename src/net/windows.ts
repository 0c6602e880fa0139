/**
 * Receive windows of yamux streams (@libp2p/yamux 8.0; docs/performance.md has what each gains):
 *
 * - A window grows to 1 MiB, but where a break has to be expected only with what has come: each one loses a small part of that.
 * - It is opened again by quarters. Stock yamux answers each data frame with a window update, a small message that may wake the
 *   sender: 13,000 of them for 847 MB. As the sender has most of a window left, it does not wait for one that comes later.
 */
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import type { yamux } from '@libp2p/yamux'
import { takeDirectly } from './direct.ts'
import { STREAMS } from './limits.ts'

/** What this needs of YamuxStream. */
interface WindowedStream {
  state: number
  recvWindow: number
  recvWindowCapacity: number
  maxStreamWindowSize: number
  sendWindowUpdate: () => void
}

/** StreamState.Established: before it, a window update carries the opening of the stream. */
const ESTABLISHED = 3

/** yamux with windows that grow, and that are opened again by quarters. */
export const windowed = (create: ReturnType<typeof yamux>) => (): StreamMuxerFactory => {
  const factory = create()
  return {
    protocol: factory.protocol,
    createStreamMuxer (connection) {
      const muxer = factory.createStreamMuxer(connection)
      const createStream = muxer.createStream.bind(muxer)
      const onRemoteStream = muxer.onRemoteStream.bind(muxer)
      muxer.createStream = async options => {
        const stream = await createStream(options)
        tune(stream)
        return stream
      }
      muxer.onRemoteStream = stream => {
        tune(stream)
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
      // Asks for the round trip once: without it no window ever grows. Without a deadline: yamux ends the connection when an
      // answer comes after one.
      muxer.ping().catch(() => {})
      return muxer as unknown as StreamMuxer
    }
  }
}

const careful = new WeakMap<object, () => void>()

/** From now on a stream's window is what yamux begins with, or a small part of what has come since, if that is more. */
export const growSlowly = (stream: object): void => { careful.get(stream)?.() }

function tune (stream: object): void {
  if (!isWindowed(stream)) return
  const initial = stream.recvWindow
  const update = stream.sendWindowUpdate.bind(stream)
  let received = Infinity
  careful.set(stream, () => {
    received = 0
    stream.recvWindow = initial
    stream.maxStreamWindowSize = initial
  })
  stream.sendWindowUpdate = () => {
    const { state, recvWindow, recvWindowCapacity: left } = stream
    // Of one that is paused nothing is said, and so nothing is counted.
    if (state !== ESTABLISHED) return update()
    if (left > recvWindow * 3 / 4) return
    received += recvWindow - left
    stream.maxStreamWindowSize = Math.min(STREAMS.windowBytes, Math.max(initial, received / STREAMS.carefulPart))
    update()
  }
}

const isWindowed = (stream: object): stream is WindowedStream =>
  ['state', 'recvWindow', 'recvWindowCapacity', 'maxStreamWindowSize', 'sendWindowUpdate'].every(member => member in stream)
