/**
 * Revenue by genre and year, found out by five processes that know nothing of each other but names of capabilities.
 * Starts four agents, and as the fifth asks for the report. Run: node examples/revenue-analysis/main.ts
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createAgent, type Agent, type TaskEvent } from 'a2a-node'
import { meshIn } from '../agent.ts'
import { createProcesses, interruption } from '../processes.ts'
import { pivot, renderTable } from './table.ts'

const request = { measure: 'worldwideGross', yearFrom: 1995, yearTo: 2010 }
const out = join('out', 'revenue-by-genre.svg')
const interrupted = interruption()

function tell (event: TaskEvent): string | undefined {
  return event.event === 'bid' ? `bid from ${event.provider}: cost ${event.cost}, ${event.durationMs} ms, confidence ${event.confidence}`
    : event.event === 'awarded' ? `report.revenue.create goes to ${event.provider}: ${event.reason}`
    : event.event === 'progress' ? event.note
    : event.event === 'artifact' ? `artifact ${event.name}, ${event.data.length} bytes of ${event.mediaType}`
    : event.event === 'moved' ? `taken from ${event.provider}: ${event.failure.code}`
    : undefined
}

async function report (agent: Agent, name: (text: string) => string): Promise<void> {
  await agent.node.joined()
  const work = agent.delegate('report.revenue.create', request, { maxDurationMs: 20_000, signal: interrupted })
  for await (const event of work) {
    const line = tell(event)
    if (line !== undefined) console.error(`  ${name(line)}`)
  }
  const { output, receipt, cost } = await work.result
  if (!receipt.verified) throw new Error('the receipt does not hold')
  await mkdir(dirname(out), { recursive: true })
  await writeFile(out, output.svg)
  console.log(`Worldwide gross by genre, ${output.unit}`)
  console.log(renderTable(pivot(output.rows), request.yearFrom))
  console.log(`Repaired in the source: ${Object.entries(output.repairs).map(([what, count]) => `${what} ${count}`).join(', ')}`)
  console.log(`Chart: ${out}. Cost ${cost}, receipt ${receipt.hash.slice(0, 12)} signed by both sides.`)
}

try {
  await using processes = await createProcesses(interrupted)
  await Promise.all(['reader', 'aggregator', 'artist', 'analyst'].map(name => processes.start(join(import.meta.dirname, `${name}.ts`))))
  await using asker = await createAgent({ name: 'asker', ...meshIn(processes.folder, 'asker') })
  await report(asker, processes.name)
} catch (error) {
  const reason: unknown = interrupted.aborted ? interrupted.reason : error
  console.error(`no report: ${reason instanceof Error ? reason.message : reason}`)
  process.exitCode = 1
}
