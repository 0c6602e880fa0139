import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Envelope } from '../../src/core/envelope.ts'
import { createBatch } from '../../src/net/batch.ts'
import { createFrameReader } from '../../src/net/frames.ts'
import { sent } from '../../src/net/memory.ts'
import { decodeEnvelope, MAX_ENVELOPE } from '../../src/wire/envelope.ts'

const message = (number: number, bytes: number): Envelope => ({
  version: 1, messageId: `m${number}`, correlationId: `m${number}`, from: 'did:key:z', timestamp: 0, type: 'tell', payload: {}, content: Buffer.alloc(bytes, number)
})

const piecesOf = (envelopes: Envelope[]): Uint8Array[] => {
  const batch = createBatch()
  for (const envelope of envelopes) batch.add(envelope)
  const bytes = batch.finish()
  return bytes instanceof Uint8Array ? [bytes] : [...bytes]
}

/** As what sends does it: what was read is of no use to anybody any more. */
const take = (pieces: Uint8Array[]): Uint8Array[] => pieces.map(piece => {
  const copy = Uint8Array.from(piece)
  sent(piece)
  return copy
})

test('memory is used again once all of it was sent', () => {
  const buffers = new Set<ArrayBufferLike>()
  for (let i = 0; i < 5_000; i++) {
    const pieces = piecesOf([message(i, 300)])
    for (const { buffer } of pieces) buffers.add(buffer)
    take(pieces)
  }
  // Two megabytes, in pieces of 64 KiB: 30 of them otherwise.
  assert.ok(buffers.size <= 3, `${buffers.size} buffers`)
})

test('what still waits is never written over, in whatever order streams send', () => {
  const bytes = fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.constantFrom(3_900, 5_000, 16_383, 16_384, 70_000))
  const step = fc.oneof({ weight: 3, arbitrary: fc.record({ stream: fc.nat(2), sizes: fc.array(bytes, { minLength: 1, maxLength: 40 }) }) }, { weight: 2, arbitrary: fc.record({ stream: fc.nat(2) }) })
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), steps => {
    const streams = [0, 1, 2].map(() => ({ waiting: [] as Array<{ pieces: Uint8Array[], from: number, sizes: number[] }> }))
    let count = 0
    const check = ({ waiting }: (typeof streams)[number]): void => {
      const next = waiting.shift()
      if (next === undefined) return
      const reader = createFrameReader(MAX_ENVELOPE)
      for (const piece of take(next.pieces)) reader.push(piece)
      for (const [i, size] of next.sizes.entries()) {
        const frame = reader.next()
        assert.ok(frame)
        const { messageId, content } = decodeEnvelope(frame)
        assert.equal(messageId, `m${next.from + i}`)
        assert.deepEqual(Buffer.from(content ?? []), Buffer.alloc(size, next.from + i))
      }
      assert.equal(reader.next(), undefined)
    }
    for (const { stream, ...rest } of steps) {
      const at = streams[stream] as (typeof streams)[number]
      if (!('sizes' in rest)) { check(at); continue }
      at.waiting.push({ pieces: piecesOf(rest.sizes.map((size, i) => message(count + i, size))), from: count, sizes: rest.sizes })
      count += rest.sizes.length
    }
    for (const each of streams) while (each.waiting.length > 0) check(each)
  }), { numRuns: 300 })
})
