/**
 * Receive windows of yamux streams that are opened again by quarters. @libp2p/yamux 8.0 answers each data frame with a window
 * update: 13,000 small messages for 847 MB, each of which may wake the sender. As the sender has most of a window left, it does
 * not wait for one that comes later. By halves it would, now and then: measured, a sixth slower.
 */
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import type { yamux } from '@libp2p/yamux'

/** What this needs of YamuxStream. */
interface WindowedStream {
  state: number
  recvWindow: number
  recvWindowCapacity: number
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
        openByQuarters(stream)
        return stream
      }
      muxer.onRemoteStream = stream => {
        openByQuarters(stream)
        onRemoteStream(stream)
      }
      // Asks for the round trip once: without it no window ever grows. Without a deadline: yamux ends the connection when an
      // answer comes after one.
      muxer.ping().catch(() => {})
      return muxer as unknown as StreamMuxer
    }
  }
}

function openByQuarters (stream: object): void {
  if (!isWindowed(stream)) return
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    if (stream.state !== ESTABLISHED || stream.recvWindowCapacity <= stream.recvWindow * 3 / 4) update()
  }
}

const isWindowed = (stream: object): stream is WindowedStream =>
  'state' in stream && 'recvWindow' in stream && 'recvWindowCapacity' in stream && 'sendWindowUpdate' in stream
