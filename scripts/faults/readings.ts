/** The figures of a fault run. Times in ms. */
import type { Observation, TaskOutcome } from '../../src/testing/index.ts'
import type { Effect } from './run.ts'

export interface Readings {
  faults: number
  tasks: number
  acknowledged: number
  /** Acknowledged, and not in any log, or without an end. */
  lost: number
  /** How the tasks ended: `result`, or the failure's code. */
  ends: Record<string, number>
  /** Awards after the first, of one task. */
  moves: number
  /** Tasks that have more than one result taken. */
  doubled: number
  /** Contracts whose handler did its work more than once. */
  repeated: number
  /** Work that was done under an award that was over by then, and is not in any result. */
  wasted: number
  /** From a fault to the next sign of each task that was open there: that its provider was hit (`provider`), or its requester (`requester`). */
  resumed: Record<'provider' | 'requester', Spread>
  taskMs: Spread
}

export interface Spread { count: number, p50: number, p99: number, most: number }

interface Evidence {
  observations: readonly Observation[]
  remains: ReadonlyArray<{ tasks: TaskOutcome[] }>
  effects: readonly Effect[]
  faults: number
  leaseMs: number
}

export function readingsOf ({ observations, remains: disks, effects, faults }: Evidence): Readings {
  const remains = disks.flatMap(({ tasks }) => tasks)
  const ends: Record<string, number> = {}
  const kept = new Map(remains.map(task => [task.taskId, task]))
  for (const { events } of remains) {
    const last = events.at(-1)
    const end = last?.event === 'failed' ? last.failure.code : last?.event ?? 'nothing'
    ends[end] = (ends[end] ?? 0) + 1
  }
  const acknowledged = observations.flatMap(seen => seen.what === 'acknowledged' ? [seen.taskId] : [])
  const taken = Object.groupBy(observations.flatMap(seen => seen.what === 'countersigned' && seen.taken ? [`${seen.taskId}`] : []), task => task)
  const results = new Set(remains.flatMap(({ taskId, events }) => events.flatMap(event => event.event === 'result' ? [`${taskId} ${event.epoch}`] : [])))
  const done = Object.groupBy(effects, ({ taskId, epoch }) => `${taskId} ${epoch}`)
  return {
    faults,
    tasks: remains.length,
    acknowledged: acknowledged.length,
    lost: acknowledged.filter(taskId => (kept.get(taskId)?.end ?? 'open') === 'open').length,
    ends,
    moves: remains.reduce((sum, { events }) => sum + Math.max(0, events.filter(({ event }) => event === 'awarded').length - 1), 0),
    doubled: Object.values(taken).filter(times => (times?.length ?? 0) > 1).length,
    repeated: Object.values(done).filter(times => (times?.length ?? 0) > 1).length,
    wasted: Object.keys(done).filter(contract => !results.has(contract)).length,
    resumed: resumptions(observations, remains),
    taskMs: spreadOf(remains.flatMap(({ events }) => events.at(-1)?.event === 'result' ? [(events.at(-1)?.at ?? 0) - (events[0]?.at ?? 0)] : []))
  }
}

/** How long each task that a fault hit stood still: until its owner's log tells of it again. */
function resumptions (observations: readonly Observation[], remains: readonly TaskOutcome[]): Readings['resumed'] {
  const still = { provider: [] as number[], requester: [] as number[] }
  const blows = observations.filter(({ what }) => what === 'down' || what === 'frozen')
  for (const { by: host, events } of remains) {
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

function spreadOf (values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0)
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) }
}
