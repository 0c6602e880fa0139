/**
 * Runs a whole network in virtual time, with every fault there is, and checks what came of it. One seed is one run: the
 * same seed gives the same run to the letter.
 *
 * ```ts
 * const { broken, lines } = await simulate({ seed: 42 })
 * ```
 */
import { check, type Remains } from './checker.ts'
import { createHistory } from './history.ts'
import { CAPABILITY, createHost, type Host, type Plants, type World } from './host.ts'
import { createLiar } from './liar.ts'
import { createNetwork, QUIET } from './network.ts'
import { createRandom, type Random } from './random.ts'
import { createTimeline } from './timeline.ts'
import type { TaskContext } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'
import type { TaskSpec } from '../core/task.ts'
import type { Candidate } from '../negotiate/calls.ts'

export interface SimulationOptions {
  seed: number
  /** Default: all of them. */
  faults?: Partial<Faults>
  plants?: Plants
}

/** Which faults there are in a run. */
export interface Faults {
  /** Messages are dropped, doubled, late and out of order. */
  messages: boolean
  partitions: boolean
  crashes: boolean
  freezes: boolean
  liars: boolean
  /** Clocks of hosts differ by up to a minute. */
  skew: boolean
  /** Handlers fail, hang, and are slower than promised. */
  handlers: boolean
}

export interface Run {
  seed: number
  /** Broken promises, a line each. None: all is well. */
  broken: string[]
  /** The run, a line for each thing that happened. */
  lines: string[]
  /** Of the lines. */
  hash: string
  /** How tasks ended, counted: `result`, or the code of the failure. */
  ends: Record<string, number>
}

const ALL: Faults = { messages: true, partitions: true, crashes: true, freezes: true, liars: true, skew: true, handlers: true }
/** 2026-01-01, so that times look like times. */
const START = Date.UTC(2026, 0, 1)
/** Until then there are faults, then all heals. */
const FAULTS_MS = 12_000
const LAST_TASKS_MS = 20_000
const END_MS = 45_000

export async function simulate ({ seed, faults: chosen = {}, plants = {} }: SimulationOptions): Promise<Run> {
  const faults = { ...ALL, ...chosen }
  const random = createRandom(seed)
  const timeline = createTimeline(START)
  const history = createHistory(timeline.now)
  const network = createNetwork({ timeline, random, history })
  const known: Candidate[] = []
  let healed = false
  const fatal = faults.crashes && random.chance(0.5) ? 0.01 : 0
  const world: World = {
    timeline, random, history, network, plants,
    candidates: () => known,
    fatalWrites: () => healed ? 0 : fatal,
    work: (host, _input, context, clock) => work(host, context, clock, random, faults.handlers && !healed)
  }
  const hosts = ['ada', 'bob', 'cyd', 'dan', 'eve'].slice(0, random.between(3, 5))
    .map(name => createHost(name, faults.skew ? random.between(-60_000, 60_000) : 0, world))
  known.push(...hosts)
  if (faults.liars && random.chance(0.6)) known.push(createLiar('mal', world))
  for (const host of hosts) host.boot()

  disturb(hosts, known, faults, world)
  for (let tasks = random.between(3, 7); tasks > 0; tasks--) timeline.after(random.between(0, 8_000), () => { ask(random.pick(hosts), random, false) })
  timeline.after(FAULTS_MS, () => {
    healed = true
    network.setFaults(QUIET)
    network.partition([])
    for (const host of hosts) {
      host.thaw()
      host.boot()
    }
  })
  for (const host of hosts) timeline.after(LAST_TASKS_MS, () => { ask(host, random, true) })
  await timeline.runUntil(START + END_MS)

  const remains = (await Promise.all(hosts.map(remainsOf))).flat()
  const ends: Record<string, number> = {}
  for (const { events } of remains) {
    const last = events.at(-1)
    const end = last?.event === 'failed' ? last.failure.code : last?.event ?? 'nothing'
    ends[end] = (ends[end] ?? 0) + 1
  }
  const { observations, lines, hash } = history
  return { seed, broken: check(observations, remains, new Set(hosts.map(({ agentId }) => agentId))), lines: lines(), hash: hash(), ends }
}

/** The run of a seed once more, to look at its lines. With the options that it failed with. */
export const replay = (seed: number, options: Omit<SimulationOptions, 'seed'> = {}): Promise<Run> => simulate({ ...options, seed })

