/**
 * Frames on a byte stream: an unsigned varint with the length, then as many bytes. The reader is pulled, so what was
 * received but not taken stays as bytes; and whatever length is claimed, it allocates no more than 16 KiB or twice what has come.
 */
import { A2aError } from '../core/errors.ts'

/** Longest prefix, in bytes. */
export const MAX_PREFIX = 4
const FIRST_ALLOCATION = 16 * 1_024

export interface FrameReader {
  push: (chunk: Uint8Array | Iterable<Uint8Array>) => void
  /**
   * The next whole frame. Small ones share their memory with others: what is kept for long is to be copied.
   * @param limit of bytes, where this frame may have fewer than others
   * @throws A2aError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE: the stream cannot be read on
   */
  next: (limit?: number) => Uint8Array | undefined
}

/** The prefix of a frame of `length` bytes. */
export function framePrefix (length: number): Uint8Array {
  const bytes = new Uint8Array(MAX_PREFIX)
  return bytes.subarray(0, writePrefix(bytes, 0, length))
}

/** Writes it at `at`. Returns where it ends. */
export function writePrefix (bytes: Uint8Array, at: number, length: number): number {
  for (; length > 127; length >>>= 7) bytes[at++] = (length & 127) | 128
  bytes[at++] = length
  return at
}

/** @param release is given each chunk once all of it has been copied into frames */
export function createFrameReader (maxFrame: number, release: (chunk: Uint8Array) => void = () => {}): FrameReader {
  let chunks: Uint8Array[] = []
  let chunk = 0
  let offset = 0
  let prefix = { value: 0, bytes: 0 }
  let body: { length: number, filled: number, bytes: Uint8Array<ArrayBuffer> } | undefined

  function readPrefix (limit: number): boolean {
    for (let byte = readByte(); byte !== undefined; byte = readByte()) {
      prefix = { value: prefix.value + (byte & 127) * 2 ** (7 * prefix.bytes), bytes: prefix.bytes + 1 }
      if (byte < 128) {
        if (prefix.value === 0) throw malformed('a frame without content')
        if (prefix.value > limit) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: prefix.value, limit })
        if (byte === 0) throw malformed('the length of a frame is not in its shortest form')
        body = { length: prefix.value, filled: 0, bytes: new Uint8Array(Buffer.allocUnsafeSlow(Math.min(prefix.value, Math.max(FIRST_ALLOCATION, 2 * waiting()))).buffer) }
        prefix = { value: 0, bytes: 0 }
        return true
      }
      if (prefix.bytes === MAX_PREFIX) throw malformed('the length of a frame takes too many bytes')
    }
    return false
  }

  /** Bytes that are here and not taken. */
  function waiting (): number {
    let bytes = -offset
    for (let i = chunk; i < chunks.length; i++) bytes += chunks[i]?.length ?? 0
    return bytes
  }

  function readByte (): number | undefined {
    const byte = chunks[chunk]?.[offset]
    if (byte !== undefined) advance(1)
    return byte
  }

  function advance (bytes: number): void {
    offset += bytes
    const current = chunks[chunk]
    if (current === undefined || offset < current.length) return
    release(current)
    offset = 0
    chunk++
    if (chunk === chunks.length) {
      chunks = []
      chunk = 0
    }
  }

  function fill (target: NonNullable<typeof body>): boolean {
    for (let piece = chunks[chunk]; piece !== undefined && target.filled < target.length; piece = chunks[chunk]) {
      const taken = piece.subarray(offset, offset + target.length - target.filled)
      if (target.filled + taken.length > target.bytes.length) grow(target, target.filled + taken.length)
      target.bytes.set(taken, target.filled)
      target.filled += taken.length
      advance(taken.length)
    }
    return target.filled === target.length
  }

  /** A frame that is there in one piece, as nearly all are. */
  function whole (limit: number): Uint8Array | undefined {
    const piece = chunks[chunk]
    if (piece === undefined || prefix.bytes > 0) return undefined
    let length = 0
    let at = offset
    for (let bytes = 0; bytes < 2; bytes++) {
      const byte = piece[at++]
      if (byte === undefined) return undefined
      length += (byte & 127) << (7 * bytes)
      if (byte >= 128) continue
      // What is not in order is for the thorough way to say.
      if (length === 0 || length > limit || (byte === 0 && bytes > 0) || piece.length - at < length) return undefined
      const frame = Buffer.from(piece.subarray(at, at + length))
      advance(at + length - offset)
      return frame
    }
    return undefined
  }

  return {
    push (data) {
      for (const piece of data instanceof Uint8Array ? [data] : data) if (piece.length > 0) chunks.push(piece)
    },
    next (limit = maxFrame) {
      if (body === undefined) {
        const frame = whole(limit)
        if (frame !== undefined) return frame
        if (!readPrefix(limit)) return undefined
      }
      if (body === undefined || !fill(body)) return undefined
      const { bytes } = body
      body = undefined
      return bytes
    }
  }
}

/** Doubles, so that a frame in many pieces is copied about twice and not once a piece. */
function grow (target: { length: number, filled: number, bytes: Uint8Array<ArrayBuffer> }, needed: number): void {
  target.bytes = new Uint8Array(target.bytes.buffer.transfer(Math.min(target.length, Math.max(needed, target.bytes.length * 2))))
}

const malformed = (why: string): A2aError => new A2aError({ code: 'MESSAGE_MALFORMED', why })
