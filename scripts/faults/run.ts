/**
 * Leads real processes, each a node with one agent that asks and works, through faults, and has what their logs say checked:
 *
 *   start → work under faults → rest (until nothing is open) → end → read the logs, check
 *
 * A process that is killed is started again at once in its home. Every wait has an end.
 */
import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ended } from '../../src/swarm/ended.ts'
import { stripWorker } from '../strip-worker.ts'
import { judge, type Outcome, type Seen } from './judge.ts'
import type { Fault, Member, Scene } from './fault.ts'
import type { FromWorker, ToWorker } from './messages.ts'

export interface RunOptions {
  agents: number
  /** Tasks a second, of all together; and jobs put into queues. */
  rate: number
  jobs: number
  /** The load grows over so long to what is asked for, before the first fault. */
  rampMs: number
  forMs: number
  leaseMs: number
  /** How much of the tasks takes 1 to 3 s, 0 to 1. */
  long: number
  /** What the others take at most, in ms, and a tenth of it at least. Default: 200. */
  workMs?: number
  /** Runs the built package in `dist/`, as users do. */
  built: boolean
  fault: Fault
  /** Ends the run before its time, without an outcome. */
  signal: AbortSignal
  onEvent: (what: string) => void
}

/** Agents that offer the same: so many bid for each task. */
const PROVIDERS = 4
const START_MS = 120_000
/** A task may take so long in all: long enough for every fault to pass. */
const TASK_MS = 90_000
const WORK_MS = 200
/** Open tasks are waited for so long after the last fault. */
const REST_MS = 120_000
const COUNT_MS = 5_000
const END_MS = 10_000

