/**
 * Leads processes full of nodes through a measurement:
 *
 *   start → settle (one heartbeat) → rest (what an idle mesh costs) → finds (with churn, where wanted) → end
 *
 * A process that dies is done without; processes whose parent dies end by themselves. Every wait has an end.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { stripWorker } from '../strip-worker.ts'
import { agentsOf, capabilityOf, type MeshOptions } from './plan.ts'
import { report, type Judgeable, type Report } from './report.ts'
import type { Counts, FromWorker, PlannedNode, ToWorker } from './messages.ts'
import { ended } from '../../src/swarm/ended.ts'
import { previousWorker } from '../../test/support/previous.ts'

export interface RunOptions extends MeshOptions {
  startMs: number
  settleMs: number
  restMs: number
  findMs: number
  /** Finds a second, of all processes together. */
  rate: number
  /** A process is killed with SIGKILL, and replaced by one with as many new nodes, this often. 0: never. */
  killEveryMs: number
  /** Runs the built package in `dist/`, as users do: Node's own stripping of types takes 40 MB a process. */
  built?: boolean
  /** So many nodes are of the version before, each in a process of its own. */
  previous?: number
  /** Folder for CPU profiles of the first process, at rest and while finding. */
  profile?: string
  onEvent: (what: string) => void
}

/** A process and its nodes; `living` agents are those that said they are there, until it is killed. */
export interface Worker {
  child: ChildProcess
  places: number[]
  /** Of the version before. */
  isOlder: boolean
  agents: Map<string, { capability: string, from: number }>
  /** When it was killed or lost. */
  until?: number
  ready: boolean
  over: boolean
  counts?: Counts
}

/** As `a2a-node start` has it: V8 favours memory while a node starts. */
const ALONE = ['--optimize-for-size']
/**
 * V8's collector holds up all nodes of a process, as it would not hold up nodes with a process each. Some time after the start it would go over the heap
 * of all of them twice, to give memory back, for 0.8 s each time; and half a young generation is collected in half the time. And where all cores are
 * busy with other such processes, who collects it waits for its helpers.
 */
const MANY = ['--no-memory-reducer', '--max-semi-space-size=8', '--no-parallel-scavenge']

const FILES: [string, ...string[]] = ['worker', 'sockets']

/** How long a process may take to say what it counted, and to end. */
const COUNT_MS = 10_000
const END_MS = 8_000

