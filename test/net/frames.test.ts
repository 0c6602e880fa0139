import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Uint8ArrayList } from 'uint8arraylist'
import { createFrameReader, framePrefix } from '../../src/net/frames.ts'
import { withCode } from '../identity/support.ts'

const MAX = 100_000
const framed = (frame: Uint8Array): Uint8Array => Buffer.concat([framePrefix(frame.length), frame])

function readAll (reader = createFrameReader(MAX), ...chunks: Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame)
  }
  return frames
}

test('frames come out as they went in, however the bytes are cut, and each chunk is given back once', () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40_000 }), { maxLength: 8 }), fc.array(fc.nat(50_000)), (frames, cuts) => {
    const bytes = Buffer.concat(frames.map(framed))
    const edges = [0, ...cuts.filter(cut => cut < bytes.length).sort((a, b) => a - b), bytes.length]
    const chunks = edges.slice(1).map((end, i) => Uint8Array.from(bytes.subarray(edges[i], end))).filter(({ length }) => length > 0)
    let released = 0
    const reader = createFrameReader(MAX, chunk => {
      released++
      (chunk.buffer as ArrayBuffer).transfer(0)
    })
    assert.deepEqual(readAll(reader, ...chunks).map(frame => Buffer.from(frame)), frames.map(frame => Buffer.from(frame)))
    assert.equal(released, chunks.length)
  }), { numRuns: 200 })
})

test('reads lists of pieces', () => {
  const reader = createFrameReader(MAX)
  reader.push(new Uint8ArrayList(Uint8Array.of(3, 1), Uint8Array.of(2), Uint8Array.of(3, 1, 9)))
  assert.deepEqual([...reader.next() ?? []], [1, 2, 3])
  assert.deepEqual([...reader.next() ?? []], [9])
  assert.equal(reader.next(), undefined)
})

test('a frame does not share memory with what it came in', () => {
  const chunk = Uint8Array.of(2, 7, 7)
  const [frame] = readAll(undefined, chunk)
  chunk.fill(0)
  assert.deepEqual([...frame ?? []], [7, 7])
})

test('refuses a frame without content', () => {
  assert.throws(() => readAll(undefined, Uint8Array.of(0)), withCode('MESSAGE_MALFORMED'))
})

test('refuses a frame beyond the limit as soon as its length is known', () => {
  assert.throws(() => readAll(undefined, framePrefix(MAX + 1)), withCode('MESSAGE_TOO_LARGE'))
})

test('refuses a length that does not end, or is longer than it needs to be', () => {
  assert.throws(() => readAll(undefined, Uint8Array.of(0x80, 0x80, 0x80, 0x80, 1)), withCode('MESSAGE_MALFORMED'))
  assert.throws(() => readAll(undefined, Uint8Array.of(0x81, 0x00)), withCode('MESSAGE_MALFORMED'))
})

test('allocates nothing for a length that was only claimed', () => {
  const before = process.memoryUsage().arrayBuffers
  const readers = Array.from({ length: 200 }, () => {
    const reader = createFrameReader(50_000_000)
    readAll(reader, framePrefix(50_000_000))
    return reader
  })
  assert.ok(process.memoryUsage().arrayBuffers - before < 20_000_000)
  assert.equal(readers.length, 200)
})

test('allocates no more than twice what has come of a frame', () => {
  const reader = createFrameReader(50_000_000)
  reader.push(framePrefix(50_000_000))
  reader.push(new Uint8Array(1_000_000))
  const before = process.memoryUsage().arrayBuffers
  reader.next()
  assert.ok(process.memoryUsage().arrayBuffers - before <= 2_000_000)
})

test('a large frame in a hundred thousand pieces is read in linear time', () => {
  const reader = createFrameReader(5_000_000)
  reader.push(framePrefix(5_000_000))
  const piece = new Uint8Array(50)
  const begun = performance.now()
  for (let i = 0; i < 100_000; i++) {
    reader.push(piece)
    const frame = reader.next()
    if (i < 99_999) assert.equal(frame, undefined)
    else assert.equal(frame?.length, 5_000_000)
  }
  // A copy a piece would be 250 GB.
  assert.ok(performance.now() - begun < 5_000)
})
