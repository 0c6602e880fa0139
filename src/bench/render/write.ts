import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from '../report.ts'
import { chartOf } from './chart.ts'
import { markdownOf } from './markdown.ts'

/** Writes `benchmarks.md` and its charts into a folder; gives the files. */
export function writeReport (report: Report, folder: string): string[] {
  const charts = report.tables.map(table => ({ id: table.id, svg: chartOf(table) })).filter((chart): chart is { id: string, svg: string } => chart.svg !== undefined)
  mkdirSync(join(folder, 'benchmarks'), { recursive: true })
  const files = charts.map(({ id, svg }): [string, string] => [join(folder, 'benchmarks', `${id}.svg`), svg])
  files.unshift([join(folder, 'benchmarks.md'), markdownOf(report, charts.map(({ id }) => id))])
  for (const [file, text] of files) writeFileSync(file, text)
  return files.map(([file]) => file)
}
