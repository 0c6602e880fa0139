/**
 * The envelope of envelope.proto in Protocol Buffers (proto3), written straight into the memory it is sent from. By hand,
 * for it is on the way of every message: docs/performance.md has what protons and protobufjs take. test/wire holds it
 * to the code that protons generates from the same file.
 */
import type { Envelope } from '../core/envelope.ts'

/** Memory that grows at its end. */
export interface Slab {
  bytes: Buffer
  end: number
}

/** The fields of an envelope, and beside them those parts that are not read as they are. */
export interface Decoded {
  /** `payload` is not there yet. */
  envelope: Envelope
  payload: Uint8Array
  credential?: Uint8Array
  signature?: Uint8Array
}

// (field number << 3) | wire type: 0 varint, 1 eight bytes, 2 bytes with their length before them
const VERSION = 8, MESSAGE_ID = 18, CORRELATION_ID = 26, CAUSATION_ID = 34, FROM = 42, TO = 50, TIMESTAMP = 56, TYPE = 66, TASK = 74
const REMAINING_MS = 80, REMAINING_COST = 89, HOPS_LEFT = 96, DEPTH = 104, VISITED = 114, IDEMPOTENCY_KEY = 122, EPOCH = 128
const SEQUENCE = 136, TRACEPARENT = 146, PAYLOAD = 154, MEDIA_TYPE = 162, CREDENTIAL = 242, SIGNATURE = 250, CONTENT = 258

/**
 * The text that a field had last, and its bytes. Who speaks to whom and about what is the same in message after message, and the
 * ids of one are often the same among themselves: comparing and copying take a third of what encoding and decoding do.
 */
interface Last {
  text: string | undefined
  length: number
  readonly bytes: Buffer
}

/** Longer ones are not kept. */
const LAST_BYTES = 128
const none = (): Last => ({ text: undefined, length: 0, bytes: Buffer.alloc(LAST_BYTES) })
const ofEach = () => ({ from: none(), to: none(), type: none(), task: none(), mediaType: none() })
/** With tag and length before the text. */
const written = ofEach()
const read = ofEach()

/** Longest varint: ten bytes. */
const VARINT_BYTES = 10
const NOTHING = new Uint8Array()
const double = new DataView(new ArrayBuffer(8))
/** Part of Buffer since its beginnings and in wide use, though its types leave it out. Works on any Uint8Array. */
const { utf8Slice } = Buffer.prototype as unknown as { utf8Slice: (this: Uint8Array, start: number, end: number) => string }

/** Everything before the signature: fields 1 to 30, in their order. */
export function writeHead (slab: Slab, envelope: Envelope, payload: Uint8Array, credential?: Uint8Array): void {
  const { causationId, to, task, remainingMs, remainingCost, hopsLeft, depth, visited, idempotencyKey, epoch, sequence, traceparent, mediaType } = envelope
  if (envelope.version !== 0) writeNumber(slab, VERSION, envelope.version)
  let id = slab.end
  if (envelope.messageId !== '') writeText(slab, MESSAGE_ID, envelope.messageId)
  if (envelope.correlationId !== '') id = writeId(slab, CORRELATION_ID, envelope.correlationId, envelope.messageId, id)
  if (causationId !== undefined) writeId(slab, CAUSATION_ID, causationId, envelope.correlationId, id)
  if (envelope.from !== '') writeSame(slab, FROM, envelope.from, written.from)
  if (to !== undefined) writeSame(slab, TO, to, written.to)
  if (envelope.timestamp !== 0) writeNumber(slab, TIMESTAMP, envelope.timestamp)
  if (envelope.type !== '') writeSame(slab, TYPE, envelope.type, written.type)
  if (task !== undefined) writeSame(slab, TASK, task, written.task)
  if (remainingMs !== undefined) writeNumber(slab, REMAINING_MS, remainingMs)
  if (remainingCost !== undefined) writeDouble(slab, REMAINING_COST, remainingCost)
  if (hopsLeft !== undefined) writeNumber(slab, HOPS_LEFT, hopsLeft)
  if (depth !== undefined) writeNumber(slab, DEPTH, depth)
  if (visited !== undefined) for (const agent of visited) writeText(slab, VISITED, agent)
  if (idempotencyKey !== undefined) writeText(slab, IDEMPOTENCY_KEY, idempotencyKey)
  if (epoch !== undefined) writeNumber(slab, EPOCH, epoch)
  if (sequence !== undefined) writeNumber(slab, SEQUENCE, sequence)
  if (traceparent !== undefined) writeText(slab, TRACEPARENT, traceparent)
  if (payload.length > 0) writeBytes(slab, PAYLOAD, payload)
  if (mediaType !== undefined) writeSame(slab, MEDIA_TYPE, mediaType, written.mediaType)
  if (credential !== undefined) writeBytes(slab, CREDENTIAL, credential)
}

