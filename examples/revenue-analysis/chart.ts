/** Charts as SVG, drawn without a browser: Vega-Lite compiled to Vega, rendered to a string. */
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'

export interface ChartRequest {
  title: string
  rows: Array<Record<string, string | number>>
  /** Names of the rows' fields. */
  x: string
  y: string
  color: string
  yTitle?: string
}

/** Stacked bars: `x` across, the sum of `y` up, one colour for each `color`. */
export async function renderChart ({ title, rows, x, y, color, yTitle = y }: ChartRequest): Promise<string> {
  const spec: TopLevelSpec = {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title,
    width: 720,
    height: 360,
    background: 'white',
    data: { values: rows },
    mark: 'bar',
    encoding: {
      x: { field: x, type: 'ordinal', title: null },
      y: { field: y, type: 'quantitative', aggregate: 'sum', title: yTitle },
      color: { field: color, type: 'nominal', title: null, scale: { scheme: 'tableau20' } }
    }
  }
  const view = new View(parse(compile(spec).spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}
