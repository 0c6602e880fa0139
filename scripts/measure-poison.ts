/**
 * `node scripts/measure-poison.ts [--rounds 2] [--seconds 60] [--rate 50]`
 *
 * What a poison job costs the others. 18 agents in two processes do trivial tasks, 50 a second, for a node that also has a job in its
 * queue that kills whatever handles it. Measured in turns, each for so many seconds: without any of it; with a job that kills the program
 * that is its handler; with a process that is only killed and started again as often; and with a job that kills the whole process of its
 * provider, which is started again each time. Each job is a dead letter long before the end. Needs `npm run build`.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createNode, type Agent } from 'a2a-node'
import { numberOf } from './numbers.ts'
import { stripWorker } from './strip-worker.ts'

/** Six capabilities, three agents for each. */
const GOOD = Array.from({ length: 6 }, (_, n) => `bench.trivial.echo-${n}`)
const BAD = 'bench.poison.take'
const BAD_PROGRAM = 'bench.poison.run'
const DEATHS = 5
const PROCESSES = 2
const AGENTS = 9
const WARM_S = 10

const { values } = parseArgs({ allowPositionals: true, options: {
  rounds: { type: 'string', default: '2' },
  seconds: { type: 'string', default: '60' },
  rate: { type: 'string', default: '50' }
} })
const seconds = numberOf('seconds', values.seconds)
const folder = mkdtempSync(join(tmpdir(), 'a2a-poison-'))
const worker = stripWorker(import.meta.dirname, folder, ['poison-worker'])
const children = new Set<ChildProcess>()
const node = await createNode({ name: 'asker', home: join(folder, 'asker'), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
const asker = node.agents[0] as Agent
try {
  await Promise.all(Array.from({ length: PROCESSES }, (_, n) => once(start(`worker-${n}`), 'message')))
  await node.joined()
  await load(WARM_S)
  for (let round = 1; round <= numberOf('rounds', values.rounds); round++) {
    const alone = await load(seconds)
    const [program, attempts] = await Promise.all([load(seconds), give()])
    const [restarts] = await Promise.all([load(seconds), restart()])
    const [poison, starts] = await Promise.all([load(seconds), kill()])
    const line = ({ p50, p99, count }: Load): string => `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms of ${count}: p99 ${(p99 / alone.p99).toFixed(2)} times that of alone`
    console.log(`round ${round}
  alone                            ${line(alone)}
  a job that kills its program     ${line(program)}; ${attempts} attempts
  restarts alone                   ${line(restarts)}
  a job that kills its process     ${line(poison)}, ${(poison.p99 / restarts.p99).toFixed(2)} of restarts; ${starts} starts`)
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
  await node[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

function start (name: string): ChildProcess {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled'), FOLDER: folder, NAME: name, AGENTS: `${AGENTS}`, GOOD: GOOD.join(' '), BAD, BAD_PROGRAM }
  const child = fork(worker, { env })
  children.add(child)
  child.once('exit', () => { children.delete(child) })
  return child
}

interface Load { p50: number, p99: number, count: number }

/** Tasks at an even pace, whatever becomes of them. */
async function load (forS: number): Promise<Load> {
  const rate = numberOf('rate', values.rate)
  const begun = performance.now()
  const tasks: Array<Promise<number>> = []
  for (let n = 0; n < forS * rate; n++) {
    await sleep(Math.max(0, begun + n * 1_000 / rate - performance.now()))
    const at = performance.now()
    tasks.push(asker.delegate(GOOD[n % GOOD.length] as string, n).result.then(() => performance.now() - at))
  }
  const times = (await Promise.all(tasks)).sort((a, b) => a - b)
  const at = (share: number): number => times[Math.ceil(times.length * share) - 1] ?? 0
  return { p50: at(0.5), p99: at(0.99), count: times.length }
}

/** How many attempts a job has had whose handler's program was killed each time, when it was given up. */
async function give (): Promise<number> {
  const { id, result } = await asker.enqueue(BAD_PROGRAM, null)
  await result.catch(() => {})
  return (await asker.dead.drop(id)).attempts.length
}

/** The process alone: killed as soon as it is ready, as often as the job will kill it. */
async function restart (): Promise<void> {
  for (let n = 0; n < DEATHS; n++) {
    const child = start('poison')
    await once(child, 'message')
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

/** How often the job killed its provider before it was given up. */
async function kill (): Promise<number> {
  const job = await asker.enqueue(BAD, null)
  const end = job.result.catch(() => 'over' as const)
  for (let starts = 0; ; starts++) {
    const child = start('poison')
    const first = await Promise.race([once(child, 'exit').then(() => 'killed' as const), end])
    if (first !== 'killed' || starts > DEATHS) {
      child.kill('SIGKILL')
      return starts
    }
  }
}
