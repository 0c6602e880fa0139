import type { Ratio, Unit } from '../report.ts'

/** A figure as people read it: three digits that count. */
export function figure (value: number | undefined, unit: Unit): string {
  if (value === undefined || Number.isNaN(value)) return '–'
  if (unit === 'µs' && value >= 10_000) return `${digits(value / 1_000)} ms`
  if (unit === 'ms' && value >= 10_000) return `${digits(value / 1_000)} s`
  if (unit === '/s') return `${digits(value)}/s`
  return `${digits(value)}${unit === '' ? '' : ` ${unit}`}`
}

/** Three digits, and all those before the point. */
function digits (value: number): string {
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en-US')
  if (Math.abs(value) >= 100) return value.toFixed(0)
  if (Math.abs(value) >= 10) return value.toFixed(1)
  return value.toFixed(2)
}

/** `≤ 1.25`. */
export const goal = ({ least, most, unit = '' }: Ratio): string =>
  [least === undefined ? '' : `≥ ${bound(least, unit)}`, most === undefined ? '' : `≤ ${bound(most, unit)}`].filter(text => text !== '').join(', ')

const bound = (value: number, unit: Unit): string => unit === '' ? `${value}` : unit === '/s' ? `${value}/s` : `${value} ${unit}`
