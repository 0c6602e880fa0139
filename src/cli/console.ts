/** Where a command prints. stdout is for the answer alone; everything else goes to stderr. */
import { stripVTControlCharacters, styleText } from 'node:util'
import { failureLine, snakeCase } from './json.ts'
import { createLogger } from './log.ts'
import { explain, type Failure } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'

export interface ConsoleOptions {
  home?: string
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}

export interface Console {
  readonly home: string | undefined
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  /** stdout is a terminal. */
  readonly terminal: boolean
  /** A live line may be drawn on stderr. */
  readonly live: boolean
  /** A line of the answer, for people. Nothing with `--json`. */
  print: (text: string) => void
  /** An object of the answer, with `--json` only. Keys are put into snake_case unless it is `asIs`. */
  emit: (value: object, options?: { asIs?: boolean }) => void
  /** A remark on stderr. Nothing with `--quiet` or `--json`. */
  note: (text: string) => void
  /** The one line that says what went wrong, and with `--json` the last line of stdout, which is `line`. */
  fail: (failure: Failure, error?: unknown, line?: object) => void
  style: (format: Parameters<typeof styleText>[0], text: string) => string
  logger: (level?: 'info' | 'warn') => Logger
}

export function createConsole ({ home, json = false, quiet = false, verbose = false }: ConsoleOptions): Console {
  const terminal = process.stdout.isTTY === true
  return {
    home, json, quiet, verbose, terminal,
    live: process.stderr.isTTY === true && !quiet && !json && !verbose,
    print: text => { if (!json) process.stdout.write(`${text}\n`) },
    emit: (value, { asIs = false } = {}) => { if (json) process.stdout.write(`${JSON.stringify(asIs ? value : snakeCase(value))}\n`) },
    note: text => { if (!quiet && !json) process.stderr.write(`${text}\n`) },
    fail: (failure, error, line = failureLine(failure)) => {
      process.stderr.write(`${styleText('red', 'a2a-node:', { stream: process.stderr })} ${printable(explain(failure))}\n`)
      if (verbose && error instanceof Error && error.stack !== undefined) process.stderr.write(`${error.stack}\n`)
      if (json) process.stdout.write(`${JSON.stringify(line)}\n`)
    },
    style: (format, text) => styleText(format, text, { stream: process.stdout }),
    logger: (level = 'warn') => createLogger(quiet ? 'error' : verbose ? 'debug' : level)
  }
}

/** What somebody else wrote, on one line and without anything that steers a terminal. */
export const printable = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, ' ')

/** The end of an agent's or peer's id: enough to tell them apart by eye. */
export const shortId = (id: string): string => `…${id.slice(-8)}`
