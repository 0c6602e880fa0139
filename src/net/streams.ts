/**
 * Byte streams of their own beside the channel, for what is too large or lasts too long for it: content, dialogues.
 * Each end is held up by the other: a writer waits while the reader does not read, and nothing piles up in between.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import type { Connection, Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { Channels } from './channels.ts'
import { takeDirectly } from './direct.ts'
import { createFlow } from './flow.ts'
import { holdHeap } from './heap.ts'
import type { Host } from './libp2p.ts'
import { CHANNEL, STREAMS } from './limits.ts'
import { releaseReceived } from './memory.ts'
import { createPipe } from './pipe.ts'
import { narrow } from './windows.ts'

/** One end of a stream. Iterate it once. */
export interface ByteStream extends AsyncIterable<Uint8Array | Uint8ArrayList> {
  /** The other end, as the Noise handshake has proven it. Its hello has come: `net.speakers` knows its agents. */
  readonly peer: string
  /** Resolves when more may be written. The bytes must not be changed afterwards. @throws A2aError PEER_UNREACHABLE */
  write: (bytes: Uint8Array | Uint8ArrayList) => Promise<void>
  /** No more will be written; reading goes on. */
  end: () => Promise<void>
  /** Ends both ways at once. The other side's reads and writes reject. */
  abort: (why: string) => void
  /** Gives back the memory of bytes that were read and that nobody looks at any more. Optional, and worth it where megabytes stream by. */
  release: (bytes: Uint8Array | Uint8ArrayList) => void
  /** Aborted once the stream has ended both ways, or was aborted. */
  readonly closed: AbortSignal
}

/** `windowBytes`: how far the receive window may grow. Default: as far as any. */
export interface StreamLimits { inboundPerPeer: number, windowBytes?: number }

export interface OpenOptions extends Pick<StreamLimits, 'windowBytes'> {
  /** Multiaddrs to try when the peer is not connected. */
  addresses?: string[]
  /** For the connection and the stream, in ms. Default 5,000. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface Streams {
  /** Who takes the streams of a protocol, each once its peer's hello has come. One handler a protocol. */
  handle: (protocol: string, handler: (stream: ByteStream) => void, limits: StreamLimits) => Promise<void>
  /** A new stream to a peer, which may be ourselves. @throws A2aError PEER_UNREACHABLE; the signal's reason */
  open: (peer: string, protocol: string, options?: OpenOptions) => Promise<ByteStream>
  /** Aborts all: libp2p would end them as if all had been said. */
  close: (why: string) => void
}

export interface StreamsParts {
  self: string
  host: Host
  channels: Channels
  logger: Logger
}

export function createStreams ({ self, host, channels, logger }: StreamsParts): Streams {
  const handlers = new Map<string, (stream: ByteStream) => void>()
  const open = new Set<ByteStream>()

  function keep (stream: Stream, peer: string, windowBytes?: number): ByteStream {
    if (windowBytes !== undefined) narrow(stream, windowBytes)
    const bytes = toByteStream(stream, peer)
    open.add(bytes)
    bytes.closed.addEventListener('abort', () => { open.delete(bytes) }, { once: true })
    return bytes
  }

  async function accept (protocol: string, stream: Stream, peer: string, windowBytes?: number): Promise<void> {
    const bytes = keep(stream, peer, windowBytes)
    try {
      await channels.meet(peer)
      handlers.get(protocol)?.(bytes)
    } catch (error) {
      logger.debug('a stream was refused', { peer, protocol, why: messageOf(error) })
      bytes.abort('no hello came')
    }
  }

  function openToSelf (protocol: string): ByteStream {
    const handler = handlers.get(protocol)
    if (handler === undefined) throw new A2aError({ code: 'PEER_UNREACHABLE', peer: self, why: `${protocol} is not spoken here` })
    const [ours, theirs] = createPipe(self, STREAMS.readAhead)
    queueMicrotask(() => { handler(theirs) })
    return ours
  }

  async function openTo (peer: string, protocol: string, { addresses, timeoutMs = CHANNEL.requestMs, signal, windowBytes }: OpenOptions = {}): Promise<ByteStream> {
    signal?.throwIfAborted()
    if (peer === self) return openToSelf(protocol)
    await channels.meet(peer, addresses, timeoutMs)
    signal?.throwIfAborted()
    const within = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])])
    try {
      return keep(await connectionTo(peer).newStream([protocol], { signal: within, maxOutboundStreams: STREAMS.outbound }), peer, windowBytes)
    } catch (error) {
      signal?.throwIfAborted()
      throw new A2aError({ code: 'PEER_UNREACHABLE', peer, why: messageOf(error) }, { cause: error })
    }
  }

  function connectionTo (peer: string): Connection {
    const connection = host.getConnections(peerIdFromString(peer)).find(({ status }) => status === 'open')
    if (connection === undefined) throw new Error('the connection was closed')
    return connection
  }

  return {
    async handle (protocol, handler, { inboundPerPeer, windowBytes }) {
      handlers.set(protocol, handler)
      await host.handle(protocol, (stream, connection) => { void accept(protocol, stream, connection.remotePeer.toString(), windowBytes) }, { maxInboundStreams: inboundPerPeer })
    },
    open: openTo,
    close (why) { for (const stream of open) stream.abort(why) }
  }
}

