/** The content of messages, which is JSON: inputs, outputs and answers. */
import { A2aError, messageOf } from '../core/errors.ts'
import { readJson } from '../wire/envelope.ts'

export const JSON_TYPE = 'application/json'

/** @throws A2aError BAD_USAGE when the value has no JSON form */
export function encodeJson (value: unknown): Buffer {
  try {
    const text = JSON.stringify(value === undefined ? null : value)
    if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`)
    return Buffer.from(text)
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `the value cannot be sent: ${messageOf(error)}` })
  }
}

/** @throws A2aError MESSAGE_MALFORMED */
export function parseJson (content: Uint8Array = new Uint8Array()): unknown {
  return readJson(content, 'the content')
}

/** As signed statements and artifacts stand in events. */
export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
