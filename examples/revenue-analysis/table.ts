/** Sums by genre and year as a table for people: genres down, the last years across, and the total of all years. */
import Table from 'cli-table3'
import type { Sum } from './sums.ts'

export interface Pivot {
  years: number[]
  /** The largest total first. */
  rows: Array<{ genre: string, byYear: number[], total: number }>
}

/** The total is that of all years in the sums, not only of those shown. */
export function pivot (sums: Sum[], lastYears = 6): Pivot {
  const years = [...new Set(sums.map(sum => sum.year ?? 0))].sort((a, b) => a - b).slice(-lastYears)
  const genres = Map.groupBy(sums, sum => sum.genre ?? 'Unclassified')
  const rows = [...genres].map(([genre, of]) => ({
    genre,
    byYear: years.map(year => of.find(sum => sum.year === year)?.millions ?? 0),
    total: of.reduce((total, sum) => total + sum.millions, 0)
  }))
  return { years, rows: rows.sort((a, b) => b.total - a.total) }
}

export function renderTable ({ years, rows }: Pivot, firstYear: number): string {
  const table = new Table({
    head: ['Genre', ...years.map(String), `${firstYear}–${years.at(-1)}`],
    colAligns: ['left', ...years.map(() => 'right' as const), 'right'],
    style: { head: [], border: [], compact: true }
  })
  const sum = (of: (row: Pivot['rows'][number]) => number): number => rows.reduce((total, row) => total + of(row), 0)
  for (const { genre, byYear, total } of rows) table.push([genre, ...byYear.map(money), money(total)])
  table.push(['All', ...years.map((_, i) => money(sum(row => row.byYear[i] ?? 0))), money(sum(row => row.total))])
  return table.toString()
}

/** 12,345; nothing is a dash. */
const money = (millions: number): string => millions === 0 ? '–' : Math.round(millions).toLocaleString('en-US')
