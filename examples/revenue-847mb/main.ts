/**
 * From a question to a picture over 847 MB of sales, by four processes that know nothing of each other but names of
 * capabilities. Starts three agents, and as the fourth asks twice: first nobody knows the answer, then somebody does.
 * Run: node examples/revenue-847mb/main.ts [--megabytes N] [--data FOLDER]
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { createAgent, type Agent } from 'a2a-node'
import { meshIn } from '../agent.ts'
import { createProcesses, interruption } from '../processes.ts'
import { check, sumsBy } from './check.ts'
import { openDataset, type Dataset } from './dataset.ts'
import { renderTimeline, type Run } from './timeline.ts'
import type { Answer } from './analyst.ts'
import type { Revenue } from './revenue.ts'

const out = join('out', 'revenue-847mb.svg')
const interrupted = interruption()

/** Asks for the sums, has them drawn, and checks every one of them. */
async function run (name: string, asker: Agent, dataset: Dataset): Promise<{ run: Run, revenue: Revenue, svg: string }> {
  const askedAt = Date.now()
  const steps = new Map<string, number>()
  const step = (name: string, at = Date.now()): unknown => steps.set(name, at - askedAt)
  let bid = ''

  const question = asker.delegate('data.sales.revenue', {}, { maxDurationMs: 60_000, signal: interrupted })
  for await (const event of question) {
    if (event.event === 'bid') {
      bid = `cost ${event.cost}, ${event.durationMs?.toLocaleString('en-US')} ms`
      step('analyst found, and its bid here', event.at)
    }
    if (event.event === 'awarded') step('awarded to the analyst', event.at)
  }
  const { output, receipt } = await question.result as { output: Answer, receipt: { verified: boolean } }
  step('owner found, dataset named', output.locatedAt)
  if (output.moved !== undefined) {
    step('first bytes', output.moved.firstAt)
    step('last bytes', output.moved.lastAt)
  }
  step('sums complete', output.summedAt)
  step('sums here', Date.now())

  const drawing = asker.delegate('viz.chart.render', chartOf(output.revenue), { signal: interrupted })
  for await (const event of drawing) if (event.event === 'awarded') step('awarded to the artist', event.at)
  const drawn = await drawing.result
  step('picture here')

  if (!receipt.verified || !drawn.receipt.verified) throw new Error('a receipt does not hold')
  check(output.revenue, dataset)
  const { bytes, firstAt, lastAt } = output.moved ?? { bytes: 0, firstAt: 0, lastAt: 0 }
  return { run: { name, bid, steps, movedBytes: bytes, movedMs: lastAt - firstAt, analystBytes: output.peakMemoryBytes }, revenue: output.revenue, svg: drawn.output.svg }
}

function chartOf ({ months, categories, regions, cents }: Revenue): unknown {
  const rows = months.flatMap((month, m) => categories.map((category, c) => {
    const from = (m * categories.length + c) * regions.length
    return { month, category, millions: cents.slice(from, from + regions.length).reduce((sum, cell) => sum + cell, 0) / 1e8 }
  }))
  return { title: 'Revenue by month and category', rows, x: 'month', y: 'millions', color: 'category', yTitle: 'millions' }
}

async function main (): Promise<void> {
  const { megabytes, data } = readArguments()
  const dataset = await openDataset({ folder: data, megabytes, signal: interrupted, progress: line => console.error(line) })
  console.error(`${dataset.rows.toLocaleString('en-US')} sales in ${dataset.bytes.toLocaleString('en-US')} bytes: ${dataset.file}`)

  await using processes = await createProcesses(interrupted)
  await Promise.all([
    processes.start(join(import.meta.dirname, 'owner.ts'), dataset.file),
    processes.start(join(import.meta.dirname, 'analyst.ts')),
    processes.start(join(import.meta.dirname, '../revenue-analysis/artist.ts'))
  ])
  await using asker = await createAgent({ name: 'asker', ...meshIn(processes.folder, 'asker') })
  await asker.node.joined()

  const cold = await run('cold', asker, dataset)
  const known = await run('known', asker, dataset)
  await mkdir(dirname(out), { recursive: true })
  await writeFile(out, known.svg)
  console.log(renderTimeline([cold.run, known.run]))
  const sums = Object.entries(sumsBy(known.revenue, 'category')).sort(([, a], [, b]) => b - a)
  console.log(`Revenue, checked to the cent: ${sums.map(([category, cents]) => `${category} ${Math.round(cents / 1e8).toLocaleString('en-US')}`).join(', ')} million.`)
  console.log(`Chart: ${out}`)
}

function readArguments (): { megabytes: number, data: string } {
  const { values } = parseArgs({ options: { megabytes: { type: 'string', default: '847' }, data: { type: 'string', default: join(import.meta.dirname, 'data') } } })
  const megabytes = Number(values.megabytes)
  if (!Number.isInteger(megabytes) || megabytes < 1 || megabytes > 100_000) throw new Error(`--megabytes ${values.megabytes}: a whole number from 1 to 100,000, please`)
  return { megabytes, data: values.data }
}

try {
  await main()
} catch (error) {
  const reason: unknown = interrupted.aborted ? interrupted.reason : error
  console.error(`no picture: ${reason instanceof Error ? reason.message : reason}`)
  process.exitCode = 1
}
