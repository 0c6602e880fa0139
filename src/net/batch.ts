/** Frames put together to be sent in one piece: each write to a socket is a system call, which costs more than copying a small message. */
import { Uint8ArrayList } from 'uint8arraylist'
import type { Envelope } from '../core/envelope.ts'
import { reserve, varintBytes, type Slab } from '../wire/codec.ts'
import { writeEnvelope } from '../wire/envelope.ts'
import { MAX_PREFIX, writePrefix } from './frames.ts'
import { createSpare, sent } from './memory.ts'

export interface Batch {
  /** Adds a message as a frame. @throws A2aError MESSAGE_TOO_LARGE, and then nothing was added */
  add: (envelope: Envelope) => void
  readonly length: number
  finish: () => Uint8Array | Uint8ArrayList
}

/** From this size on, a content goes as it is and is not copied. */
const LARGE = 16 * 1_024
/**
 * Memory that batches take their share of, one after another, and how much of it must be left for a message to begin there: a
 * longer one makes it grow. It is used again once all of it has been sent: V8 takes what is only allocated for a growing
 * heap, and went over all of it seven times a second.
 */
const SLAB_BYTES = 64 * 1_024
const ROOM_BYTES = 4 * 1_024
const SPARE_SLABS = 4
/** Most prefixes are this long: those of frames from 128 bytes to 16 KiB. */
const USUAL_PREFIX = 2

let slab: Slab = { bytes: Buffer.alloc(0), end: 0 }
const take = createSpare(SPARE_SLABS)

/** Only one is filled at a time. */
export function createBatch (): Batch {
  const pieces: Uint8Array[] = []
  let from = slab.end
  let length = 0

  function cut (): void {
    if (slab.end > from) pieces.push(slab.bytes.subarray(from, slab.end))
    from = slab.end
  }

  return {
    add (envelope) {
      if (slab.bytes.length - slab.end < ROOM_BYTES) {
        cut()
        sent(slab.bytes.subarray(slab.end))
        slab = { bytes: take(SLAB_BYTES), end: 0 }
        from = 0
      }
      const start = slab.end
      slab.end += USUAL_PREFIX
      let large: Uint8Array | undefined
      try {
        large = writeEnvelope(slab, envelope, LARGE)
      } catch (error) {
        slab.end = start
        throw error
      }
      const written = slab.end - start - USUAL_PREFIX
      const bytes = written + (large?.length ?? 0)
      const prefix = varintBytes(bytes)
      if (prefix !== USUAL_PREFIX) {
        reserve(slab, MAX_PREFIX)
        slab.bytes.copyWithin(start + prefix, start + USUAL_PREFIX, slab.end)
        slab.end = start + prefix + written
      }
      writePrefix(slab.bytes, start, bytes)
      length += prefix + bytes
      if (large !== undefined) {
        cut()
        pieces.push(large)
      }
    },
    get length () { return length },
    finish () {
      cut()
      return pieces.length === 1 ? pieces[0] as Uint8Array : new Uint8ArrayList(...pieces)
    }
  }
}
