/**
 * The envelope on the wire: Protocol Buffers, laid out as  fields ‖ signature ‖ content.  The signature covers the bytes
 * before it, so a reader checks what was sent and not what it would have encoded itself.
 */
import { append, readEnvelope, writeContentPrefix, writeHead, type Decoded, type Slab } from './codec.ts'
import { messages, isMessageName, MAX_CONTENT } from './messages.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { PROTOCOL_VERSION, type Envelope } from '../core/envelope.ts'
import type { Signer } from '../core/ports.ts'

/** The largest encoded envelope. */
export const MAX_ENVELOPE = MAX_CONTENT + 1_100 * 1_024
/** Of messages that say all they have to in their envelope and content. */
export const EMPTY_PAYLOAD = Object.freeze({})
/** Keeps a signature over an envelope from being taken for one over anything else. */
const SIGNATURE_DOMAIN = new TextEncoder().encode('a2a-node/envelope/1\0')
const SIGNATURE_TAG = Uint8Array.of(0xfa, 0x01, 64) // field 31, bytes, 64 long
const SIGNATURE_FIELD = SIGNATURE_TAG.length + 64
const MAX_VISITED = 16
/** The longest texts, in characters: they become keys of tables. */
const MAX_TEXT = {
  messageId: 64, correlationId: 64, causationId: 64, from: 128, to: 128, type: 64, task: 256, idempotencyKey: 128, traceparent: 64, mediaType: 128
}
const TEXTS = Object.keys(MAX_TEXT) as Array<keyof typeof MAX_TEXT>
/** The last millisecond that a Date can show (ECMAScript, time values). */
const MAX_TIMESTAMP = 8_640_000_000_000_000

/** JSON.parse reads any depth, but what writes it again, or walks through it, would exhaust the stack. */
const MAX_NESTING = 128
const QUOTE = 0x22, BACKSLASH = 0x5c

const fromUtf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The envelope with `auth`: signed by the agent that the signer speaks for.
 * @throws A2aError MESSAGE_TOO_LARGE
 */
export function signEnvelope (envelope: Envelope, signer: Signer): Envelope {
  const credential = signer.credential()
  const head = encodeHead(envelope, credential)
  const statement = concat(head, SIGNATURE_TAG, signer.sign(signedBytes(head)))
  return { ...envelope, auth: { credential, statement } }
}

/** The statement of an envelope signed elsewhere, built again from its fields. It holds only if it is to the byte what was signed. */
export function joinStatement (envelope: Envelope, credential: Uint8Array, signature: Uint8Array): Uint8Array {
  return concat(encodeHead(envelope, credential), SIGNATURE_TAG, signature)
}

/** What the signature of a statement is over, and the signature itself. */
export function openStatement (statement: Uint8Array): { signed: Uint8Array, signature: Uint8Array } {
  const end = statement.length - SIGNATURE_FIELD
  return { signed: signedBytes(statement.subarray(0, end)), signature: statement.subarray(end + SIGNATURE_TAG.length) }
}

/** @throws A2aError MESSAGE_TOO_LARGE */
export function encodeEnvelope (envelope: Envelope): Uint8Array {
  scratch.end = 0
  const content = writeEnvelope(scratch, envelope, scratch.bytes.length)
  return content === undefined ? taken(scratch) : concat(taken(scratch), content)
}

/**
 * Writes an encoded envelope to the end of the slab, except a content of `largeBytes` or more: that is returned, and is to
 * be sent after it. When it throws, the slab ends where it did.
 *
 * @throws A2aError MESSAGE_TOO_LARGE
 */
export function writeEnvelope (slab: Slab, envelope: Envelope, largeBytes: number): Uint8Array | undefined {
  const start = slab.end
  const { auth, content } = envelope
  try {
    checkSizes(envelope.type, undefined, content?.length ?? 0)
    if (auth === undefined) writeHead(slab, envelope, payloadOf(envelope))
    else append(slab, auth.statement)
    if (content !== undefined) writeContentPrefix(slab, content.length)
    const bytes = slab.end - start + (content?.length ?? 0)
    if (bytes > MAX_ENVELOPE) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes, limit: MAX_ENVELOPE })
  } catch (error) {
    slab.end = start
    throw error
  }
  if (content === undefined || content.length >= largeBytes) return content
  append(slab, content)
  return undefined
}

/**
 * Reads an envelope. Its payload is JSON, not yet checked against its type; its signature is not yet verified.
 * @throws A2aError MESSAGE_MALFORMED, MESSAGE_TOO_LARGE, VERSION_UNSUPPORTED
 */
