/** What a program says on stderr: lines of progress as JSON, and everything else, of which the end is kept. */
import { StringDecoder } from 'node:string_decoder'
import { stripVTControlCharacters } from 'node:util'

/** A longer line is no progress; only its end is kept. */
const MAX_LINE = 4_096
const MAX_TAIL = 4_096

export interface StderrReader {
  write: (chunk: Uint8Array) => void
  /** The end of what was no progress, as one line without control characters; at most 4 KiB. */
  tail: () => string
}

/** Calls `progress` for each line of the form `{"progress":0.4,"note":"…"}`, where either may be left out. */
export function readStderr (progress: (fraction?: number, note?: string) => void): StderrReader {
  const decoder = new StringDecoder('utf8')
  let tail = ''
  let line = ''
  let long = false

  const keep = (text: string): void => { tail = (tail + text).slice(-MAX_TAIL) }
  const endLine = (): void => {
    const said = long ? undefined : parseProgress(line)
    if (said === undefined) keep(`${line}\n`)
    else progress(said.fraction, said.note)
    line = ''
    long = false
  }

  return {
    write: chunk => {
      const [first = '', ...rest] = decoder.write(chunk).split('\n')
      line += first
      for (const next of rest) {
        endLine()
        line = next
      }
      if (line.length > MAX_LINE) {
        long = true
        line = line.slice(-MAX_LINE)
      }
    },
    tail: () => oneLine(`${tail}${line}`).slice(-MAX_TAIL)
  }
}

function parseProgress (line: string): { fraction?: number, note?: string } | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    const { progress, note } = JSON.parse(line) as Record<string, unknown>
    const fraction = typeof progress === 'number' ? Math.min(1, Math.max(0, progress)) : undefined
    if (fraction === undefined && typeof note !== 'string') return undefined
    return { fraction, note: typeof note === 'string' ? note : undefined }
  } catch {
    return undefined
  }
}

/** Lines joined by ` | `. Escape sequences are taken out: the line will be printed on somebody else's terminal. */
export const oneLine = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  stripVTControlCharacters(text).replace(/[^\S\n]+|[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g, ' ').trim().replace(/\s*\n\s*/g, ' | ')
