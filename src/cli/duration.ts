/** Times as people write and read them. */

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `500ms`, `5s`, `1.5m`, `1h`, `30d` in milliseconds. `undefined` when it is none of these, or no time at all. */
export function parseDuration (text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim()) ?? []
  const ms = amount === undefined ? 0 : Math.round(Number(amount) * (UNITS[unit] ?? 0))
  return ms > 0 && Number.isSafeInteger(ms) ? ms : undefined
}

/** A moment, in ms since the epoch: a time from now (`10m`), or a date with its zone (`2026-11-22T08:00Z`). `undefined` when it is neither. */
export function parseWhen (text: string, now: number = Date.now()): number | undefined {
  const ms = parseDuration(text)
  if (ms !== undefined) return now + ms
  const at = /(?:Z|[+-]\d\d:?\d\d)$/.test(text.trim()) ? Date.parse(text) : NaN
  return Number.isNaN(at) ? undefined : at
}

/** The two largest units at most: `340 ms`, `4.2 s`, `3 m 20 s`, `2 d 4 h`. */
export function formatDuration (ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`
  if (ms < 10) return `${Math.round(ms * 10) / 10} ms`
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${Math.round(ms / 100) / 10} s`
  const seconds = Math.round(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return two(Math.floor(seconds / 60), 'm', seconds % 60, 's')
  const minutes = Math.floor(seconds / 60)
  if (minutes < 1_440) return two(Math.floor(minutes / 60), 'h', minutes % 60, 'm')
  const hours = Math.floor(minutes / 60)
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

/** `2 m ago`. */
export const ago = (at: number, now: number = Date.now()): string => `${formatDuration(Math.max(0, now - at))} ago`

const two = (large: number, unit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smallUnit}`
