/** Reads frames and raw bytes, by turns, from a byte stream. A frame is its length in 4 bytes, big-endian, and JSON in UTF-8. */
import { A2aError, messageOf } from '../core/errors.ts'
import type { Clock } from '../core/ports.ts'
import type { ByteStream } from '../net/streams.ts'
import { FRAME_BYTES } from './limits.ts'

export interface ContentReader {
  /** The next frame; `undefined` at a clean end. @throws A2aError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, NO_REPLY when it is late */
  frame: (withinMs: number) => Promise<Record<string, unknown> | undefined>
  /** Fills `target` with raw bytes. Only the time spent waiting for the other side counts. @throws A2aError NO_REPLY, MESSAGE_MALFORMED at an end */
  take: (target: Uint8Array, withinMs: number) => Promise<void>
}

export function createReader (stream: ByteStream, clock: Clock): ContentReader {
  const pieces = stream[Symbol.asyncIterator]()
  let chunk: Iterator<Uint8Array> | undefined
  let taken: Awaited<ReturnType<typeof pieces.next>>['value'] | undefined
  let piece = new Uint8Array() as Uint8Array

  /** The next piece that is there or comes in time; empty at the end. */
  async function advance (until: { leftMs: number }): Promise<boolean> {
    for (;;) {
      const next = chunk?.next()
      if (next !== undefined && next.done !== true) {
        piece = next.value
        if (piece.length > 0) return true
        continue
      }
      if (taken !== undefined) stream.release(taken)
      const begun = clock.now()
      const cancel = clock.after(Math.max(0, until.leftMs), () => { stream.abort('it was too slow') })
      const { value, done } = await pieces.next().finally(cancel)
      until.leftMs -= clock.now() - begun
      if (done === true) return false
      taken = value
      chunk = value instanceof Uint8Array ? [value].values() : value[Symbol.iterator]()
    }
  }

  async function fill (target: Uint8Array, withinMs: number): Promise<number> {
    const until = { leftMs: withinMs }
    let filled = 0
    try {
      while (filled < target.length) {
        if (piece.length === 0 && !await advance(until)) return filled
        const part = piece.subarray(0, target.length - filled)
        target.set(part, filled)
        filled += part.length
        piece = piece.subarray(part.length)
      }
    } catch (error) {
      if (until.leftMs <= 0) throw new A2aError({ code: 'NO_REPLY', peer: stream.peer, type: 'content', waitedMs: withinMs }, { cause: error })
      throw error
    }
    return filled
  }

  return {
    async frame (withinMs) {
      const prefix = new Uint8Array(4)
      const read = await fill(prefix, withinMs)
      if (read === 0) return undefined
      const length = new DataView(prefix.buffer).getUint32(0)
      if (length > FRAME_BYTES) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: length, limit: FRAME_BYTES })
      const body = new Uint8Array(length)
      if (read < 4 || await fill(body, withinMs) < length) throw malformed('a frame was cut off')
      return parse(body)
    },
    async take (target, withinMs) {
      if (await fill(target, withinMs) < target.length) throw malformed('the bytes of a chunk were cut off')
    }
  }
}

function parse (body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString())
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (error) {
    throw malformed(`a frame is no JSON: ${messageOf(error)}`)
  }
  throw malformed('a frame is no object')
}

/** A frame to be written. */
export function frameOf (value: object): Uint8Array {
  const body = Buffer.from(JSON.stringify(value))
  const prefix = Buffer.alloc(4)
  prefix.writeUInt32BE(body.length)
  return Buffer.concat([prefix, body])
}

const malformed = (why: string): A2aError => new A2aError({ code: 'MESSAGE_MALFORMED', why })
