/**
 * Revenue by genre and year, found out by five processes that know nothing of each other but names of capabilities.
 * Starts four agents, and as the fifth asks for the report. Run: node examples/revenue-analysis/main.ts
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { createAgent, type Agent, type TaskEvent } from 'a2a-node'
import { meshIn } from './start.ts'
import { pivot, renderTable } from './table.ts'

const request = { measure: 'worldwideGross', yearFrom: 1995, yearTo: 2010 }
const out = join('out', 'revenue-by-genre.svg')
const names = new Map<string, string>()
const children: ChildProcess[] = []
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`stopped by ${signal}`)))

async function start (name: string, folder: string): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`), folder], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  const died = once(child, 'exit').then(([code]) => { throw new Error(`the ${name} ended with status ${code} before it was ready`) })
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line', { signal: interrupted.signal }), died])
  names.set(JSON.parse(line).agentId, name)
}

async function end (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.stdin?.end()
  const late = setTimeout(() => child.kill('SIGKILL'), 3_000)
  await once(child, 'exit')
  clearTimeout(late)
}

function tell (event: TaskEvent): void {
  const line =
    event.event === 'bid' ? `bid from ${event.provider}: cost ${event.cost}, ${event.durationMs} ms, confidence ${event.confidence}`
    : event.event === 'awarded' ? `report.revenue.create goes to ${event.provider}: ${event.reason}`
    : event.event === 'progress' ? event.note
    : event.event === 'artifact' ? `artifact ${event.name}, ${event.data.length} bytes of ${event.mediaType}`
    : event.event === 'moved' ? `taken from ${event.provider}: ${event.failure.code}`
    : undefined
  if (line !== undefined) console.error(`  ${line.replace(/did:key:\w+/g, did => names.get(did) ?? did)}`)
}

async function report (agent: Agent): Promise<void> {
  await agent.node.joined()
  const work = agent.delegate('report.revenue.create', request, { maxDurationMs: 20_000, signal: interrupted.signal })
  for await (const event of work) tell(event)
  const { output, receipt, cost } = await work.result
  if (!receipt.verified) throw new Error('the receipt does not hold')
  await mkdir(dirname(out), { recursive: true })
  await writeFile(out, output.svg)
  console.log(`Worldwide gross by genre, ${output.unit}`)
  console.log(renderTable(pivot(output.rows), request.yearFrom))
  console.log(`Repaired in the source: ${Object.entries(output.repairs).map(([what, count]) => `${what} ${count}`).join(', ')}`)
  console.log(`Chart: ${out}. Cost ${cost}, receipt ${receipt.hash.slice(0, 12)} signed by both sides.`)
}

const folder = await mkdtemp(join(tmpdir(), 'a2a-revenue-'))
let asker: Agent | undefined
try {
  await Promise.all(['reader', 'aggregator', 'artist', 'analyst'].map(name => start(name, folder)))
  asker = await createAgent({ name: 'asker', ...meshIn(folder, 'asker') })
  await report(asker)
} catch (error) {
  const reason: unknown = interrupted.signal.aborted ? interrupted.signal.reason : error
  console.error(`no report: ${reason instanceof Error ? reason.message : reason}`)
  process.exitCode = 1
} finally {
  await Promise.all([asker?.[Symbol.asyncDispose](), ...children.map(end)])
  await rm(folder, { recursive: true, force: true })
}
