/**
 * Runs a whole network in virtual time, with every fault there is, and checks what came of it. One seed is one run: the
 * same seed gives the same run to the letter.
 *
 * ```ts
 * const { broken, lines } = await simulate({ seed: 42 })
 * ```
 */
import { compileSchema } from '../execute/schema.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { check as checkRun } from './checker.ts'
import { disturb } from './disturb.ts'
import { ALL_FAULTS, drawFaults, type Fault, type Intensities } from './faults.ts'
import { withGuard, type Guard } from './guard.ts'
import { createHistory, type Observation } from './history.ts'
import { createHost, type Host, type Plants, type World } from './host.ts'
import { createNetwork } from './network.ts'
import { remainsOf, type TaskOutcome } from './outcomes.ts'
import { streamOf, type Random } from './random.ts'
import { createTimeline } from './timeline.ts'
import { buildAgents, checkOutputs, drawAgents, drawTasks } from './workload.ts'
import type { BuildAgent } from './agents.ts'
import type { Broken } from './promises.ts'
import type { PlannedTask, Schedule } from './schedule.ts'

export interface SimulationOptions {
  seed: number
  /** Agents under test, by name, each on a host of its own. Default: three to five that do work of every kind. */
  agents?: Record<string, BuildAgent>
  /** What they are asked for, beside what they ask for themselves. Default: with `agents` nothing, else tasks of every kind. */
  tasks?: PlannedTask[] | ((random: Random) => PlannedTask[])
  /** How much of each fault there is, or the faults themselves. Default: as usual. */
  faults?: Partial<Intensities> | Fault[]
  /** When all is well again, in ms of virtual time. Default 12,000. */
  healAtMs?: number
  /** When it is over; before, when nothing is open any more. Default 45,000. */
  untilMs?: number
  /** What has to hold beside the promises: throws, or gives a line for each thing that does not. */
  check?: (outcome: Outcome) => void | string[] | Promise<void | string[]>
  /** Runs this instead of what would be drawn: of another run, or one that was shrunk. */
  schedule?: Schedule
  /** @internal */
  plants?: Plants
}

export interface Outcome {
  /** Every task, also those that handlers asked for, as its owner's log has it. */
  tasks: TaskOutcome[]
  observations: readonly Observation[]
}

export interface Run extends Outcome {
  seed: number
  /** What ran: the same again with `simulate({ …, schedule })`. */
  schedule: Schedule
  /** Promises that were not kept. None: all is well. */
  broken: Broken[]
  /** The run, a line for each thing that happened. */
  lines: string[]
  /** SHA-256 of the lines. */
  hash: string
  /** How tasks ended, counted: `result`, or the code of the failure. */
  ends: Record<string, number>
}

/** 2026-01-01, so that times look like times. */
const START = Date.UTC(2026, 0, 1)
const HEAL_MS = 12_000
const UNTIL_MS = 45_000
/** How often it is looked whether anything is still open, and how long it goes on after that, in ms. */
const LOOK_MS = 1_000
const QUIET_MS = 3_000

/** What a run of these options would be. */
export function scheduleOf ({ seed, agents, tasks, faults = {}, healAtMs = HEAL_MS, untilMs = UNTIL_MS }: Omit<SimulationOptions, 'schedule'>): Schedule {
  const random = streamOf(seed, 'schedule')
  const names = agents === undefined ? drawAgents(random) : Object.keys(agents)
  const planned = typeof tasks === 'function' ? tasks(streamOf(seed, 'tasks')) : tasks ?? (agents === undefined ? drawTasks(names, healAtMs, random) : [])
  const drawn = Array.isArray(faults) ? faults : drawFaults(names, healAtMs, { ...ALL_FAULTS, ...faults }, streamOf(seed, 'faults'))
  return { seed, agents: names, tasks: planned, faults: drawn, healAtMs, untilMs }
}

/**
 * @throws A2aError BAD_USAGE when an agent cannot be made, or uses what would make each run another: real time, real chance
 */
export async function simulate (options: SimulationOptions): Promise<Run> {
  // Loading the compiler of schemas takes real time: before virtual time begins.
  await compileSchema({})
  return await withGuard(async guard => {
    const run = await runSchedule(options.schedule ?? scheduleOf(options), options, guard)
    const [used] = guard.used()
    if (used !== undefined) throw new A2aError({ code: 'BAD_USAGE', why: `${used} in the simulator, where each run must be the same`, hint: 'take now, sleep and random of its surroundings; see docs/simulator.md' })
    return run
  })
}

