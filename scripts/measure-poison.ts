/**
 * `node scripts/measure-poison.ts [--rounds 2] [--seconds 60] [--rate 50]`
 *
 * What a poison job costs the others. 18 agents in two processes do trivial tasks, 50 a second, for a node that also has a job in its
 * queue that kills whatever handles it. Measured in turns: without any of it; with a job that kills the program that is its handler, and
 * with a job that kills the whole process of its provider, which is started again each time: from when each is put into the queue until it
 * is a dead letter. Needs `npm run build`.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { numberOf } from './numbers.ts'
import { createNode, execHandler, type Agent, type Node } from 'a2a-node'

/** Six capabilities, three agents for each. */
const goodOf = (n: number): string => `bench.trivial.echo-${n % 6}`
const BAD = 'bench.poison.take'
const BAD_PROGRAM = 'bench.poison.run'
const DEATHS = 5
const WARM_MS = 10_000
const PROCESSES = 2
const AGENTS = 9

const { values } = parseArgs({ allowPositionals: true, options: {
  rounds: { type: 'string', default: '2' },
  seconds: { type: 'string', default: '60' },
  rate: { type: 'string', default: '50' }
} })

if (process.send === undefined) await measure()
else await provide()

/** A child: agents that echo, or one that dies of what it is asked. */
async function provide (): Promise<void> {
  const { FOLDER = '', NAME = '' } = process.env
  const node = await nodeIn(FOLDER, NAME)
  if (NAME === 'poison') {
    await node.agents[0]?.provide(BAD, { run: () => { process.kill(process.pid, 'SIGKILL') } })
  } else {
    for (let n = 0; n < AGENTS; n++) {
      const agent = n === 0 ? node.agents[0] : await node.createAgent()
      if (n === 0 && NAME === 'worker-0') await agent?.provide(BAD_PROGRAM, { run: execHandler('kill -9 $$') })
      await agent?.provide(goodOf(n), { run: input => input })
    }
  }
  process.on('disconnect', () => { process.exit() })
  process.send?.('ready')
}

function nodeIn (folder: string, name: string): Promise<Node> {
  return createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
}

async function measure (): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-poison-'))
  const children = new Set<ChildProcess>()
  const start = (name: string): ChildProcess => {
    const child = fork(import.meta.filename, { env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled'), FOLDER: folder, NAME: name } })
    children.add(child)
    child.once('exit', () => { children.delete(child) })
    return child
  }
  const node = await nodeIn(folder, 'asker')
  const asker = node.agents[0] as Agent
  try {
    await Promise.all(Array.from({ length: PROCESSES }, (_, n) => once(start(`worker-${n}`), 'message')))
    await node.joined()
    await load(asker, sleep(WARM_MS))
    for (let round = 1; round <= numberOf('rounds', values.rounds); round++) {
      const alone = await load(asker, sleep(numberOf('seconds', values.seconds) * 1_000))
      const line = ({ p50, p99, count }: Load): string => `p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms of ${count}`
      const beside = ({ p99, ...rest }: Load): string => `${line({ p99, ...rest })}: p99 ${(p99 / alone.p99).toFixed(2)} times that of alone`
      console.log(`round ${round}\n  alone                            ${line(alone)}`)
      const attempts = give(asker)
      console.log(`  a job that kills its program     ${beside(await load(asker, attempts))}; ${await attempts} attempts`)
      const starts = kill(asker, start)
      console.log(`  a job that kills its process     ${beside(await load(asker, starts))}; ${await starts} starts`)
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await node[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

interface Load { p50: number, p99: number, count: number }

/** Tasks at an even pace until something has ended, whatever becomes of them. */
async function load (asker: Agent, end: Promise<unknown>): Promise<Load> {
  const pause = 1_000 / numberOf('rate', values.rate)
  const begun = performance.now()
  const tasks: Array<Promise<number>> = []
  const over = new AbortController()
  const stop = (): void => { over.abort() }
  end.then(stop, stop)
  for (let n = 0; !over.signal.aborted; n++) {
    await sleep(Math.max(0, begun + n * pause - performance.now()))
    const at = performance.now()
    tasks.push(asker.delegate(goodOf(n), n).result.then(() => performance.now() - at))
  }
  const times = (await Promise.all(tasks)).sort((a, b) => a - b)
  const at = (share: number): number => times[Math.ceil(times.length * share) - 1] ?? 0
  return { p50: at(0.5), p99: at(0.99), count: times.length }
}

/** How many attempts a job has had whose handler's program was killed each time, when it was given up. */
async function give (asker: Agent): Promise<number> {
  const { id, result } = await asker.enqueue(BAD_PROGRAM, null)
  await result.catch(() => {})
  return (await asker.dead.drop(id)).attempts.length
}

/** How often the job killed its provider before it was given up. */
async function kill (asker: Agent, start: (name: string) => ChildProcess): Promise<number> {
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
