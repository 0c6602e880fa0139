/**
 * The content of messages: JSON or bytes, as `media_type` says. `undefined` has no JSON form: what agents say to each other
 * then has no content, and where there has to be one, as an input or an output, it is `null`.
 */
import { A2aError, messageOf } from '../core/errors.ts'
import { readJson } from './envelope.ts'
import type { Envelope } from '../core/envelope.ts'

export const JSON_TYPE = 'application/json'
export const BYTES_TYPE = 'application/octet-stream'

/** Bytes are as they are and not copied, anything else is JSON. @throws A2aError BAD_USAGE when the value has no JSON form */
export function toBody (value: unknown): Pick<Envelope, 'content' | 'mediaType'> {
  if (value === undefined) return {}
  if (value instanceof Uint8Array) return { mediaType: BYTES_TYPE, content: value }
  return { mediaType: JSON_TYPE, content: encodeJson(value) }
}

/** Bytes are not copied: each frame has been, out of what came with it. @throws A2aError MESSAGE_MALFORMED */
export function readBody ({ mediaType, content }: Pick<Envelope, 'content' | 'mediaType'>): unknown {
  if (content === undefined) return undefined
  return mediaType === JSON_TYPE ? parseJson(content) : new Uint8Array(content.buffer, content.byteOffset, content.length)
}

/** @throws A2aError BAD_USAGE when the value has no JSON form */
export const encodeJson = (value: unknown): Buffer => Buffer.from(toText(value))

/** JSON, `undefined` as `null`. @throws A2aError BAD_USAGE when the value has no JSON form */
export function toText (value: unknown): string {
  let why = `a ${typeof value} has no JSON form`
  try {
    const text = JSON.stringify(value === undefined ? null : value) as string | undefined
    if (text !== undefined) return text
  } catch (error) {
    why = messageOf(error)
  }
  throw new A2aError({ code: 'BAD_USAGE', why: `it cannot be sent: ${why}`, hint: 'give what JSON can hold' })
}

/** @throws A2aError MESSAGE_MALFORMED */
export const parseJson = (content: Uint8Array = new Uint8Array()): unknown => readJson(content, 'the content')

/** As signed statements and artifacts stand in events. */
export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
