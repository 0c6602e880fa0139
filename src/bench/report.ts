/** What a run of the bench gives: figures with their rounds, and what they come to. Plain data; `render/` shows it. */
import { median, medians } from './stats.ts'

export interface Report {
  /** ISO 8601. */
  at: string
  /** What to type to have it again. */
  command: string
  quick: boolean
  rounds: number
  machine: Machine
  /** Of everything that was measured, by package or program. */
  versions: Record<string, string>
  /** Peers that are not there, and how to get them. */
  missing: Array<{ subject: string, get: string }>
  /** What was begun and did not come to an end. */
  failures: Array<{ section: string, subject: string, why: string }>
  ratios: Ratio[]
  /** Those that were asked for. */
  sections: Array<{ id: string, title: string }>
  tables: Table[]
  /** Ended early by a signal. */
  interrupted: boolean
  /** Sections that were not, or only in part, measured because of that. */
  unmeasured: Array<{ section: string, title: string, begun: boolean }>
}

export interface Machine {
  cpu: string
  cores: number
  memoryBytes: number
  os: string
  node: string
  /** Load average of the last minute before the run, per core: above 0.2 others were at work too. */
  loadBefore: number
}

export type Unit = 'µs' | 'ms' | '/s' | 'bytes' | 'MB/s' | 'MB' | 'MiB' | 'KiB' | '' | '%'

export interface Column {
  key: string
  title: string
  unit: Unit
}

export interface Table {
  id: string
  section: string
  title: string
  /** What the rows are. */
  head: string
  columns: Column[]
  rows: Row[]
  notes: string[]
  /** The column to draw; less or more is better. */
  chart?: { key: string, better: 'less' | 'more' }
}

export interface Row {
  name: string
  /** By column, of every round. */
  rounds: Figures[]
  /** The medians of them. */
  figures: Record<string, number>
}

export type Figures = Record<string, number | undefined>

export interface Ratio {
  /** What is divided by what. */
  what: string
  value: number
  least?: number
  most?: number
  /** Of the value, where it is no bare ratio. */
  unit?: Unit
}

/** Rows of a table out of what was measured, in the order their names first came. */
export function rowsOf (measured: ReadonlyArray<{ name: string, figures: Figures }>): Row[] {
  const names = [...new Set(measured.map(({ name }) => name))]
  return names.map(name => {
    const rounds = measured.filter(row => row.name === name).map(({ figures }) => figures)
    return { name, rounds, figures: medians(rounds) }
  })
}

/**
 * The median, over all rounds, of what one has in a round divided by what the other has in it: both stood the same weather.
 * Nothing when one of them was not measured.
 */
export function ratioOf (table: Table | undefined, one: string, other: string, key: string): number | undefined {
  const rounds = (name: string): Figures[] => table?.rows.find(row => row.name === name)?.rounds ?? []
  const theirs = rounds(other)
  const ratios = rounds(one)
    .map((figures, round) => (figures[key] ?? NaN) / (theirs[round]?.[key] ?? NaN))
    .filter(ratio => !Number.isNaN(ratio))
  return ratios.length === 0 ? undefined : median(ratios)
}

/** Whether its goal is reached; undefined when it has none. */
export const isMet = ({ value, least, most }: Ratio): boolean | undefined =>
  least === undefined && most === undefined ? undefined : value >= (least ?? -Infinity) && value <= (most ?? Infinity)