/** The run of a seed once more, to look at its lines. With the options that it failed with. */
export const replay = (seed: number, options: Omit<SimulationOptions, 'seed'> = {}): Promise<Run> => simulate({ ...options, seed })

async function runSchedule (schedule: Schedule, { agents, check = agents === undefined ? ({ tasks }: Outcome) => checkOutputs(tasks) : undefined, plants = {} }: SimulationOptions, guard: Guard): Promise<Run> {
  const { seed, healAtMs, untilMs } = schedule
  const timeline = createTimeline(START)
  const history = createHistory(timeline.now)
  const network = createNetwork({ timeline, seed, history })
  let unbuilt: A2aError | undefined
  let strikes = (): number[] => []
  const world: World = {
    seed, timeline, history, network, guard, plants,
    known: [],
    mishap: random => strikes().some(chance => random.chance(chance)) ? random.pick(['throws', 'hangs', 'is slow']) : undefined,
    unbuilt: (name, error) => { unbuilt ??= new A2aError({ code: 'BAD_USAGE', why: `${name} could not be made: ${messageOf(error)}` }, { cause: error }) }
  }
  const builders = agents ?? buildAgents(schedule.agents, () => timeline.now() - START >= healAtMs)
  const hosts = schedule.agents.map(name => createHost(name, builderOf(builders, name), world))
  world.known.push(...hosts)
  ;({ handlerFaults: strikes } = disturb(schedule.faults, hosts, world))
  for (const host of hosts) host.boot()
  for (const task of schedule.tasks) timeline.after(task.at, () => { ask(task, hosts, timeline.after) })
  timeline.after(healAtMs, () => {
    for (const host of hosts) {
      host.thaw()
      host.boot()
    }
  })

  const lastAt = Math.max(healAtMs, ...schedule.tasks.map(({ at }) => at))
  let quietMs = 0
  for (let at = Math.min(lastAt, untilMs); at <= untilMs && quietMs < QUIET_MS; at += LOOK_MS) {
    await timeline.runUntil(START + at)
    if (unbuilt !== undefined) throw unbuilt
    quietMs = hosts.every(host => isQuiet(host, hosts)) ? quietMs + LOOK_MS : 0
  }

  const remains = await Promise.all(hosts.map(remainsOf))
  const { observations, lines, hash } = history
  const outcome: Outcome = { tasks: remains.flatMap(({ tasks }) => tasks), observations }
  const broken = [...checkRun(observations, remains), ...await checkOwn(check, outcome)]
  const ends: Record<string, number> = {}
  for (const { end } of outcome.tasks) ends[end] = (ends[end] ?? 0) + 1
  return { ...outcome, seed, schedule, broken, lines: lines(), hash: hash(), ends }
}

function builderOf (builders: Record<string, BuildAgent>, name: string): BuildAgent {
  const build = builders[name]
  if (build === undefined) throw new A2aError({ code: 'BAD_USAGE', why: `the schedule has an agent ${name}, and \`agents\` has none of this name` })
  return build
}

function ask ({ by, capability, input, options, answer, haggleFor, cancelAfterMs, must }: PlannedTask, hosts: readonly Host[], after: (ms: number, run: () => void) => unknown): void {
  const host = hosts.find(({ name }) => name === by)
  const work = host?.delegate(capability, input, { ...options, ...(answer !== undefined && { onInputRequired: () => answer }), ...(haggleFor !== undefined && { counter: ({ cost }) => ({ cost: Math.floor(cost * haggleFor) }) }) }, must)
  // It may have ended by then, or its process.
  if (cancelAfterMs !== undefined) after(cancelAfterMs, () => { work?.cancel('its owner changed its mind').catch(() => {}) })
}

/** Nothing is under way between honest hosts. */
function isQuiet ({ disk }: Host, hosts: readonly Host[]): boolean {
  return [...disk.rows.tasks.values()].every(({ row: { ended, role, stage, counterpart } }) =>
    ended || (role === 'provider' && (stage === 'offered' || !hosts.some(({ agentId }) => agentId === counterpart))))
}

async function checkOwn (check: SimulationOptions['check'], outcome: Outcome): Promise<Broken[]> {
  try {
    return (await check?.(outcome) ?? []).map(why => ({ promise: 'own', why }))
  } catch (error) {
    return [{ promise: 'own', why: messageOf(error) }]
  }
}
