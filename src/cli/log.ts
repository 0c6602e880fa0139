import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** Plain lines on stderr: time, level, what, and the facts as `key=value`. Nothing below `level`. */
export function createLogger (level: (typeof LEVELS)[number], write: (line: string) => void = line => { process.stderr.write(line) }): Logger {
  const from = LEVELS.indexOf(level)
  const at = (name: (typeof LEVELS)[number]): Logger['info'] => LEVELS.indexOf(name) < from
    ? () => undefined
    : (what, facts = {}) => write(`${new Date().toISOString()} ${name} ${what}${Object.entries(facts).map(([key, value]) => ` ${key}=${valueOf(value)}`).join('')}\n`)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function valueOf (value: unknown): string {
  const text = value instanceof Error ? messageOf(value) : typeof value === 'string' ? value : JSON.stringify(value) ?? 'undefined'
  return /^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text)
}
