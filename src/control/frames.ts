/**
 * The language of the control socket: one JSON object a line.
 *
 * 1. The node greets: `{"hello":{"protocol":1,"version":"0.1.0"}}`.
 * 2. The client asks: `{"id":1,"method":"find","params":["data.*"]}`, and may take it back: `{"id":1,"cancel":true}`.
 * 3. The node answers with any number of `{"id":1,"event":…}` when the method is a stream, and in the end with
 *    `{"id":1,"result":…}` or `{"id":1,"error":<Failure>}`.
 */
import type { Failure } from '../core/errors.ts'
import type { TaskEvent } from '../core/task.ts'

/** Major version of this language. Another one is refused with VERSION_UNSUPPORTED. */
export const CONTROL_PROTOCOL = 1

/** The longest line either side takes, in bytes. A longer one ends the connection. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024

export interface Hello {
  hello: { protocol: number, version: string }
}

export type ClientFrame =
  | { id: number, method: string, params?: unknown[] }
  | { id: number, cancel: true }

export type ServerFrame =
  | { id: number, event: unknown }
  | { id: number, result: unknown }
  | { id: number, error: Failure }

/** An event as JSON: an artifact's bytes become `{"$bytes":"<base64>"}`. Nothing else in an event is bytes. */
export function toJson (event: TaskEvent): unknown {
  if (event.event !== 'artifact') return event
  return { ...event, data: { $bytes: Buffer.from(event.data.buffer, event.data.byteOffset, event.data.byteLength).toString('base64') } }
}

/** The inverse of `toJson`. What a task's owner put into `output` is never looked into. */
export function fromJson (json: unknown): TaskEvent {
  const event = json as TaskEvent
  if (event.event !== 'artifact') return event
  const { $bytes } = event.data as unknown as { $bytes: string }
  return { ...event, data: new Uint8Array(Buffer.from($bytes, 'base64')) }
}

/**
 * Cuts a byte stream into lines. Returns a function to feed with chunks; it calls `onLine` for each whole line, and
 * answers false once a line has grown past `limit` bytes: then feed it no more.
 */
export function lineReader (onLine: (line: string) => void, limit: number = MAX_LINE_BYTES): (chunk: Buffer) => boolean {
  let parts: Buffer[] = []
  let held = 0
  return chunk => {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      if (held + end - from > limit) return false
      parts.push(chunk.subarray(from, end))
      const line = Buffer.concat(parts).toString('utf8')
      parts = []
      held = 0
      from = end + 1
      if (line !== '') onLine(line)
    }
    if (from < chunk.length) {
      parts.push(chunk.subarray(from))
      held += chunk.length - from
    }
    return held <= limit
  }
}
