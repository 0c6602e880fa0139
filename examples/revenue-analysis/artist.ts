/** Draws charts of anybody's rows. */
import { renderChart, type ChartRequest } from './chart.ts'
import { startAgent } from '../agent.ts'

const input = {
  type: 'object',
  required: ['title', 'rows', 'x', 'y', 'color'],
  additionalProperties: false,
  properties: {
    title: { type: 'string', maxLength: 200 },
    rows: { type: 'array', maxItems: 20_000, items: { type: 'object', additionalProperties: { type: ['string', 'number'] } } },
    x: { type: 'string' },
    y: { type: 'string' },
    color: { type: 'string' },
    yTitle: { type: 'string' }
  }
}
/** Two bars. The first drawing of a process takes many times as long as the next, so nobody is made to wait for it. */
await renderChart({ title: 'Warming up', rows: [{ x: 1, y: 1, color: 'a' }, { x: 2, y: 2, color: 'b' }], x: 'x', y: 'y', color: 'color' })

const output = { type: 'object', required: ['svg'], properties: { svg: { type: 'string', pattern: '^<svg' } } }

await startAgent('artist', agent => agent.provide<ChartRequest>('viz.chart.render', {
  description: 'Stacked bars as SVG',
  input,
  output,
  mediaTypes: ['image/svg+xml'],
  bid: (call, load) => ({ cost: 2, durationMs: 500 + Math.ceil(call.inputBytes / 1_000), confidence: 0.9 - load / 2 }),
  run: async (request, { progress }) => {
    progress(0.1, `drawing ${request.rows.length} rows`)
    return { svg: await renderChart(request) }
  }
}))
