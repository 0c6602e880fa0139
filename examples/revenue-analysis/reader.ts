/** Reads films: box-office figures of some 3,200 films, from the `vega-datasets` package. */
import { readFile } from 'node:fs/promises'
import { choose, clean, COLUMNS, type Column } from './films.ts'
import { startAgent } from '../agent.ts'

const file = new URL('../../node_modules/vega-datasets/data/movies.json', import.meta.url)
const { films, repairs } = clean(JSON.parse(await readFile(file, 'utf8')))

const input = {
  type: 'object',
  required: ['columns'],
  additionalProperties: false,
  properties: {
    columns: { type: 'array', items: { enum: COLUMNS }, minItems: 1, uniqueItems: true },
    yearFrom: { type: 'integer' },
    yearTo: { type: 'integer' }
  }
}
const output = {
  type: 'object',
  required: ['rows', 'repairs'],
  properties: {
    rows: { type: 'array', items: { type: 'object' } },
    repairs: { type: 'object', additionalProperties: { type: 'integer' } }
  }
}

await startAgent('reader', agent => agent.provide<{ columns: Column[], yearFrom?: number, yearTo?: number }>('data.movies.read', {
  description: 'Films with title, genre, year, grosses and budget, cleaned',
  input,
  output,
  bid: (_call, load) => ({ cost: 1, durationMs: 200, confidence: 0.95 - load / 2 }),
  run: ({ columns, yearFrom, yearTo }) => ({ rows: choose(films, columns, yearFrom, yearTo), repairs })
}))
