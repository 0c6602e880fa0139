/**
 * Leads real processes, each a node with one agent that asks and works, through faults, and has what their logs say checked:
 *
 *   start → work under faults → rest (until nothing is open) → end → read the logs, check
 *
 * A process that is killed is started again at once in its home. Every wait has an end.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { systemClock } from '../../src/core/clock.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { ended } from '../../src/swarm/ended.ts'
import { check, evidenceOf, type Broken, type Observation, type TaskOutcome } from '../../src/testing/index.ts'
import { stripWorker } from '../strip-worker.ts'
import { readingsOf, type Readings } from './readings.ts'
import type { FromWorker, ToWorker } from './messages.ts'

export interface RunOptions {
  agents: number
  /** Tasks a second, of all together. */
  rate: number
  forMs: number
  /** A fault this often, in ms. */
  everyMs: number
  /** What is done to a process: killed with SIGKILL, or stopped with SIGSTOP for so long, in ms. */
  fault: { kind: 'kill' } | { kind: 'stop', forMs: number } | { kind: 'none' }
  leaseMs: number
  /** Runs the built package in `dist/`, as users do. */
  built: boolean
  onEvent: (what: string) => void
}

export interface Outcome extends Readings {
  broken: Broken[]
}

interface Member {
  number: number
  home: string
  child: ChildProcess
  agentId?: string
  ready: boolean
  stopped: boolean
  open?: number
}

/** Agents that offer the same: so many bid for each task. */
const PROVIDERS = 4
const START_MS = 120_000
/** A task may take so long in all: long enough for every fault to pass. */
const TASK_MS = 90_000
/** Open tasks are waited for so long after the last fault. */
const REST_MS = 120_000
const COUNT_MS = 5_000
const END_MS = 10_000

