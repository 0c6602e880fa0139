/** What happened when, of both runs side by side. */
import Table from 'cli-table3'

export interface Run {
  name: string
  /** What the analyst offered. */
  bid: string
  /** Milliseconds from the question, in the order of the steps. A step that was not needed is left out. */
  steps: Map<string, number>
  movedBytes: number
  /** Between the first byte and the last. */
  movedMs: number
  analystBytes: number
}

export function renderTimeline (runs: Run[]): string {
  const table = new Table({ head: ['', ...runs.map(({ name }) => name)], colAligns: ['left', ...runs.map(() => 'right' as const)], style: { head: [], border: [], compact: true } })
  const row = (label: string, cell: (run: Run) => string): void => { table.push([label, ...runs.map(cell)]) }
  const longest = runs.toSorted((a, b) => b.steps.size - a.steps.size)[0]
  row('analyst offers', run => run.bid)
  for (const step of longest?.steps.keys() ?? []) row(step, ({ steps }) => `${steps.get(step)?.toLocaleString('en-US') ?? '–'} ms`.replace('– ms', '–'))
  row('moved', ({ movedBytes }) => movedBytes === 0 ? 'nothing' : `${(movedBytes / 1e6).toFixed(1)} MB`)
  row('', ({ movedBytes, movedMs }) => movedBytes === 0 ? '–' : `${Math.round(movedBytes / 1e3 / Math.max(1, movedMs))} MB/s`)
  row('memory of the analyst, at most', ({ analystBytes }) => `${Math.round(analystBytes / 1e6)} MB`)
  return table.toString()
}
