/** The codec written by hand against the one that protons generates from the same schema. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { readEnvelope, writeContentPrefix, writeHead, append, type Slab } from '../../src/wire/codec.ts'
import { Envelope as Protons } from '../../src/wire/generated/envelope.js'
import type { Envelope } from '../../src/core/envelope.ts'
import { envelopes } from './arbitraries.ts'

const MAX_VISITED = 16
const payloadOf = ({ payload }: Envelope): Buffer => Buffer.from(JSON.stringify(payload))

function encode (envelope: Envelope, slab: Slab = { bytes: Buffer.alloc(1), end: 0 }): Uint8Array {
  const start = slab.end
  writeHead(slab, envelope, payloadOf(envelope))
  if (envelope.content !== undefined) {
    writeContentPrefix(slab, envelope.content.length)
    append(slab, envelope.content)
  }
  return slab.bytes.subarray(start, slab.end)
}

const bytesOf = (bytes?: Uint8Array): Uint8Array<ArrayBuffer> | undefined => bytes && Uint8Array.from(bytes)

const withProtons = (envelope: Envelope): Uint8Array =>
  Protons.encode({ ...envelope, visited: envelope.visited ?? [], payload: bytesOf(payloadOf(envelope)), content: bytesOf(envelope.content) })

/** What protons reads, in the form of ours. */
function readWithProtons (bytes: Uint8Array): unknown {
  const { payload, credential, signature, visited, content, ...rest } = Protons.decode(bytes, { limits: { visited: MAX_VISITED } })
  const envelope = { ...rest, ...(visited.length === 0 ? {} : { visited }), payload: undefined, ...(content === undefined ? {} : { content: bytesOf(content) }) }
  return { envelope, payload: bytesOf(payload), credential: bytesOf(credential), signature: bytesOf(signature) }
}

function read (bytes: Uint8Array): unknown {
  const { envelope: { content, ...rest }, payload, credential, signature } = readEnvelope(bytes, MAX_VISITED)
  return { envelope: { ...rest, ...(content === undefined ? {} : { content: bytesOf(content) }) }, payload: bytesOf(payload), credential: bytesOf(credential), signature: bytesOf(signature) }
}

test('writes to the byte what protons writes', () => {
  fc.assert(fc.property(envelopes, envelope => { assert.deepEqual(Buffer.from(encode(envelope)), Buffer.from(withProtons(envelope))) }))
})

test('writes behind what is in the slab, and leaves it as it was', () => {
  fc.assert(fc.property(envelopes, envelopes, (first, second) => {
    const slab: Slab = { bytes: Buffer.alloc(64), end: 0 }
    const one = Buffer.from(encode(first, slab))
    const end = slab.end
    encode(second, slab)
    assert.deepEqual(Buffer.from(slab.bytes.subarray(0, end)), one)
    assert.deepEqual(Buffer.from(slab.bytes.subarray(end, slab.end)), Buffer.from(encode(second)))
  }))
})

test('reads what protons reads, also with fields that are not known and in any order', () => {
  const unknown = fc.constantFrom([0xd0, 0x0f, 0x01], [0xd2, 0x0f, 0x02, 0x01, 0x02], [0xd1, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8], [0xd5, 0x0f, 1, 2, 3, 4])
  fc.assert(fc.property(envelopes, envelopes, unknown, (first, second, more) => {
    const bytes = Buffer.concat([Uint8Array.from(more), withProtons({ ...first, visited: undefined }), Uint8Array.from(more), withProtons({ ...second, visited: first.visited })])
    assert.deepEqual(read(bytes), readWithProtons(bytes))
  }))
})

test('writes and reads what protons does also where texts are those of the message before, of another field, or nearly', () => {
  const text = fc.constantFrom('a', 'b', 'é', 'ab', 'x'.repeat(128), `${'x'.repeat(127)}y`, 'x'.repeat(129), 'é'.repeat(64), 'é'.repeat(65), 'x'.repeat(200))
  const mayBeEmpty = fc.oneof(text, fc.constant(''))
  const likeOthers = fc.record({
    messageId: mayBeEmpty, correlationId: mayBeEmpty, causationId: mayBeEmpty, from: mayBeEmpty, to: mayBeEmpty, type: mayBeEmpty, task: mayBeEmpty, mediaType: mayBeEmpty,
    version: fc.constant(1), timestamp: fc.constant(2), payload: fc.constant({})
  }, { requiredKeys: ['messageId', 'correlationId', 'from', 'type', 'version', 'timestamp', 'payload'] })
  fc.assert(fc.property(fc.array(likeOthers, { minLength: 2, maxLength: 8 }), messages => {
    for (const message of messages) {
      const bytes = withProtons(message)
      assert.deepEqual(Buffer.from(encode(message)), Buffer.from(bytes))
      assert.deepEqual(read(bytes), readWithProtons(bytes))
    }
  }), { numRuns: 500 })
})

test('refuses what ends too early, or is nothing it knows, and reads no byte beyond the end', () => {
  fc.assert(fc.property(envelopes, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (envelope, share) => {
    const whole = encode(envelope)
    const bytes = whole.subarray(0, Math.floor(whole.length * share))
    try {
      readEnvelope(bytes, MAX_VISITED)
    } catch (error) {
      assert.ok(error instanceof RangeError)
    }
  }))
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
    try {
      readEnvelope(bytes, MAX_VISITED)
    } catch (error) {
      assert.ok(error instanceof RangeError)
    }
  }))
  for (const bytes of [[0x12, 0x05, 0x61], [0x08], [0x59, 1, 2], [0x0b], [8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]]) assert.throws(() => readEnvelope(Uint8Array.from(bytes), MAX_VISITED), RangeError)
  assert.throws(() => readEnvelope(encode({ version: 1, messageId: 'a', correlationId: '', from: 'b', timestamp: 0, type: 'c', payload: {}, visited: Array(17).fill('x') }), MAX_VISITED), RangeError)
})
