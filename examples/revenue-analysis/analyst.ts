/** Writes the report: asks for the sums, sends them on at once, then asks for the chart. It knows capabilities, not agents. */
import type { Repairs } from './films.ts'
import { ask, startAgent } from '../agent.ts'
import type { Measure, Sum } from './sums.ts'

interface Request { measure: Measure, yearFrom: number, yearTo: number }
interface Report { rows: Sum[], unit: string, repairs: Repairs, svg: string }

const input = {
  type: 'object',
  required: ['measure', 'yearFrom', 'yearTo'],
  additionalProperties: false,
  properties: {
    measure: { enum: ['worldwideGross', 'usGross', 'productionBudget'] },
    yearFrom: { type: 'integer' },
    yearTo: { type: 'integer' }
  }
}
const output = {
  type: 'object',
  required: ['rows', 'unit', 'repairs', 'svg'],
  properties: { rows: { type: 'array' }, unit: { type: 'string' }, repairs: { type: 'object' }, svg: { type: 'string' } }
}

await startAgent('analyst', agent => agent.provide<Request, Report>('report.revenue.create', {
  description: 'Revenue of films by genre and year, as a table and a chart',
  input,
  output,
  bid: (_call, load) => ({ cost: 10, durationMs: 3_000, confidence: 0.9 - load / 2 }),
  run: async ({ measure, yearFrom, yearTo }, context) => {
    context.progress(0.1, 'asking for the sums')
    const { rows, unit, repairs } = await ask<Omit<Report, 'svg'>>(context, 'data.revenue.aggregate', { groupBy: ['genre', 'year'], measure, yearFrom, yearTo })
    await context.artifact('revenue-by-genre', rows)

    context.progress(0.6, 'asking for the chart')
    const { svg } = await ask<{ svg: string }>(context, 'viz.chart.render', {
      title: `Box office by genre, ${yearFrom}–${yearTo}`, rows, x: 'year', y: 'millions', color: 'genre', yTitle: unit
    })
    await context.artifact('revenue-by-genre.svg', svg, { mediaType: 'image/svg+xml', last: true })
    return { rows, unit, repairs, svg }
  }
}))
