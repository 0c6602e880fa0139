/** What `--json` prints: the library's own objects, with keys in snake_case. */
import { explain, type Failure } from '../core/errors.ts'
import type { TaskEvent } from '../core/task.ts'

/** Below these keys is what users wrote, or failure codes: nothing in it is renamed. */
const FOREIGN = new Set(['refused', 'input', 'output', 'data', 'schema', 'ref'])

/** Renames keys, at every depth, to snake_case. */
export function snakeCase (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [snake(key), FOREIGN.has(key) ? entry : snakeCase(entry)]))
}

/**
 * An event of a task as a line of `--json`. An artifact's `data` is its text, or its value when it is JSON; bytes of any
 * other type are in `data_base64`. A failure has its code and the line for people on top, its facts below.
 */
export function eventLine (event: TaskEvent): object {
  if (event.event === 'artifact') {
    const { data, ...rest } = event
    return { ...lineOf(rest), ...artifactData(data, event.mediaType) }
  }
  if (event.event === 'failed') return { event: 'failed', task_id: event.taskId, seq: event.seq, at: event.at, ...failureFields(event.failure) }
  return lineOf(event)
}

/** What it is stands first: people read these lines too. */
const lineOf = ({ event, ...rest }: { event: string }): object => ({ event, ...snakeCase(rest) as object })

/** The last line of a command that failed. */
export const failureLine = (failure: Failure): object => ({ event: 'failed', ...failureFields(failure) })

/** A failure's code and the line for people, its facts below. */
export function failureFields (failure: Failure): object {
  const { code, ...facts } = failure
  return { code, message: explain(failure), facts: snakeCase(facts) }
}

function artifactData (data: Uint8Array, mediaType: string): object {
  const bytes = Buffer.from(data)
  if (mediaType.startsWith('text/')) return { data: bytes.toString('utf8') }
  if (/[/+]json\b/.test(mediaType)) {
    try {
      return { data: JSON.parse(bytes.toString('utf8')) as unknown }
    } catch {
      // a part of a JSON text is none: it travels as bytes
    }
  }
  return { data_base64: bytes.toString('base64') }
}

const snake = (key: string): string => key.replaceAll(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