export async function runFaults (options: RunOptions): Promise<Outcome> {
  const { agents, rate, forMs, fault, everyMs, leaseMs, built, onEvent } = options
  const folder = mkdtempSync(join(tmpdir(), 'a2a-faults-'))
  const workerFile = built ? stripWorker(import.meta.dirname, folder, ['worker']) : join(import.meta.dirname, 'worker.ts')
  const members: Member[] = []
  const seen: Observation[] = []
  const watchers = new Set<() => void>()
  const capabilities = Array.from({ length: Math.ceil(agents / PROVIDERS) }, (_, i) => `faults.work-${i}`)
  let phase: 'starting' | 'working' | 'over' = 'starting'

  const tell = ({ child }: Member, message: ToWorker): void => { if (child.connected) child.send(message, () => undefined) }
  const changed = (): void => { for (const look of watchers) look() }
  const until = async (holds: (member: Member) => boolean, ms: number): Promise<boolean> => await new Promise(resolve => {
    const done = (good: boolean): void => {
      watchers.delete(look)
      clearTimeout(timer)
      resolve(good)
    }
    const look = (): void => { if (members.every(holds)) done(true) }
    const timer = setTimeout(() => { done(false) }, ms)
    watchers.add(look)
    look()
  })
  const hostOf = ({ agentId = '' }: Member): string => agentId.slice('did:key:z'.length)
  const note = (member: Member, what: 'up' | 'down' | 'frozen' | 'thawed'): void => {
    const when = { at: Date.now(), host: hostOf(member) }
    seen.push(what === 'up' ? { ...when, what, skewMs: 0 } : { ...when, what })
  }

  function launch (member: Member): void {
    const { number, home } = member
    const child = member.child = fork(workerFile, [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    member.ready = false
    child.on('error', error => { onEvent(`a process could not be started: ${error.message}`) })
    child.on('exit', (code, signal) => { if (signal !== 'SIGKILL' && phase !== 'over') onEvent(`process ${number} ended by itself: ${signal ?? code}`) })
    child.on('message', (message: FromWorker) => {
      if (message.type === 'ready') {
        member.agentId = message.agentId
        member.ready = true
        note(member, 'up')
        if (phase === 'working') begin(member)
      } else if (message.type === 'acknowledged') seen.push({ at: message.at, host: hostOf(member), what: 'acknowledged', taskId: message.taskId })
      else if (message.type === 'told') seen.push({ at: message.at, host: hostOf(member), what: 'told', taskId: message.taskId, event: message.event as never })
      else if (message.type === 'counted') member.open = message.open
      else onEvent(`process ${number}: ${message.why}`)
      changed()
    })
    tell(member, { type: 'start', home, rendezvous: join(folder, 'rendezvous'), name: `agent-${number}`, capability: capabilities[number % capabilities.length] as string, effects: join(folder, `effects-${number}`) })
  }

  const begin = (member: Member): void => { tell(member, { type: 'work', rate: rate / agents, capabilities, maxDurationMs: TASK_MS, leaseMs }) }

  async function injure (member: Member): Promise<void> {
    if (fault.kind === 'kill') {
      note(member, 'down')
      const gone = new Promise(resolve => member.child.once('exit', resolve))
      member.child.kill('SIGKILL')
      await gone
      launch(member)
    } else if (fault.kind === 'stop') {
      note(member, 'frozen')
      member.stopped = true
      member.child.kill('SIGSTOP')
      await wait(fault.forMs)
      member.child.kill('SIGCONT')
      member.stopped = false
      note(member, 'thawed')
    }
  }

  /** Resolves to how many are open. */
  async function countOpen (): Promise<number> {
    for (const member of members) member.open = undefined
    for (const member of members) tell(member, { type: 'count' })
    await until(({ open }) => open !== undefined, COUNT_MS)
    return members.reduce((sum, { open = 1 }) => sum + open, 0)
  }

  try {
    for (let number = 0; number < agents; number++) {
      const member = { number, home: join(folder, `node-${number}`), ready: false, stopped: false } as Member
      members.push(member)
      launch(member)
    }
    if (!await until(({ ready }) => ready, START_MS)) throw new Error('not all nodes were ready in time')
    onEvent(`${agents} nodes are ready`)
    phase = 'working'
    members.forEach(begin)
    const endsAt = Date.now() + forMs
    const injuries: Array<Promise<void>> = []
    let faults = 0
    while (Date.now() + everyMs < endsAt) {
      await wait(everyMs)
      if (fault.kind === 'none') continue
      const well = members.filter(({ ready, stopped }) => ready && !stopped)
      const victim = well[Math.floor(Math.random() * well.length)]
      if (victim === undefined) continue
      injuries.push(injure(victim))
      if (++faults % 12 === 0) onEvent(`${faults} faults`)
    }
    await Promise.all(injuries)
    await until(({ ready }) => ready, START_MS)
    phase = 'over'
    for (const member of members) tell(member, { type: 'rest' })
    const begun = Date.now()
    let open = await countOpen()
    while (open > 0 && Date.now() - begun < REST_MS) {
      await wait(500)
      open = await countOpen()
    }
    onEvent(`${open} tasks are open ${Math.round((Date.now() - begun) / 1_000)} s after the last was asked for`)
    // Providers hear of the last countersignatures.
    await wait(2_000)
    for (const member of members) tell(member, { type: 'end' })
    await Promise.all(members.map(({ child }) => ended(child, END_MS)))
    return await judge(faults)
  } finally {
    phase = 'over'
    for (const { child } of members) child.kill('SIGKILL')
    await Promise.all(members.map(({ child }) => ended(child, END_MS)))
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }

  async function judge (faults: number): Promise<Outcome> {
    const logs = await Promise.all(members.map(async member => ({ host: hostOf(member), log: await openEventLog({ file: join(member.home, 'log.db'), clock: systemClock }) })))
    try {
      const { observations, remains } = evidenceOf(logs)
      const all = [...observations, ...seen].sort((a, b) => a.at - b.at)
      const effects = members.flatMap(({ number }) => linesOf(join(folder, `effects-${number}`)))
      return {
        ...readingsOf({ observations: all, remains, effects, faults, leaseMs }),
        // Requesters are waited for, and providers only for a moment.
        broken: [...check(all, remains, { quiet: false }), ...strangers(remains.flatMap(({ tasks }) => tasks))]
      }
    } finally {
      await Promise.all(logs.map(({ log }) => log.close()))
    }
  }
}

/** Results that were not made by whoever holds the contract. */
function strangers (tasks: readonly TaskOutcome[]): Broken[] {
  return tasks.flatMap(({ taskId, events, output }): Broken[] => {
    const end = events.at(-1)
    if (end?.event !== 'result') return []
    const { by, epoch } = output as { by?: string, epoch?: number }
    return `did:key:z${by}` === end.provider && epoch === end.epoch ? [] : [{ promise: 'own', why: `${taskId}: the result says it was made by ${by} in epoch ${epoch}, the holder is ${end.provider} in ${end.epoch}` }]
  })
}

export interface Effect { at: number, host: string, taskId: string, epoch: number }

/** A line that a killed process did not finish is none. */
function linesOf (file: string): Effect[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1).map(line => JSON.parse(line) as Effect)
  } catch {
    return []
  }
}
