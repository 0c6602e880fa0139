/** Bars with labels, as an SVG that is readable on light and dark pages. */
import type { Table } from '../report.ts'
import { figure } from './figure.ts'

const WIDTH = 720
const NAME = 170
const LABEL = 110
const BAR = 22
const GAP = 8
const TOP = 44

/** The chart of a table, or nothing when it has none. Bars begin at zero. */
export function chartOf ({ title, rows, columns, chart }: Table): string | undefined {
  const column = columns.find(({ key }) => key === chart?.key)
  const bars = rows.map(({ name, figures }) => ({ name, value: figures[chart?.key ?? ''] })).filter((bar): bar is { name: string, value: number } => bar.value !== undefined)
  if (chart === undefined || column === undefined || bars.length === 0) return undefined
  const most = Math.max(...bars.map(({ value }) => value))
  const height = TOP + bars.length * (BAR + GAP) + GAP
  const lines = bars.map(({ name, value }, i) => {
    const y = TOP + i * (BAR + GAP)
    const width = most === 0 ? 0 : value / most * (WIDTH - NAME - LABEL)
    const own = name.startsWith('a2a-node') ? ' class="own"' : ''
    return [
      `  <text x="${NAME - 8}" y="${y + 16}" text-anchor="end">${escape(name)}</text>`,
      `  <rect${own} x="${NAME}" y="${y}" width="${Math.max(1, width).toFixed(1)}" height="${BAR}" rx="2"/>`,
      `  <text x="${(NAME + width + 6).toFixed(1)}" y="${y + 16}">${escape(figure(value, column.unit))}</text>`
    ].join('\n')
  })
  const heading = `${title}: ${column.title} (${chart.better === 'less' ? 'less' : 'more'} is better)`
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(heading)}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .title { font-weight: 600 }
    rect { fill: #8c959f }
    .own { fill: #0969da }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } rect { fill: #6e7681 } .own { fill: #4493f8 } }
  </style>
  <text class="title" x="8" y="24">${escape(heading)}</text>
${lines.join('\n')}
</svg>
`
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
