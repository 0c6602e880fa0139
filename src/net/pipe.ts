/** Two ends of a byte stream within this process: agents of one node talk like those of two. */
import { A2aError } from '../core/errors.ts'
import type { ByteStream } from './streams.ts'

/** One direction: what was written and not yet read. */
interface Half {
  chunks: Array<Parameters<ByteStream['write']>[0]>
  bytes: number
  ended: boolean
  wakeReader: () => void
  wakeWriter: () => void
}

/** @param readAhead bytes that may wait unread before a writer is held up */
export function createPipe (peer: string, readAhead: number): [ByteStream, ByteStream] {
  const closed = new AbortController()
  const halves: [Half, Half] = [emptyHalf(), emptyHalf()]
  let failure: A2aError | undefined
  const isOpen = (): boolean => failure === undefined

  function abort (why: string): void {
    failure ??= new A2aError({ code: 'PEER_UNREACHABLE', peer, why })
    close()
  }

  function close (): void {
    closed.abort()
    for (const half of halves) {
      half.wakeReader()
      half.wakeWriter()
    }
  }

  const endOf = (incoming: Half, outgoing: Half): ByteStream => ({
    peer,
    closed: closed.signal,
    abort,
    // They are the writer's own.
    release () {},
    async write (bytes) {
      if (failure !== undefined) throw failure
      if (outgoing.ended) throw new A2aError({ code: 'PEER_UNREACHABLE', peer, why: 'the stream was ended' })
      outgoing.chunks.push(bytes)
      outgoing.bytes += bytes.byteLength
      outgoing.wakeReader()
      while (outgoing.bytes > readAhead && isOpen()) await new Promise<void>(resolve => { outgoing.wakeWriter = resolve })
      if (failure !== undefined) throw failure
    },
    async end () {
      outgoing.ended = true
      outgoing.wakeReader()
      if (incoming.ended) close()
    },
    async * [Symbol.asyncIterator] () {
      for (;;) {
        const chunk = incoming.chunks.shift()
        if (chunk !== undefined) {
          incoming.bytes -= chunk.byteLength
          incoming.wakeWriter()
          yield chunk
        } else if (failure !== undefined) throw failure
        else if (incoming.ended) return
        else await new Promise<void>(resolve => { incoming.wakeReader = resolve })
      }
    }
  })

  return [endOf(halves[0], halves[1]), endOf(halves[1], halves[0])]
}

const emptyHalf = (): Half => ({ chunks: [], bytes: 0, ended: false, wakeReader () {}, wakeWriter () {} })