export async function runFaults (options: RunOptions): Promise<Outcome> {
  const { agents, rate, jobs, rampMs, forMs, fault, leaseMs, long, workMs = WORK_MS, built, signal, onEvent } = options
  const folder = mkdtempSync(join(tmpdir(), 'a2a-faults-'))
  const attempts = join(folder, 'attempts')
  mkdirSync(attempts)
  const workerFile = built ? stripWorker(import.meta.dirname, folder, ['worker']) : join(import.meta.dirname, 'worker.ts')
  const members: Member[] = []
  const seen: Seen = { observations: [], begun: [], breaks: [], parts: [], jobs: [] }
  const watchers = new Set<() => void>()
  /** Who waits for a job of this process to be over. */
  const waiting = new Map<Member, () => void>()
  const capabilities = Array.from({ length: Math.ceil(agents / PROVIDERS) }, (_, i) => `faults.work-${i}`)
  const effectsOf = ({ number }: Member): string => join(folder, `effects-${number}`)
  let fullAt = 0
  let phase: 'starting' | 'working' | 'over' = 'starting'

  const tell = ({ child }: Member, message: ToWorker): void => { if (child.connected) child.send(message, () => undefined) }
  const changed = (): void => { for (const look of watchers) look() }
  const until = async (holds: (member: Member) => boolean, ms: number): Promise<boolean> => await new Promise(resolve => {
    const done = (good: boolean): void => {
      watchers.delete(look)
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      resolve(good)
    }
    const look = (): void => { if (members.every(holds)) done(true) }
    const stop = (): void => { done(false) }
    const timer = setTimeout(stop, ms)
    signal.addEventListener('abort', stop)
    watchers.add(look)
    look()
  })
  const hostOf = ({ agentId = '' }: Member): string => agentId.slice('did:key:z'.length)
  const note = (member: Member, what: 'up' | 'down' | 'frozen' | 'thawed'): void => {
    const when = { at: Date.now(), host: hostOf(member) }
    seen.observations.push(what === 'up' ? { ...when, what, skewMs: 0 } : { ...when, what })
  }

  function launch (member: Member): void {
    const { number, home } = member
    const { within = [], listen = '/ip4/127.0.0.1/tcp/0', bootstrap = [], env } = fault.place?.(number) ?? {}
    const [command = process.execPath, ...before] = within
    const child = member.child = fork(workerFile, [], {
      execPath: command,
      execArgv: within.length === 0 ? [] : [...before, process.execPath],
      // As the command line does for itself: who starts again need not compile everything again.
      env: { ...process.env, ...(built && { NODE_COMPILE_CACHE: join(folder, 'compiled') }), ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc']
    })
    member.ready = false
    member.holding.clear()
    child.on('error', error => { onEvent(`a process could not be started: ${error.message}`) })
    child.on('exit', (code, signal) => {
      waiting.get(member)?.()
      if (signal !== 'SIGKILL' && phase !== 'over') onEvent(`process ${number} ended by itself: ${signal ?? code}`)
    })
    child.on('message', (message: FromWorker) => { if (child === member.child) hear(member, message) })
    // Nodes of networks of their own do not share a folder either: they find each other as machines do.
    const rendezvous = join(folder, bootstrap.length === 0 && within.length === 0 ? 'rendezvous' : `rendezvous-${number}`)
    tell(member, { type: 'start', home, rendezvous, listen, bootstrap, name: `agent-${number}`, capability: capabilities[number % capabilities.length] as string, poison: fault.poison?.(number), workMs, long, effects: effectsOf(member), attempts })
  }

  function hear (member: Member, message: FromWorker): void {
    const host = hostOf(member)
    switch (message.type) {
      case 'ready':
        member.agentId = message.agentId
        member.ready = true
        note(member, 'up')
        if (phase === 'working') begin(member)
        break
      case 'acknowledged':
        seen.observations.push({ at: message.at, host, what: 'acknowledged', taskId: message.taskId })
        break
      case 'told':
        seen.observations.push({ at: message.at, host, what: 'told', taskId: message.taskId, event: message.event as never })
        break
      case 'began':
        member.holding.add(`${message.taskId} ${message.epoch}`)
        seen.begun.push({ at: message.at, host, taskId: message.taskId, epoch: message.epoch })
        break
      case 'ceased': member.holding.delete(`${message.taskId} ${message.epoch}`); break
      case 'enqueued': seen.jobs.push({ host, jobId: message.jobId }); break
      case 'over': waiting.get(member)?.(); break
      case 'counted': member.open = message.open; break
      case 'failed': onEvent(`process ${member.number}: ${message.why}`)
    }
    changed()
  }

  /** Who offers poison asks for nothing: what it had asked for itself would be told with the others' tasks. */
  const askers = Array.from({ length: agents }, (_, number) => number).filter(number => fault.poison?.(number) === undefined)
  const begin = (member: Member): void => {
    if (askers.includes(member.number)) tell(member, { type: 'work', rate: rate / askers.length, jobs: jobs / askers.length, rampMs: Math.max(0, fullAt - Date.now()), capabilities, maxDurationMs: TASK_MS, leaseMs })
  }

  /** Resolves to how many are open. */
  async function countOpen (): Promise<number> {
    for (const member of members) member.open = undefined
    for (const member of members) tell(member, { type: 'count' })
    await until(({ open }) => open !== undefined, COUNT_MS)
    return members.reduce((sum, { open = 1 }) => sum + open, 0)
  }

  const sceneUntil = (endsAt: number): Scene => ({
    members, note, launch,
    pause: async ms => {
      await wait(Math.max(0, Math.min(ms, endsAt - Date.now())), undefined, { signal })
      return Date.now() < endsAt
    },
    hold: async ms => { await wait(ms, undefined, { signal }) },
    enqueue: async (member, capability) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.set(member, resolve)
      signal.addEventListener('abort', () => { resolve() }, { once: true })
      tell(member, { type: 'enqueue', capability })
      await promise
      waiting.delete(member)
    },
    part: name => { seen.parts.push({ name, from: Date.now() }) },
    cut: () => { seen.breaks.push({ from: Date.now(), to: Infinity }) },
    healed: () => {
      const last = seen.breaks.at(-1)
      if (last !== undefined) last.to = Date.now()
    }
  })

  try {
    for (let number = 0; number < agents; number++) {
      const member = { number, home: join(folder, `node-${number}`), ready: false, stopped: false, holding: new Set<string>() } as Member
      members.push(member)
      launch(member)
    }
    if (!await until(({ ready }) => ready, START_MS)) throw new Error('not all nodes were ready in time')
    onEvent(`${agents} nodes are ready`)
    fullAt = Date.now() + rampMs
    phase = 'working'
    members.forEach(begin)
    await wait(rampMs, undefined, { signal })
    const faults = await fault.strike(sceneUntil(Date.now() + forMs))
    await until(({ ready }) => ready, START_MS)
    phase = 'over'
    for (const member of members) tell(member, { type: 'rest' })
    const begun = Date.now()
    let open = await countOpen()
    while (open > 0 && Date.now() - begun < REST_MS) {
      await wait(500, undefined, { signal })
      open = await countOpen()
    }
    onEvent(`${open} tasks are open ${Math.round((Date.now() - begun) / 1_000)} s after the last was asked for`)
    // Providers hear of the last countersignatures.
    await wait(2_000, undefined, { signal })
    for (const member of members) tell(member, { type: 'end' })
    await Promise.all(members.map(({ child }) => ended(child, END_MS)))
    return await judge(members.map(member => ({ host: hostOf(member), home: member.home, effects: effectsOf(member) })), seen, { faults, setsClocks: fault.setsClocks })
  } finally {
    phase = 'over'
    for (const { child } of members) child.kill('SIGKILL')
    await Promise.all(members.map(({ child }) => ended(child, END_MS)))
    fault.close?.(members.flatMap(({ child }) => child.pid ?? []))
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}