/** The tag and the length that stand before the content. */
export function writeContentPrefix (slab: Slab, length: number): void {
  reserve(slab, 2 * VARINT_BYTES)
  varint(slab, CONTENT)
  varint(slab, length)
}

export function append (slab: Slab, bytes: Uint8Array): void {
  reserve(slab, bytes.length)
  slab.bytes.set(bytes, slab.end)
  slab.end += bytes.length
}

/** @throws RangeError when the bytes end too early or are no Protocol Buffers */
export function readEnvelope (bytes: Uint8Array, maxVisited: number): Decoded {
  const envelope: Envelope = { version: 0, messageId: '', correlationId: '', from: '', timestamp: 0, type: '', payload: undefined }
  const decoded: Decoded = { envelope, payload: NOTHING, credential: undefined, signature: undefined }
  const end = bytes.length
  let at = 0
  let id = ''
  let idStart = 0
  let idEnd = 0

  function number (): number {
    let value = 0
    for (let scale = 1, i = 0; i < VARINT_BYTES; i++, scale *= 128) {
      if (at >= end) break
      const byte = bytes[at++] as number
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
    throw new RangeError('a number is cut off or too long')
  }

  /** Moves behind bytes that have their length before them, and says where they begin. */
  function skipBytes (): number {
    const length = number()
    const start = at
    at += length
    if (at > end) throw new RangeError(`a field is cut off: ${length} bytes said, ${end - start} there`)
    return start
  }

  const text = (): string => utf8Slice.call(bytes, skipBytes(), at)

  function sameText (last: Last): string {
    const start = skipBytes()
    const length = at - start
    if (last.text !== undefined && length === last.length && same(bytes, start, last.bytes, 0, length)) return last.text
    const text = utf8Slice.call(bytes, start, at)
    keep(last, text, bytes, start, at)
    return text
  }

  /** Often the same as the id before it. */
  function idText (): string {
    const start = skipBytes()
    if (at - start !== idEnd - idStart || !same(bytes, start, bytes, idStart, at - start)) id = utf8Slice.call(bytes, start, at)
    idStart = start
    idEnd = at
    return id
  }

  const part = (): Uint8Array => bytes.subarray(skipBytes(), at)
  /** As proto3 has it for uint32: the low 32 bits. */
  const uint32 = (): number => number() % 4_294_967_296

  function float (): number {
    if (at + 8 > end) throw new RangeError('a field is cut off')
    for (let i = 0; i < 8; i++) double.setUint8(i, bytes[at++] as number)
    return double.getFloat64(0, true)
  }

  function skip (tag: number): void {
    switch (tag & 7) {
      case 0: number(); return
      case 1: at += 8; break
      case 2: skipBytes(); return
      case 5: at += 4; break
      default: throw new RangeError(`wire type ${tag & 7} is not known`)
    }
    if (at > end) throw new RangeError('a field is cut off')
  }

  while (at < end) {
    const tag = number()
    switch (tag) {
      case VERSION: envelope.version = uint32(); break
      case MESSAGE_ID: envelope.messageId = idText(); break
      case CORRELATION_ID: envelope.correlationId = idText(); break
      case CAUSATION_ID: envelope.causationId = idText(); break
      case FROM: envelope.from = sameText(read.from); break
      case TO: envelope.to = sameText(read.to); break
      case TIMESTAMP: envelope.timestamp = number(); break
      case TYPE: envelope.type = sameText(read.type); break
      case TASK: envelope.task = sameText(read.task); break
      case REMAINING_MS: envelope.remainingMs = uint32(); break
      case REMAINING_COST: envelope.remainingCost = float(); break
      case HOPS_LEFT: envelope.hopsLeft = uint32(); break
      case DEPTH: envelope.depth = uint32(); break
      case VISITED: {
        const visited = envelope.visited ??= []
        if (visited.length === maxVisited) throw new RangeError(`visited has more than ${maxVisited} agents`)
        visited.push(text())
        break
      }
      case IDEMPOTENCY_KEY: envelope.idempotencyKey = text(); break
      case EPOCH: envelope.epoch = uint32(); break
      case SEQUENCE: envelope.sequence = uint32(); break
      case TRACEPARENT: envelope.traceparent = text(); break
      case PAYLOAD: decoded.payload = part(); break
      case MEDIA_TYPE: envelope.mediaType = sameText(read.mediaType); break
      case CREDENTIAL: decoded.credential = part(); break
      case SIGNATURE: decoded.signature = part(); break
      case CONTENT: envelope.content = part(); break
      default: skip(tag)
    }
  }
  return decoded
}

function writeText (slab: Slab, tag: number, text: string): void {
  // UTF-8 needs at most three bytes for each UTF-16 unit.
  reserve(slab, 2 * VARINT_BYTES + text.length * 3)
  varint(slab, tag)
  const at = slab.end
  // Mostly it is ASCII: as many bytes as characters, and its length takes as many bytes as expected.
  const expected = varintBytes(text.length)
  const length = slab.bytes.write(text, at + expected)
  const needed = varintBytes(length)
  if (needed !== expected) slab.bytes.copyWithin(at + needed, at + expected, at + expected + length)
  varint(slab, length)
  slab.end += length
}

/** Like writeText, of a field that often has what it had last. */
function writeSame (slab: Slab, tag: number, text: string, last: Last): void {
  const start = slab.end
  if (text !== last.text) {
    writeText(slab, tag, text)
    keep(last, text, slab.bytes, start, slab.end)
    return
  }
  reserve(slab, last.length)
  copy(last.bytes, 0, slab.bytes, start, last.length)
  slab.end += last.length
}

/**
 * Like writeText, of an id that is often the same as the one written before it.
 * @param from where that field is
 * @returns where this one is
 */
function writeId (slab: Slab, tag: number, id: string, before: string, from: number): number {
  const start = slab.end
  if (id !== before || id === '') {
    writeText(slab, tag, id)
    return start
  }
  reserve(slab, start - from)
  copy(slab.bytes, from, slab.bytes, start, start - from)
  slab.bytes[start] = tag
  slab.end += start - from
  return start
}

function keep (last: Last, text: string, bytes: Uint8Array, start: number, end: number): void {
  if (end - start > LAST_BYTES) return
  last.text = text
  last.length = end - start
  copy(bytes, start, last.bytes, 0, last.length)
}

/** In a loop, as below: for so few bytes a call of `set` or `compare` costs more. */
function copy (from: Uint8Array, start: number, to: Uint8Array, at: number, length: number): void {
  for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number
}

function same (a: Uint8Array, startA: number, b: Uint8Array, startB: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[startA + i] !== b[startB + i]) return false
  return true
}