/** Has a task done by somebody else. The last tasks are given all the time and rounds they may need. */
function ask (host: Host, random: Random, must: boolean): void {
  const options = must
    ? { maxDurationMs: 15_000, leaseMs: 600, bidWindowMs: 100 }
    : { maxDurationMs: random.between(800, 20_000), leaseMs: random.between(200, 1_500), bidWindowMs: random.between(30, 300), maxCostTokens: random.chance(0.3) ? random.between(1, 10) : undefined }
  host.delegate(CAPABILITY, { ask: random.between(0, 1_000) }, { ...options, output: {}, onInputRequired: () => 'yes' }, must)
}

/** A handler: works for a while and tells of it; with faults it may as well do what handlers should not. */
async function work (by: string, context: TaskContext, clock: Clock, random: Random, faulty: boolean): Promise<unknown> {
  const { taskId, epoch, signal } = context
  const pause = async (ms: number): Promise<void> => { await new Promise<void>(resolve => { clock.after(ms, resolve) }) }
  const mood = faulty ? random.pick(['well', 'well', 'well', 'talks', 'talks', 'asks', 'wrong', 'fails', 'hangs', 'deaf']) : 'well'
  if (mood === 'fails') throw new Error('it went wrong')
  if (mood === 'hangs') await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true }) })
  if (mood === 'asks') await context.requireInput('really?')
  for (let parts = random.between(1, mood === 'talks' ? 5 : 2); parts > 0; parts--) {
    await pause(random.between(5, faulty ? 400 : 150))
    if (mood === 'talks') {
      context.progress(1 / (parts + 1))
      if (random.chance(0.5)) await context.artifact('part', { parts })
    }
    if (mood === 'deaf') await pause(1_500)
    else signal.throwIfAborted()
  }
  return { by, taskId, epoch, right: mood !== 'wrong' }
}

/** Enters the faults of a run into its timeline. */
function disturb (hosts: Host[], known: Candidate[], faults: Faults, { timeline, random, network }: World): void {
  const during = (run: () => void): void => { timeline.after(random.between(0, FAULTS_MS - 500), run) }
  const times = (most: number, run: () => void): void => { for (let n = random.between(0, most); n > 0; n--) during(run) }

  if (faults.messages) {
    network.setFaults({
      drop: random.pick([0, 0.01, 0.05, 0.2]), double: random.pick([0, 0.05, 0.3]), late: random.pick([0, 0.05, 0.2]),
      delayMs: random.pick([5, 40, 200]), lateMs: random.pick([500, 3_000])
    })
  }
  if (faults.partitions) {
    times(2, () => {
      const peers = random.shuffle(known.map(({ peer }) => peer))
      const cut = random.between(1, peers.length - 1)
      network.partition([peers.slice(0, cut), peers.slice(cut)])
      timeline.after(random.between(100, 4_000), () => { network.partition([]) })
    })
  }
  if (faults.crashes) {
    times(4, () => {
      const host = random.pick(hosts)
      host.crash()
      timeline.after(random.between(20, 3_000), host.boot)
      // Those who had a connection find out that nothing listens there any more.
      for (const other of hosts) if (random.chance(0.6)) timeline.after(random.between(1, 200), () => { if (!network.alive(host.peer) && !network.apart(host.peer, other.peer)) other.peerGone(host.peer) })
    })
  }
  if (faults.freezes) {
    times(3, () => {
      const host = random.pick(hosts)
      host.freeze()
      timeline.after(random.between(50, 5_000), host.thaw)
    })
  }
  times(1, () => {
    const host = random.pick(hosts)
    const open = [...host.disk.tasks.values()].find(({ row }) => row.role === 'requester' && !row.ended)
    if (open !== undefined) host.cancel(open.row.taskId)
  })
}

async function remainsOf (host: Host): Promise<Remains[]> {
  const rows = [...host.disk.tasks.values()].map(({ row }) => row).filter(({ role }) => role === 'requester')
  return await Promise.all(rows.map(async ({ taskId, ended }) => {
    const [opened] = host.disk.eventsOf.get(`requester ${taskId}`) ?? []
    const { spec } = JSON.parse(opened?.data as string) as { spec: TaskSpec }
    return { taskId, host: host.name, skewMs: host.skewMs, deadlineAt: spec.deadlineAt, maxCost: spec.maxCost, ended, events: await host.eventsOf(taskId) }
  }))
}