export async function runMesh (options: RunOptions): Promise<Report> {
  const { nodes, processes, restMs, findMs, rate, onEvent } = options
  const folder = mkdtempSync(join(tmpdir(), 'a2a-mesh-'))
  const workers: Worker[] = []
  const workerFile = options.built === true ? stripWorker(import.meta.dirname, folder, FILES) : join(import.meta.dirname, 'worker.ts')
  const previous = options.previous ?? 0
  const olderFile = previous > 0 ? previousWorker(import.meta.dirname, folder, FILES) : workerFile
  const found: Judgeable[] = []
  const watchers = new Set<() => void>()
  let agentNumber = 0
  let finding = false
  let phase: 'on' | 'over' = 'on'

  const living = (): Worker[] => workers.filter(({ until }) => until === undefined)
  const tell = ({ child }: Worker, message: ToWorker): void => { if (child.connected) child.send(message, () => undefined) }
  /** Resolves when it holds for all that live, or after `ms`. */
  const until = (holds: (worker: Worker) => boolean, ms: number): Promise<boolean> => new Promise(resolve => {
    const done = (good: boolean): void => {
      watchers.delete(look)
      clearTimeout(timer)
      resolve(good)
    }
    const look = (): void => { if (living().every(holds)) done(true) }
    const timer = setTimeout(() => { done(false) }, ms)
    watchers.add(look)
    look()
  })

  function launch (places: number[]): Worker {
    const flags = places.length === 1 ? ALONE : MANY
    const isOlder = (places[0] ?? 0) < previous
    const child = fork(isOlder ? olderFile : workerFile, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv: [...process.execArgv, ...flags] })
    const worker: Worker = { child, places, isOlder, agents: new Map(), ready: false, over: false }
    workers.push(worker)
    child.on('error', () => { worker.until ??= Date.now() })
    child.on('exit', (code, signal) => {
      if (worker.until === undefined && phase !== 'over') onEvent(`a process ended by itself: ${signal ?? code}`)
      worker.until ??= Date.now()
      for (const look of watchers) look()
    })
    child.on('message', (message: FromWorker) => {
      if (message.type === 'node') for (const { agentId, capability } of message.agents) worker.agents.set(agentId, { capability, from: Date.now() })
      else if (message.type === 'ready') worker.ready = true
      else if (message.type === 'counts') worker.counts = message.counts
      else if (message.type === 'found') found.push({ ...message.found, byOlder: isOlder })
      else if (message.type === 'over') worker.over = true
      else onEvent(`a process failed: ${message.why}`)
      for (const look of watchers) look()
    })
    tell(worker, { type: 'start', folder, rendezvous: join(folder, 'rendezvous'), nodes: places.map(plannedNode) })
    return worker
  }

  const plannedNode = (place: number): PlannedNode => ({
    place,
    agents: agentsOf(place, options).map(i => ({ name: `agent-${agentNumber++}`, capability: capabilityOf(i, options) }))
  })

  async function count (): Promise<Counts[]> {
    for (const worker of living()) worker.counts = undefined
    for (const worker of living()) tell(worker, { type: 'count' })
    await until(({ counts }) => counts !== undefined, COUNT_MS)
    return living().flatMap(({ counts }) => counts ?? [])
  }

  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true })
  const profile = (phase: string): void => { if (options.profile !== undefined && workers[0] !== undefined) tell(workers[0], { type: 'profile', file: join(options.profile, `${phase}.cpuprofile`) }) }
  const startFinds = (worker: Worker, forMs: number): void => { tell(worker, { type: 'find', rate: rate * worker.places.length / nodes, forMs, capabilities }) }
  const capabilities = [...new Set(Array.from({ length: nodes * options.agentsPerNode }, (_, i) => capabilityOf(i, options)))]

  async function churn (endsAt: number): Promise<void> {
    for (let kill = 1; options.killEveryMs > 0; kill++) {
      await wait(options.killEveryMs)
      if (Date.now() >= endsAt) return
      const [victim] = living().filter(({ ready }) => ready)
      if (victim === undefined) continue
      victim.until = Date.now()
      victim.child.kill('SIGKILL')
      onEvent(`killed ${victim.places.length} nodes (${kill})`)
      const next = launch(victim.places)
      void until(worker => worker !== next || worker.ready, options.startMs).then(() => {
        if (finding && Date.now() < endsAt) startFinds(next, endsAt - Date.now())
        else next.over = true
      })
    }
  }

  try {
    const begun = performance.now()
    const places = Array.from({ length: nodes }, (_, n) => n)
    for (let p = 0; p < processes; p++) launch(places.filter(n => n >= previous && n % processes === p))
    for (const n of places.slice(0, previous)) launch([n])
    profile('start')
    const isReady = await until(({ ready }) => ready, options.startMs)
    const readyMs = performance.now() - begun
    onEvent(`${isReady ? 'all' : 'NOT all'} ready after ${Math.round(readyMs / 1_000)} s`)
    const starting = await count()
    await wait(options.settleMs)
    await count()
    profile('rest')
    await wait(restMs)
    const rest = await count()
    onEvent(`rest: ${Math.round(rest.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / restMs * 100)} % of a core`)
    finding = true
    profile('find')
    const endsAt = Date.now() + findMs
    for (const worker of living()) startFinds(worker, findMs)
    const churning = churn(endsAt)
    await Promise.all([wait(findMs), churning])
    await until(({ over }) => over, 15_000)
    const busy = await count()
    return report({ options, isReady, readyMs, workers, starting, rest, busy, found })
  } finally {
    phase = 'over'
    for (const worker of living()) tell(worker, { type: 'end' })
    await Promise.all(workers.map(({ child }) => ended(child, END_MS)))
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
