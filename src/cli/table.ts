import Table from 'cli-table3'
import { printable, type Console } from './console.ts'

/** Columns without lines around them. Cells are cleaned of whatever could steer a terminal. */
export function table (console: Console, heads: string[], rows: string[][]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' }
  const made = new Table({ chars: none, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } })
  made.push(heads.map(head => console.style('bold', head)), ...rows.map(row => row.map(printable)))
  return made.toString().split('\n').map(line => line.trimEnd()).join('\n')
}

/** Facts about one thing, one a line. */
export function facts (console: Console, entries: Array<[name: string, value: string | undefined]>): string {
  const shown = entries.filter((entry): entry is [string, string] => entry[1] !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${console.style('dim', name.padEnd(width))}  ${printable(value)}`).join('\n')
}
