/**
 * Runs a swarm: forks its processes, and leads them through its phases.
 *
 *   start → discovery (everybody finds everybody) → traffic → drain → summary
 *
 * A process that dies is reported and done without; processes whose supervisor dies end by themselves.
 */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { getCompileCacheDir } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileOf } from '../package.ts'
import { ended } from './ended.ts'
import { planSwarm } from './plan.ts'
import { summarize, type Summary } from './summary.ts'
import type { FromWorker, SwarmNode, ToWorker, WorkerStats } from './messages.ts'
import type { Worker } from './summary.ts'

export interface SwarmOptions {
  agents: number
  processes: number
  /** How long the traffic lasts, in ms. */
  forMs: number
  /** Tasks a second, by all processes together. */
  rate: number
  /** Called when everybody has been found (or time was up), with the nodes that live; the traffic waits for it. */
  beforeTraffic?: (nodes: SwarmNode[]) => Promise<void>
  /** Ends the swarm early, with the summary so far. */
  signal?: AbortSignal
  onEvent?: (event: SwarmEvent) => void
}

export type Phase = 'starting' | 'discovery' | 'traffic' | 'draining' | 'over'

export type SwarmEvent =
  | { event: 'planned', agents: number, processes: number, domains: number, capabilities: number }
  | { event: 'phase', phase: Phase, elapsedMs: number }
  | { event: 'worker-started', process: number, pid?: number }
  | { event: 'worker-lost', process: number, pid?: number, why: string }
  /** Sums over all processes, once a second. */
  | { event: 'state', phase: Phase, elapsedMs: number, ready: number, found: number, expected: number, started: number, completed: number, failed: number, open: number, rssBytes: number }

/** What this process has compiled, they need not compile again. */
const cached = getCompileCacheDir()
const CACHE = cached === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cached) }

const START_MS = 60_000
const DRAIN_MS = 35_000
const END_MS = 5_000
const STATE_MS = 1_000

/** Runs a swarm from beginning to end. Its files are in a temporary folder, which is removed. */
export async function runSwarm ({ agents, processes, forMs, rate, signal, beforeTraffic, onEvent = () => undefined }: SwarmOptions): Promise<Summary> {
  const plan = planSwarm(agents, processes)
  const folder = mkdtempSync(join(tmpdir(), 'a2a-swarm-'))
  const begun = performance.now()
  const elapsed = (): number => Math.round(performance.now() - begun)
  const watchers = new Set<() => void>()
  const changed = (): void => { for (const look of watchers) look() }
  let phase: Phase = 'starting'
  onEvent({ event: 'planned', agents, processes, domains: plan.domains.length, capabilities: plan.capabilities.length })

  const workers = plan.processes.map((_, number): Worker => {
    const child = fork(fileOf('swarm/worker'), [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env: { ...process.env, ...CACHE } })
    const worker: Worker = { number, child, agents: [], stderr: '' }
    onEvent({ event: 'worker-started', process: number, pid: child.pid })
    const lose = (why: string): void => {
      if (worker.lost !== undefined || phase === 'over') return
      worker.lost = why
      onEvent({ event: 'worker-lost', process: number, pid: child.pid, why })
      changed()
    }
    child.stderr?.setEncoding('utf8').on('data', (text: string) => { worker.stderr = (worker.stderr + text).slice(-2_000) })
    child.on('error', error => lose(error.message))
    child.on('exit', (code, killedBy) => lose(`ended ${killedBy === null ? `with status ${code}` : `by ${killedBy}`} ${worker.stderr.trim()}`.trim()))
    child.on('message', (message: FromWorker) => {
      if (message.type === 'ready') Object.assign(worker, { agents: message.agents, node: message.node, readyMs: message.elapsedMs })
      else if (message.type === 'discovered') worker.discovered = message
      else if (message.type === 'stats') worker.stats = message.stats
      else if (message.type === 'drained') Object.assign(worker, { stats: message.stats, samples: message })
      else lose(message.why)
      changed()
    })
    return worker
  })
  const living = (): Worker[] => workers.filter(({ lost }) => lost === undefined)
  const tellAll = (message: (worker: Worker) => ToWorker): void => {
    for (const worker of living()) if (worker.child.connected) worker.child.send(message(worker), () => undefined)
  }
  const enter = (next: Phase): void => {
    phase = next
    onEvent({ event: 'phase', phase, elapsedMs: elapsed() })
  }
  /** Resolves when it holds for all that live, when time is up, or (unless `stubborn`) when the swarm is to end. */
  const until = (holds: (worker: Worker) => boolean, ms: number, stubborn = false): Promise<void> => new Promise(resolve => {
    const look = (): void => { if (living().every(holds)) done() }
    const stops = stubborn ? undefined : signal
    const done = (): void => {
      watchers.delete(look)
      clearTimeout(timer)
      stops?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    watchers.add(look)
    stops?.addEventListener('abort', done)
    if (stops?.aborted === true) done()
    else look()
  })
  const ticker = setInterval(() => onEvent(stateOf()), STATE_MS)
  const stateOf = (): SwarmEvent => {
    const sum = (of: (stats: WorkerStats) => number): number => workers.reduce((total, { stats }) => total + (stats === undefined ? 0 : of(stats)), 0)
    return {
      event: 'state', phase, elapsedMs: elapsed(),
      ready: workers.filter(({ readyMs }) => readyMs !== undefined).length,
      found: sum(({ found }) => found), expected: agents * processes,
      started: sum(({ started }) => started), completed: sum(({ completed }) => completed), failed: sum(({ failed }) => failed), open: sum(({ open }) => open),
      rssBytes: living().reduce((total, { stats }) => total + (stats?.rssBytes ?? 0), 0)
    }
  }

  let startMs = 0
  let trafficMs = 0
  try {
    enter('starting')
    tellAll(({ number }) => ({ type: 'start', home: join(folder, `node-${number}`), rendezvous: join(folder, 'rendezvous'), agents: plan.processes[number] ?? [] }))
    await until(({ readyMs }) => readyMs !== undefined, START_MS + agents * 200)
    startMs = elapsed()
    if (signal?.aborted !== true) {
      enter('discovery')
      const timeoutMs = 60_000 + agents * 100
      const expected = workers.flatMap(worker => worker.agents)
      tellAll(() => ({ type: 'discover', expected, timeoutMs }))
      await until(({ discovered }) => discovered !== undefined, timeoutMs + 5_000)
    }
    if (signal?.aborted !== true) await beforeTraffic?.(living().flatMap(({ node }) => node ?? []))
    if (signal?.aborted !== true) {
      enter('traffic')
      const from = elapsed()
      tellAll(() => ({ type: 'traffic', rate: rate / Math.max(1, living().length), capabilities: plan.capabilities }))
      await until(() => false, forMs)
      trafficMs = elapsed() - from
    }
    enter('draining')
    tellAll(() => ({ type: 'drain', timeoutMs: DRAIN_MS }))
    await until(({ samples, readyMs }) => samples !== undefined || readyMs === undefined, DRAIN_MS + 5_000, true)
    return summarize({ plan, workers, expected: agents, startMs, trafficMs, elapsedMs: elapsed(), interrupted: signal?.aborted === true })
  } finally {
    enter('over')
    clearInterval(ticker)
    tellAll(() => ({ type: 'end' }))
    await Promise.all(workers.map(({ child }) => ended(child, END_MS)))
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
