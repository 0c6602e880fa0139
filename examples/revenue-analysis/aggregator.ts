/** Sums revenue with SQL. It asks for the films by capability: whoever reads films best gets to do it. */
import type { Film, Repairs } from './films.ts'
import { ask, startAgent } from '../agent.ts'
import { sumBy, type Group, type Measure, type Sum } from './sums.ts'

interface Request { groupBy: Group[], measure: Measure, yearFrom: number, yearTo: number }
interface Aggregate { rows: Sum[], unit: string, repairs: Repairs }

const input = {
  type: 'object',
  required: ['groupBy', 'measure', 'yearFrom', 'yearTo'],
  additionalProperties: false,
  properties: {
    groupBy: { type: 'array', items: { enum: ['genre', 'year'] }, minItems: 1, uniqueItems: true },
    measure: { enum: ['worldwideGross', 'usGross', 'productionBudget'] },
    yearFrom: { type: 'integer' },
    yearTo: { type: 'integer' }
  }
}
const output = {
  type: 'object',
  required: ['rows', 'unit', 'repairs'],
  properties: {
    rows: {
      type: 'array',
      items: {
        type: 'object',
        required: ['films', 'millions'],
        properties: { genre: { type: 'string' }, year: { type: 'integer' }, films: { type: 'integer' }, millions: { type: 'number' } }
      }
    },
    unit: { type: 'string' },
    repairs: { type: 'object' }
  }
}

await startAgent('aggregator', agent => agent.provide<Request, Aggregate>('data.revenue.aggregate', {
  description: 'Revenue of films by genre and year, summed with SQL',
  input,
  output,
  bid: (_call, load) => ({ cost: 3, durationMs: 1_000, confidence: 0.9 - load / 2 }),
  run: async ({ groupBy, measure, yearFrom, yearTo }, context) => {
    context.progress(0.1, 'asking for the films')
    const { rows, repairs } = await ask<{ rows: Array<Partial<Film>>, repairs: Repairs }>(context, 'data.movies.read', {
      columns: ['genre', 'year', measure], yearFrom, yearTo
    })
    context.progress(0.5, `${rows.length} films to sum`)
    const sums = await sumBy(rows, groupBy, measure)
    context.progress(0.9, `${sums.length} groups`)
    return { rows: sums, unit: 'million USD', repairs }
  }
}))
