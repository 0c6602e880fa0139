/**
 * Memory given back by hand. Bytes that stream by in pieces of 64 KiB weigh on the collector more than all that is done with
 * them: it goes over the whole heap every 50 MB. A buffer is detached, and whoever still looked at it would find it empty;
 * so only those are that nobody else can look at.
 */
import type { Uint8ArrayList } from 'uint8arraylist'

/** From here it is worth it; less is the allocator's daily bread. */
export const LARGE_BYTES = 16_384
/** Header of a yamux frame. */
const HEADER_BYTES = 12

/** Of a piece that is all of its buffer. */
export function release ({ buffer, byteLength }: Uint8Array): void {
  if (byteLength >= LARGE_BYTES && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/**
 * Of bytes that a stream has handed out. A piece that runs to the end of its record and has only room for its own header
 * before it is alone in there. All others are left to the collector.
 */
export function releaseReceived (bytes: Uint8Array | Uint8ArrayList): void {
  for (const { buffer, byteOffset, byteLength } of bytes instanceof Uint8Array ? [bytes] : bytes) {
    const isAlone = byteOffset === HEADER_BYTES && byteOffset + byteLength === buffer.byteLength
    if (isAlone && byteLength >= LARGE_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0)
  }
}

interface Counted {
  sent: number
  use: () => void
}

const counted = new WeakMap<ArrayBufferLike, Counted>()

/**
 * Gives buffers to write to streams, of whatever size, and one again once all of it has been sent, in whatever order. Nothing of it
 * may be written twice. Some never come back, and are left to the collector: at the end of a stream, or where its connection is no TCP.
 * @param most how many are kept
 */
export function createSpare (most: number): (bytes: number) => Buffer {
  const spare: Buffer[] = []
  return bytes => {
    const at = spare.findIndex(({ length }) => length === bytes)
    const buffer = at < 0 ? Buffer.allocUnsafeSlow(bytes) : spare.splice(at, 1)[0] as Buffer
    const use = (): void => {
      if (spare.length === most) spare.shift()
      spare.push(buffer)
    }
    counted.set(buffer.buffer, { sent: 0, use })
    return buffer
  }
}

/** A piece has been encrypted, or nobody will write it. */
export function sent ({ buffer, byteLength }: Uint8Array): void {
  const known = counted.get(buffer)
  if (known === undefined) return
  known.sent += byteLength
  if (known.sent < buffer.byteLength) return
  counted.delete(buffer)
  known.use()
}
