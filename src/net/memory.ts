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

const waiting = new WeakMap<ArrayBufferLike, () => void>()

/**
 * Calls back when a buffer that was written to a stream, up to its last byte, may be used again. That may never come: at the
 * end of the stream, or where its connection is no TCP.
 */
export function whenSent (buffer: ArrayBufferLike, use: () => void): void {
  waiting.set(buffer, use)
}

/** A piece has been encrypted. Those before it in its buffer have been already. */
export function sent ({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (byteOffset + byteLength !== buffer.byteLength) return
  const use = waiting.get(buffer)
  if (use === undefined) return
  waiting.delete(buffer)
  use()
}
