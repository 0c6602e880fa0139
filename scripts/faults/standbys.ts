/** What became of work whose holder slept: when the next began with it, and what the sleeper's late result was worth. */
import { spreadOf, type Spread } from './spread.ts'
import type { Observation, TaskOutcome } from '../../src/testing/index.ts'
import type { Effect } from './judge.ts'

export interface Standbys {
  /** Contracts whose handler was at work when its process was stopped, and whose requester was not stopped then. */
  held: number
  /** From the end of its lease until the handler of the one who stood by began, and from the stop until then. */
  afterLeaseMs: Spread
  afterStopMs: Spread
  /** Left out of that: nobody stood by any more, so that it was announced again; and the next was stopped too, or did not begin. */
  announced: number
  nextStopped: number
  /** Work that was done after its award was over. */
  late: number
  /** Results of such that came to their requester and were refused, and such that were taken. */
  fenced: number
  taken: number
}

interface Evidence {
  observations: readonly Observation[]
  tasks: readonly TaskOutcome[]
  effects: readonly Effect[]
  begun: readonly Effect[]
  fenced: number
}

export function standbysOf ({ observations, tasks, effects, begun, fenced }: Evidence): Standbys {
  const sleeps = sleepsOf(observations)
  const slept = (host: string, from: number, to: number): boolean => sleeps.some(sleep => sleep.host === host && sleep.from <= to && sleep.to >= from)
  const stories = new Map(tasks.map(task => [task.taskId, task]))
  const doneAt = new Map(effects.map(({ host, taskId, epoch, at }) => [`${host} ${taskId} ${epoch}`, at]))
  const beganAt = new Map(begun.map(({ host, taskId, epoch, at }) => [`${host} ${taskId} ${epoch}`, at]))
  const [afterLease, afterStop] = [[] as number[], [] as number[]]
  let [held, announced, nextStopped] = [0, 0, 0]
  for (const { host, from } of sleeps) {
    for (const { taskId, epoch, at } of begun.filter(began => began.host === host)) {
      const story = stories.get(taskId)
      const done = doneAt.get(`${host} ${taskId} ${epoch}`) ?? Infinity
      const moved = story?.events.find(event => event.event === 'moved' && event.epoch === epoch)
      if (story === undefined || at > from || done < from || moved?.event !== 'moved' || moved.at < from || slept(story.by, from, moved.at)) continue
      held++
      const next = story.events.find(event => event.event === 'awarded' && event.epoch === epoch + 1)
      if (story.events.some(event => event.event === 'announced' && event.at >= moved.at && event.at <= (next?.at ?? Infinity))) {
        announced++
        continue
      }
      const nextHost = next?.event === 'awarded' ? next.provider.slice('did:key:z'.length) : undefined
      const began = beganAt.get(`${nextHost} ${taskId} ${epoch + 1}`)
      if (nextHost === undefined || began === undefined || slept(nextHost, from, began) || slept(story.by, moved.at, began)) {
        nextStopped++
        continue
      }
      const lateMs = moved.failure.code === 'LEASE_EXPIRED' ? moved.failure.silentMs - story.spec.leaseMs : 0
      afterLease.push(began - (moved.at - lateMs))
      afterStop.push(began - from)
    }
  }
  const over = new Map(tasks.flatMap(({ taskId, events }) => events.flatMap((event): Array<[string, number]> => event.event === 'moved' ? [[`${taskId} ${event.epoch}`, event.at]] : [])))
  return {
    held,
    afterLeaseMs: spreadOf(afterLease),
    afterStopMs: spreadOf(afterStop),
    announced,
    nextStopped,
    late: effects.filter(({ taskId, epoch, at }) => at > (over.get(`${taskId} ${epoch}`) ?? Infinity)).length,
    fenced,
    taken: tasks.filter(({ taskId, events }) => events.some(event => event.event === 'result' && over.has(`${taskId} ${event.epoch}`))).length
  }
}

function sleepsOf (observations: readonly Observation[]): Array<{ host: string, from: number, to: number }> {
  return observations.filter(({ what }) => what === 'frozen').map(({ host, at }) => ({
    host, from: at, to: observations.find(seen => seen.what === 'thawed' && seen.host === host && seen.at >= at)?.at ?? Infinity
  }))
}