function writeBytes (slab: Slab, tag: number, bytes: Uint8Array): void {
  reserve(slab, 2 * VARINT_BYTES)
  varint(slab, tag)
  varint(slab, bytes.length)
  append(slab, bytes)
}

function writeNumber (slab: Slab, tag: number, value: number): void {
  reserve(slab, 2 * VARINT_BYTES)
  varint(slab, tag)
  varint(slab, value)
}

function writeDouble (slab: Slab, tag: number, value: number): void {
  reserve(slab, VARINT_BYTES + 8)
  varint(slab, tag)
  slab.end = slab.bytes.writeDoubleLE(value, slab.end)
}

/** How many bytes a varint takes. */
export function varintBytes (value: number): number {
  let bytes = 1
  for (; value > 127; value = Math.floor(value / 128)) bytes++
  return bytes
}

/** There must be room for it. */
function varint (slab: Slab, value: number): void {
  const { bytes } = slab
  for (; value > 127; value = Math.floor(value / 128)) bytes[slab.end++] = value % 128 + 128
  bytes[slab.end++] = value
}

export function reserve (slab: Slab, more: number): void {
  if (slab.end + more <= slab.bytes.length) return
  const bytes = Buffer.allocUnsafe(Math.max(slab.bytes.length * 2, slab.end + more))
  bytes.set(slab.bytes.subarray(0, slab.end))
  slab.bytes = bytes
}
