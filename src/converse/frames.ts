/** What goes over the stream of a dialogue once it was taken: frames of a kind and a body. docs/protocol.md has the table. */
import { A2aError, type Failure } from '../core/errors.ts'
import { framePrefix } from '../net/frames.ts'
import { createSpare, LARGE_BYTES, release } from '../net/memory.ts'
import { errorFrom, tellable } from '../net/router.ts'
import { toText } from '../wire/body.ts'
import { readJson } from '../wire/envelope.ts'
import { DIALOGUE } from './limits.ts'

export const KIND = {
  /** A message: JSON in UTF-8, or bytes. */
  json: 0,
  bytes: 1,
  /** The sender says no more. */
  end: 2,
  /** So many more bytes may be sent: 32 bits, big-endian. */
  more: 3,
  /** The sender reads no more. */
  stop: 4,
  /** It is over, and why, for who has read what came before. */
  failed: 5,
  /** It is over at once. */
  cancel: 6
} as const

/** Memory of large frames, used again once they were sent: it is outside of V8's heap, which V8 goes over for each 50 MB of it. */
const takeLarge = createSpare(DIALOGUE.spareFrames)

/** What a message takes of the window. @param length of its kind and body */
export const costOf = (length: number): number => length + DIALOGUE.messageOverhead

export interface Message {
  frame: Uint8Array
  cost: number
}

/** @throws A2aError BAD_USAGE when it has no JSON form, MESSAGE_TOO_LARGE */
export function encodeMessage (message: unknown): Message {
  if (message instanceof Uint8Array) {
    const frame = allocate(KIND.bytes, message.length)
    frame.set(message, frame.length - message.length)
    return { frame, cost: costOf(message.length + 1) }
  }
  const text = toText(message)
  const bytes = Buffer.byteLength(text)
  const frame = allocate(KIND.json, bytes)
  frame.write(text, frame.length - bytes)
  return { frame, cost: costOf(bytes + 1) }
}

export function encodeSign (kind: typeof KIND.end | typeof KIND.stop): Uint8Array {
  return allocate(kind, 0)
}

export function encodeMore (bytes: number): Uint8Array {
  const frame = allocate(KIND.more, 4)
  frame.writeUInt32BE(bytes, frame.length - 4)
  return frame
}

export function encodeFailure (kind: typeof KIND.failed | typeof KIND.cancel, failure: Failure): Uint8Array {
  const body = Buffer.from(JSON.stringify(tellable(failure)))
  const frame = allocate(kind, body.length)
  frame.set(body, frame.length - body.length)
  return frame
}

/** The frame is not to be looked at again: a large one becomes the message, or is given back. @throws A2aError MESSAGE_MALFORMED, when it is JSON and cannot be read */
export function decodeMessage (frame: Uint8Array): unknown {
  const { buffer, length } = frame
  if (frame[0] === KIND.bytes) {
    if (length === buffer.byteLength) return new Uint8Array(frame.copyWithin(0, 1).buffer, 0, length - 1)
    // In memory of its own: a small frame is in a piece of a buffer with others, which are not for its reader.
    return new Uint8Array(frame.subarray(1))
  }
  const message = readJson(frame.subarray(1), 'the message')
  release(frame)
  return message
}

/** What the other side states of the end. @throws A2aError MESSAGE_MALFORMED */
export function decodeFailure (frame: Uint8Array): A2aError {
  if (frame.length > DIALOGUE.failureBytes) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `a failure has more than ${DIALOGUE.failureBytes} bytes` })
  return errorFrom(readJson(frame.subarray(1), 'a failure'))
}

/** @throws A2aError MESSAGE_MALFORMED */
export function decodeMore (frame: Uint8Array): number {
  if (frame.length !== 5) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'a frame that grants more does not have 4 bytes' })
  return Buffer.from(frame.buffer, frame.byteOffset, frame.length).readUInt32BE(1)
}

/** A frame of its length, a kind, and room for its body. */
function allocate (kind: number, bodyBytes: number): Buffer {
  const length = bodyBytes + 1
  if (length > DIALOGUE.frameBytes) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: bodyBytes, limit: DIALOGUE.frameBytes - 1 })
  const prefix = framePrefix(length)
  const bytes = prefix.length + length
  const frame = bytes >= LARGE_BYTES && bytes <= DIALOGUE.spareBytes ? takeLarge(bytes) : Buffer.allocUnsafe(bytes)
  frame.set(prefix)
  frame[prefix.length] = kind
  return frame
}
