/** The figures of a fault run. Times in ms. */
import { jobReadings, type JobReadings } from './jobs.ts'
import { standbysOf, type Standbys } from './standbys.ts'
import { spreadOf, type Spread } from './spread.ts'
import type { Job } from '../../src/core/job.ts'
import type { Observation, TaskOutcome } from '../../src/testing/index.ts'
import type { Effect } from './judge.ts'

export interface Readings {
  faults: number
  tasks: number
  acknowledged: number
  /** Acknowledged, and not in any log, or without an end. */
  lost: number
  /** How the tasks ended: `result`, or the failure's code. */
  ends: Record<string, number>
  /** Awards after the first, of one task; and why contracts ended without a result, by the failure's code. */
  moves: number
  movedFor: Record<string, number>
  /** Tasks that have more than one result taken. */
  doubled: number
  /** Contracts whose handler did its work more than once. */
  repeated: number
  /** Work that was done under an award that was over by then, and is not in any result. */
  wasted: number
  /** From a fault to the next sign of each task that was open there: that its provider was hit (`provider`), or its requester (`requester`). */
  resumed: Record<'provider' | 'requester', Spread>
  taskMs: Spread
  /** The same of those that were asked for in each part of the run. */
  parts: Record<string, Spread>
  /** From when it was asked for until it was first awarded, and until a provider had taken it on. */
  awardMs: Spread
  acceptMs: Spread
  /** From when the network was whole again until the end of each task that was open then. */
  healMs: Spread
  /** Open when the network became whole, and still so after 30 s in which it was. */
  stuck: number
  standby: Standbys
  jobs: JobReadings
}

interface Evidence {
  observations: readonly Observation[]
  tasks: readonly TaskOutcome[]
  effects: readonly Effect[]
  begun: readonly Effect[]
  breaks: ReadonlyArray<{ from: number, to: number }>
  parts: ReadonlyArray<{ name: string, from: number }>
  /** What was put into queues, as the logs have it. Absent: they do not. */
  jobs: ReadonlyArray<Job | undefined>
  /** Results that were refused for they came late. */
  fenced: number
  faults: number
}

/** Nothing may stand still for longer once the network is whole. */
const STUCK_MS = 30_000

export function readingsOf ({ observations, tasks, effects, begun, breaks, parts, jobs, fenced, faults }: Evidence): Readings {
  const ends: Record<string, number> = {}
  const movedFor: Record<string, number> = {}
  const kept = new Map(tasks.map(task => [task.taskId, task]))
  for (const { events } of tasks) {
    const last = events.at(-1)
    const end = last?.event === 'failed' ? last.failure.code : last?.event ?? 'nothing'
    ends[end] = (ends[end] ?? 0) + 1
    for (const event of events) if (event.event === 'moved') movedFor[event.failure.code] = (movedFor[event.failure.code] ?? 0) + 1
  }
  const acknowledged = observations.flatMap(seen => seen.what === 'acknowledged' ? [seen.taskId] : [])
  const taken = Object.groupBy(observations.flatMap(seen => seen.what === 'countersigned' && seen.taken ? [`${seen.taskId}`] : []), task => task)
  const results = new Set(tasks.flatMap(({ taskId, events }) => events.flatMap(event => event.event === 'result' ? [`${taskId} ${event.epoch}`] : [])))
  const done = Object.groupBy(effects, ({ taskId, epoch }) => `${taskId} ${epoch}`)
  const until = (first: 'awarded' | 'accepted'): Spread => spreadOf(tasks.flatMap(({ spec, events }) => {
    const event = events.find(({ event }) => event === first)
    return event === undefined ? [] : [event.at - spec.createdAt]
  }))
  return {
    faults,
    tasks: tasks.length,
    acknowledged: acknowledged.length,
    lost: acknowledged.filter(taskId => (kept.get(taskId)?.end ?? 'open') === 'open').length,
    ends,
    moves: tasks.reduce((sum, { events }) => sum + Math.max(0, events.filter(({ event }) => event === 'awarded').length - 1), 0),
    movedFor,
    doubled: Object.values(taken).filter(times => (times?.length ?? 0) > 1).length,
    repeated: Object.values(done).filter(times => (times?.length ?? 0) > 1).length,
    wasted: Object.keys(done).filter(contract => !results.has(contract)).length,
    resumed: resumptions(observations, tasks),
    taskMs: spreadOf(tasks.flatMap(durationOf)),
    parts: partsOf(tasks, parts),
    awardMs: until('awarded'),
    acceptMs: until('accepted'),
    ...healing(tasks, breaks),
    standby: standbysOf({ observations, tasks, effects, begun, fenced }),
    jobs: jobReadings(jobs)
  }
}

/** None when it has no result. */
const durationOf = ({ events }: TaskOutcome): number[] => events.at(-1)?.event === 'result' ? [(events.at(-1)?.at ?? 0) - (events[0]?.at ?? 0)] : []

function partsOf (tasks: readonly TaskOutcome[], parts: ReadonlyArray<{ name: string, from: number }>): Record<string, Spread> {
  const of = Object.groupBy(tasks, ({ spec }) => parts.findLast(({ from }) => from <= spec.createdAt)?.name ?? '')
  return Object.fromEntries([...new Set(parts.map(({ name }) => name))].map(name => [name, spreadOf((of[name] ?? []).flatMap(durationOf))]))
}

function healing (tasks: readonly TaskOutcome[], breaks: ReadonlyArray<{ from: number, to: number }>): Pick<Readings, 'healMs' | 'stuck'> {
  const took: number[] = []
  let stuck = 0
  for (const [i, { to }] of breaks.entries()) {
    const calmUntil = breaks[i + 1]?.from ?? Infinity
    for (const { spec, events, end } of tasks) {
      const endedAt = end === 'open' ? Infinity : events.at(-1)?.at ?? Infinity
      if (spec.createdAt >= to || endedAt <= to) continue
      if (endedAt !== Infinity) took.push(endedAt - to)
      if (endedAt > to + STUCK_MS && calmUntil > to + STUCK_MS) stuck++
    }
  }
  return { healMs: spreadOf(took), stuck }
}

/** How long each task that a fault hit stood still: until its owner's log tells of it again. */
function resumptions (observations: readonly Observation[], tasks: readonly TaskOutcome[]): Readings['resumed'] {
  const still = { provider: [] as number[], requester: [] as number[] }
  const blows = observations.filter(({ what }) => what === 'down' || what === 'frozen')
  for (const { by: host, events } of tasks) {
    const [first, last] = [events[0]?.at ?? 0, events.at(-1)?.at ?? 0]
    for (const blow of blows) {
      if (blow.at <= first || blow.at >= last) continue
      const before = events.findLast(event => event.at <= blow.at && event.event === 'awarded')
      const holder = before?.event === 'awarded' ? before.provider : undefined
      const next = events.find(event => event.at > blow.at)?.at
      if (next === undefined) continue
      if (blow.host === host) still.requester.push(next - blow.at)
      else if (holder === `did:key:z${blow.host}`) still.provider.push(next - blow.at)
    }
  }
  return { provider: spreadOf(still.provider), requester: spreadOf(still.requester) }
}
