import { stripVTControlCharacters } from 'node:util'
import { printable, type Console } from './console.ts'

/** Columns without lines around them. Cells are cleaned of whatever could steer a terminal. */
export function table (console: Console, heads: string[], rows: string[][]): string {
  const lines = [heads.map(head => console.style('bold', head)), ...rows.map(row => row.map(printable))]
  const widths = heads.map((_, column) => Math.max(...lines.map(line => widthOf(line[column] ?? ''))))
  return lines.map(line => line.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))).join('  ').trimEnd()).join('\n')
}

/** Facts about one thing, one a line. */
export function facts (console: Console, entries: Array<[name: string, value: string | undefined]>): string {
  const shown = entries.filter((entry): entry is [string, string] => entry[1] !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${console.style('dim', name.padEnd(width))}  ${printable(value)}`).join('\n')
}

/** Terminal columns: none for marks that combine, two for what East Asian scripts and emoji take. */
function widthOf (text: string): number {
  let width = 0
  for (const char of stripVTControlCharacters(text)) {
    if (/\p{Mark}|\u200d/u.test(char)) continue
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(char) ? 2 : 1
  }
  return width
}