export function decodeEnvelope (bytes: Uint8Array): Envelope {
  if (bytes.length > MAX_ENVELOPE) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: bytes.length, limit: MAX_ENVELOPE })
  const { envelope, payload, credential, signature } = decodeProto(bytes)
  const { version, type, content, timestamp, remainingCost } = envelope
  if (version !== PROTOCOL_VERSION) throw new A2aError({ code: 'VERSION_UNSUPPORTED', version, supported: PROTOCOL_VERSION })
  if (envelope.messageId === '' || envelope.from === '' || type === '') throw malformed('message_id, from and type must be there')
  checkTexts(envelope)
  checkSizes(type, payload.length, content?.length ?? 0)
  if (timestamp > MAX_TIMESTAMP) throw malformed('the timestamp is beyond what a date can be')
  if (remainingCost !== undefined && !(remainingCost >= 0 && remainingCost < Infinity)) throw malformed('remaining_cost must be a number from 0')
  envelope.payload = payload.length === 0 || isEmptyObject(payload) ? {} : readJson(payload, 'the payload')
  // Proofs are kept for long; so they do not hold on to the memory that they came in.
  if (signature !== undefined && credential !== undefined) envelope.auth = { credential: new Uint8Array(credential), statement: new Uint8Array(statementOf(bytes, signature, content)) }
  return envelope
}

/**
 * The signed part of an encoded envelope. Nothing but `content` may follow the signature: it would not be covered, and
 * could stand for a field that is. So the tail must be one content field, to the byte, and the statement must end in
 * the signature that was read.
 */
function statementOf (bytes: Uint8Array, signature: Uint8Array, content: Uint8Array | undefined): Uint8Array {
  const prefix: Slab = { bytes: Buffer.alloc(32), end: 0 }
  if (content !== undefined) writeContentPrefix(prefix, content.length)
  const tag = prefix.bytes.subarray(0, prefix.end)
  const end = bytes.length - tag.length - (content?.length ?? 0)
  if (end < SIGNATURE_FIELD || !same(bytes.subarray(end, end + tag.length), tag)) throw malformed('something other than the content follows the signature')
  const statement = bytes.subarray(0, end)
  if (!same(statement.subarray(-SIGNATURE_FIELD), concat(SIGNATURE_TAG, signature))) throw malformed('the signature is not where it belongs')
  return statement
}

function decodeProto (bytes: Uint8Array): Decoded {
  try {
    return readEnvelope(bytes, MAX_VISITED)
  } catch (error) {
    throw malformed(messageOf(error))
  }
}

function encodeHead (envelope: Envelope, credential: Uint8Array): Uint8Array {
  scratch.end = 0
  writeHead(scratch, envelope, payloadOf(envelope), credential)
  return taken(scratch)
}

function payloadOf ({ type, payload }: Envelope): Buffer {
  if (payload === EMPTY_PAYLOAD) return EMPTY_OBJECT
  const bytes = Buffer.from(JSON.stringify(payload))
  checkSizes(type, bytes.length, 0)
  return bytes
}

const EMPTY_OBJECT = Buffer.from('{}')

/** Where envelopes are encoded that are not sent from there. Nothing of it is handed out. */
const scratch: Slab = { bytes: Buffer.alloc(4_096), end: 0 }

const taken = ({ bytes, end }: Slab): Uint8Array => new Uint8Array(bytes.subarray(0, end))

function checkTexts (raw: Envelope): void {
  for (const field of TEXTS) {
    const length = raw[field]?.length ?? 0
    if (length > MAX_TEXT[field]) throw malformed(`${field} has ${length} characters, more than ${MAX_TEXT[field]}`)
  }
  if (raw.visited?.some(agent => agent.length > MAX_TEXT.from) === true) throw malformed(`an agent in visited has more than ${MAX_TEXT.from} characters`)
}

function checkSizes (type: string, payload: number | undefined, content: number): void {
  if (!isMessageName(type)) return
  const { maxPayload, maxContent } = messages[type]
  if (payload !== undefined && payload > maxPayload) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: payload, limit: maxPayload })
  if (content > maxContent) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: content, limit: maxContent })
}

/**
 * JSON that somebody else wrote.
 * @throws A2aError MESSAGE_MALFORMED: it is none, or nested deeper than MAX_NESTING
 */
export function readJson (bytes: Uint8Array, what = 'it'): unknown {
  if (nestingOf(bytes) > MAX_NESTING) throw malformed(`${what} is nested deeper than ${MAX_NESTING}`)
  try {
    return JSON.parse(fromUtf8.decode(bytes))
  } catch (error) {
    throw malformed(`${what} is no JSON: ${messageOf(error)}`)
  }
}

const isEmptyObject = (bytes: Uint8Array): boolean => bytes.length === 2 && bytes[0] === 0x7b && bytes[1] === 0x7d

/** How deep objects and arrays are nested, of bytes that may be JSON. */
function nestingOf (bytes: Uint8Array): number {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (quoted) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) quoted = false
    } else if (byte === QUOTE) quoted = true
    else if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth)
    else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return deepest
}

function signedBytes (head: Uint8Array): Uint8Array {
  return concat(SIGNATURE_DOMAIN, head)
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

function concat (...parts: Uint8Array[]): Uint8Array {
  return Buffer.concat(parts)
}

const malformed = (why: string): A2aError => new A2aError({ code: 'MESSAGE_MALFORMED', why })