function toByteStream (stream: Stream, peer: string): ByteStream {
  const chunks: Array<Uint8Array | Uint8ArrayList> = []
  const closed = new AbortController()
  let waiting = 0
  let ended = false
  let failure: A2aError | undefined
  let wake = (): void => {}
  let moved = 0
  const flow = createFlow(stream, () => waiting < STREAMS.readAhead)

  function count (bytes: number): void {
    const before = moved
    moved += bytes
    if (before >= STREAMS.heldFromBytes || moved < STREAMS.heldFromBytes || closed.signal.aborted) return
    closed.signal.addEventListener('abort', holdHeap(), { once: true })
  }

  stream.inactivityTimeout = 0
  function take (bytes: Uint8Array | Uint8ArrayList): void {
    chunks.push(bytes)
    waiting += bytes.byteLength
    count(bytes.byteLength)
    flow.update()
    wake()
  }
  takeDirectly(stream, take)
  stream.addEventListener('message', ({ data }) => { take(data) })
  stream.addEventListener('remoteCloseWrite', () => {
    ended = true
    wake()
  })
  stream.addEventListener('close', ({ error }) => {
    // A connection that closes well is no end of a stream that did not say that it ends.
    if (!ended) failure ??= broken(error === undefined ? 'the connection was closed' : messageOf(error))
    ended = true
    closed.abort()
    wake()
  })

  const broken = (why: string): A2aError => new A2aError({ code: 'PEER_UNREACHABLE', peer, why })

  async function * read (): AsyncGenerator<Uint8Array | Uint8ArrayList> {
    try {
      for (;;) {
        const chunk = chunks.shift()
        if (chunk !== undefined) {
          waiting -= chunk.byteLength
          flow.update()
          yield chunk
        } else if (failure !== undefined) throw failure
        else if (ended && stream.readBufferLength === 0) return
        else await new Promise<void>(resolve => { wake = resolve })
      }
    } finally {
      chunks.length = 0
      waiting = 0
    }
  }

  return {
    peer,
    closed: closed.signal,
    async write (bytes) {
      if (failure !== undefined) throw failure
      count(bytes.byteLength)
      try {
        for (let from = 0; from < bytes.byteLength && stream.status === 'open'; from += STREAMS.pieceBytes) {
          const piece = bytes.byteLength <= STREAMS.pieceBytes ? bytes : pieceOf(bytes, from)
          if (!stream.send(piece)) await flow.drained()
        }
      } catch (error) {
        throw broken(messageOf(error))
      }
      if (stream.status !== 'open') throw failure ?? broken('the stream was closed')
    },
    async end () {
      try {
        await stream.close()
      } catch (error) {
        throw failure ?? broken(messageOf(error))
      }
    },
    abort (why) {
      failure ??= broken(why)
      stream.abort(new Error(why))
      closed.abort()
      wake()
    },
    release: releaseReceived,
    [Symbol.asyncIterator]: read
  }
}

function pieceOf (bytes: Uint8Array | Uint8ArrayList, from: number): Uint8Array | Uint8ArrayList {
  const until = Math.min(bytes.byteLength, from + STREAMS.pieceBytes)
  return bytes instanceof Uint8Array ? bytes.subarray(from, until) : bytes.sublist(from, until)
}
