/**
 * Makes a failing run small: as few faults, tasks and agents as still break the same promise, and each as short as may be.
 * Delta debugging: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002), ddmin.
 */
import { A2aError } from '../core/errors.ts'
import { hostsOf, type Fault } from './faults.ts'
import { simulate, type Run, type SimulationOptions } from './simulator.ts'
import type { PromiseName } from './promises.ts'
import type { PlannedTask, Schedule } from './schedule.ts'

export interface Shrunk {
  /** The smallest run that was found. Its schedule is what to keep: `simulate({ …, schedule })`. */
  run: Run
  /** The promise that it breaks, as the first run did. */
  promise: PromiseName
  /** How many runs it took. */
  tried: number
}

/** What a run breaks also when it is ended too early. */
const NEED_TIME: ReadonlySet<PromiseName> = new Set(['ends', 'must', 'settled', 'own'])
/** Runs that are tried at most. */
const MAX_TRIES = 500

/**
 * Shrinks a run that breaks a promise.
 * @param options those that it failed with
 * @throws A2aError BAD_USAGE when nothing is broken by it
 */
export async function shrink (options: SimulationOptions, { maxTries = MAX_TRIES }: { maxTries?: number } = {}): Promise<Shrunk> {
  let smallest = await simulate(options)
  const promise = smallest.broken[0]?.promise
  if (promise === undefined) throw new A2aError({ code: 'BAD_USAGE', why: `seed ${options.seed} breaks no promise: there is nothing to shrink` })
  let tried = 1

  /** Whether this schedule breaks it too; then it is the smallest. */
  async function fails (schedule: Schedule): Promise<boolean> {
    if (tried >= maxTries) return false
    tried++
    const run = await simulate({ ...options, schedule })
    if (!run.broken.some(broken => broken.promise === promise)) return false
    smallest = run
    return true
  }

  const now = (): Schedule => smallest.schedule
  for (let before = ''; before !== JSON.stringify(now());) {
    before = JSON.stringify(now())
    await fewer(now().faults, faults => fails({ ...now(), faults }))
    await fewer(now().tasks, tasks => fails({ ...now(), tasks }))
    await fewer(now().agents, agents => fails(among(now(), agents)))
    for (const [place, fault] of now().faults.entries()) {
      for (const less of milder(fault)) if (await fails({ ...now(), faults: now().faults.with(place, less) })) break
    }
    for (const untilMs of NEED_TIME.has(promise) ? [] : shorter(now())) if (await fails({ ...now(), untilMs, healAtMs: Math.min(now().healAtMs, untilMs) })) break
  }
  return { run: smallest, promise, tried }
}

/** ddmin: tries to go on without each part of a list, in ever smaller parts. */
async function fewer<T> (list: readonly T[], fails: (rest: T[]) => Promise<boolean>): Promise<void> {
  let left = [...list]
  if (left.length > 0 && await fails([])) return
  for (let parts = 2; left.length > 1;) {
    const size = Math.ceil(left.length / parts)
    let found = false
    for (let from = 0; from < left.length; from += size) {
      const rest = left.toSpliced(from, size)
      if (rest.length === 0 || !await fails(rest)) continue
      left = rest
      parts = Math.max(2, parts - 1)
      found = true
      break
    }
    if (found) continue
    if (size === 1) return
    parts = Math.min(left.length, parts * 2)
  }
}

/** A schedule without some of its agents: without what is about them, too. */
function among (schedule: Schedule, agents: string[]): Schedule {
  const gone = new Set(schedule.agents.filter(name => !agents.includes(name)))
  const without = (names: string[]): string[] => names.filter(name => !gone.has(name))
  const faults = schedule.faults.flatMap((fault): Fault[] => {
    if (fault.kind === 'cut') {
      const cut = { ...fault, from: without(fault.from), to: without(fault.to) }
      return cut.from.length === 0 || cut.to.length === 0 ? [] : [cut]
    }
    if (fault.kind === 'crash') return gone.has(fault.host) ? [] : [{ ...fault, noticed: without(fault.noticed) }]
    return hostsOf(fault).some(name => gone.has(name)) ? [] : [fault]
  })
  return { ...schedule, agents, faults, tasks: schedule.tasks.filter(({ by }: PlannedTask) => !gone.has(by)) }
}

/** The same fault, less of it: the mildest first. */
function milder (fault: Fault): Fault[] {
  if (fault.kind === 'liar') return fault.lies.length > 1 ? fault.lies.map(lie => ({ ...fault, lies: [lie] })) : []
  if (!('forMs' in fault) || fault.forMs < 100) return []
  return [Math.round(fault.forMs / 4), Math.round(fault.forMs / 2)].map(forMs => ({ ...fault, forMs }))
}

function shorter ({ untilMs }: Schedule): number[] {
  return untilMs < 1_000 ? [] : [Math.round(untilMs / 4), Math.round(untilMs / 2), Math.round(untilMs * 3 / 4)]
}
