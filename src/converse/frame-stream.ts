/** A byte stream as frames, taken one by one: what was not taken stays as bytes. */
import { createFrameReader } from '../net/frames.ts'
import type { ByteStream } from '../net/streams.ts'

export interface FrameStream {
  /** The next frame, when it is here. @throws A2aError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE: the stream cannot be read on */
  take: (limit: number) => Uint8Array | undefined
  /** Waits for more bytes. False: there are no more. @throws A2aError PEER_UNREACHABLE */
  more: () => Promise<boolean>
}

export function readFrames (stream: ByteStream): FrameStream {
  const reader = createFrameReader(0, stream.release)
  const chunks = stream[Symbol.asyncIterator]()
  return {
    take: reader.next,
    async more () {
      const { done, value } = await chunks.next()
      if (done === true) return false
      reader.push(value)
      return true
    }
  }
}
