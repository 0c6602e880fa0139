/** What agents say to each other: bytes as they are, anything else as JSON. */
import { A2aError, messageOf } from '../core/errors.ts'
import { readJson } from '../wire/envelope.ts'
import type { Envelope } from '../core/envelope.ts'

const BYTES_TYPE = 'application/octet-stream'
const JSON_TYPE = 'application/json'

/** Bytes are not copied. @throws A2aError BAD_USAGE when the value has no JSON form */
export function toBody (value: unknown): Pick<Envelope, 'content' | 'mediaType'> {
  if (value === undefined) return {}
  if (value instanceof Uint8Array) return { mediaType: BYTES_TYPE, content: value }
  try {
    return { mediaType: JSON_TYPE, content: Buffer.from(JSON.stringify(value)) }
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `a message cannot be sent: ${messageOf(error)}`, hint: 'send JSON values or a Uint8Array' })
  }
}

/** Bytes are not copied: each frame has been, out of what came with it. @throws A2aError MESSAGE_MALFORMED */
export function readBody ({ mediaType, content }: Pick<Envelope, 'content' | 'mediaType'>): unknown {
  if (content === undefined) return undefined
  return mediaType === JSON_TYPE ? readJson(content, 'the message') : new Uint8Array(content.buffer, content.byteOffset, content.length)
}
