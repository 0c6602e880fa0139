/** Goes over what happened in a run, and tells what should not have. It knows the promises, not the state machines. */
import { explain, type Failure } from '../core/errors.ts'
import type { TaskEvent } from '../core/task.ts'
import type { Observation, ObservationOf } from './history.ts'

/** What is left at the end: the story of each task that is on a disk. */
export interface Remains {
  taskId: string
  host: string
  skewMs: number
  deadlineAt: number
  maxCost?: number
  ended: boolean
  events: TaskEvent[]
}

/** An end may be this late: for a timer, a commit, and the clock's grain. */
const GRACE_MS = 1_000

/** One line for each broken promise. */
/** @param honest agents that do not lie */
export function check (observations: readonly Observation[], remains: readonly Remains[], honest: ReadonlySet<string>): string[] {
  const broken: string[] = []
  const of = <W extends Observation['what']>(what: W): Array<ObservationOf<W>> => observations.filter((seen): seen is ObservationOf<W> => seen.what === what)
  const promise = (holds: boolean, taskId: string, why: string): void => { if (!holds) broken.push(`${taskId}: ${why}`) }

  // Awards, as the network saw them.
  const holders = new Map<string, string>()
  for (const { taskId, epoch, provider, persisted } of of('awarding')) {
    const holder = holders.get(`${taskId} ${epoch}`) ?? provider
    holders.set(`${taskId} ${epoch}`, holder)
    promise(holder === provider, taskId, `epoch ${epoch} was awarded to ${holder} and to ${provider}`)
    promise(persisted, taskId, `epoch ${epoch} was awarded before it was on disk`)
  }

  // Countersignatures: what a provider may be paid for.
  const taken = new Map<string, string>()
  for (const { taskId, epoch, provider, taken: isTaken, persisted } of of('countersigned')) {
    if (!isTaken) continue
    const what = `epoch ${epoch} of ${provider}`
    promise((taken.get(taskId) ?? what) === what, taskId, `two results were taken: ${taken.get(taskId)} and ${what}`)
    taken.set(taskId, what)
    promise(persisted, taskId, `the result of ${what} was countersigned before it was on disk`)
    promise(holders.get(`${taskId} ${epoch}`) === provider, taskId, `a result of ${what} was taken, who does not hold it`)
  }

  for (const { host, taskId, epoch, persisted } of of('delivering')) promise(persisted, taskId, `${host} delivered epoch ${epoch} before its outcome was on disk`)

  // Handlers.
  const began = new Set<string>()
  const running = new Map<string, number>()
  for (const seen of observations) {
    if (seen.what === 'down') for (const key of running.keys()) if (key.startsWith(`${seen.host} `)) running.delete(key)
    if (seen.what !== 'began' && seen.what !== 'stopped') continue
    const { host, taskId, epoch, run } = seen
    const key = `${host} ${taskId}`
    if (seen.what === 'stopped') {
      if (running.get(key) === run) running.delete(key)
      continue
    }
    promise(!began.has(`${key} ${epoch}`), taskId, `${host} ran epoch ${epoch} twice`)
    promise(!running.has(key), taskId, `${host} ran it twice at once`)
    promise(seen.persisted, taskId, `${host} ran epoch ${epoch} before its contract was on disk`)
    began.add(`${key} ${epoch}`)
    running.set(key, run)
  }

  const asked = new Map(of('asked').map(seen => [seen.taskId, seen]))
  for (const task of remains) checkStory(task, observations, asked.get(task.taskId)?.must ?? false, taken.get(task.taskId), honest, promise)

  // Who did the work when all was well holds the countersignature.
  const settled = new Set(of('settled').map(({ taskId, host }) => `${taskId} did:key:z${host}`))
  for (const { taskId, provider, taken } of of('countersigned')) {
    if (taken && honest.has(provider) && asked.get(taskId)?.must === true) promise(settled.has(`${taskId} ${provider}`), taskId, `${provider} was never given the countersignature`)
  }

  // What was acknowledged is kept, and what owners were told is what the log says.
  const kept = new Map(remains.map(task => [task.taskId, task]))
  for (const { taskId } of of('acknowledged')) promise(kept.has(taskId), taskId, 'it was acknowledged and is not on disk')
  for (const { taskId, event } of of('told')) {
    if (event.event === 'result' || event.event === 'failed') {
      const end = kept.get(taskId)?.events.at(-1)
      promise(kept.has(taskId) ? sameEnd(end, event) : event.event === 'failed', taskId, `its owner was told ${summary(event)}, the log says ${summary(end)}`)
    }
  }
  return broken
}

/** What one task's owner reads in the log. */
function checkStory (task: Remains, observations: readonly Observation[], must: boolean, taken: string | undefined, honest: ReadonlySet<string>, promise: (holds: boolean, taskId: string, why: string) => void): void {
  const { taskId, host, skewMs, deadlineAt, ended, events, maxCost = Infinity } = task
  const costs = new Map<string, number>()
  let epoch = 0
  let holder = ''
  const barred = new Set<string>()
  for (const [place, event] of events.entries()) {
    switch (event.event) {
      case 'bid':
        costs.set(event.provider, event.cost)
        break
      case 'awarded':
        promise(event.epoch === epoch + 1, taskId, `epoch ${event.epoch} follows ${epoch}`)
        promise(!barred.has(event.provider), taskId, `it was awarded to ${event.provider} again, who had lost it`)
        promise((costs.get(event.provider) ?? 0) <= maxCost, taskId, `it was awarded over budget to ${event.provider}`)
        ;({ epoch, provider: holder } = event)
        break
      case 'moved':
        if (event.failure.code !== 'REFUSED') barred.add(event.provider)
        promise(!honest.has(event.provider) || isFair(event.failure), taskId, `${event.provider} is honest and lost epoch ${event.epoch} for ${explain(event.failure)}`)
        break
      case 'accepted':
      case 'progress':
      case 'artifact':
      case 'input-required':
        promise(event.epoch === epoch && event.provider === holder, taskId, `${event.event} of epoch ${event.epoch} by ${event.provider} was applied, the holder is ${holder} in ${epoch}`)
        break
      case 'result': {
        const { by, epoch: under } = event.output as { by?: string, epoch?: number }
        promise(event.epoch === epoch && event.provider === holder, taskId, `a result of epoch ${event.epoch} by ${event.provider} was applied, the holder is ${holder} in ${epoch}`)
        promise(`did:key:z${by}` === holder && under === epoch, taskId, `the result says it was made by ${by} in epoch ${under}, the holder is ${holder} in ${epoch}`)
        promise((event.output as { right?: boolean }).right === true, taskId, 'a wrong output was taken')
        promise(taken === undefined || taken === `epoch ${epoch} of ${holder}`, taskId, `its owner has the result of epoch ${epoch} of ${holder}, countersigned was ${taken}`)
      }
    }
    promise((event.event === 'result' || event.event === 'failed') === (place === events.length - 1 && ended), taskId, `${event.event} is event ${place + 1} of ${events.length}`)
  }
  const end = events.at(-1)
  promise(ended && end !== undefined, taskId, `it has not ended, its last event is ${summary(end)}`)
  if (ended && end !== undefined) {
    const due = awakeFrom(observations, host, deadlineAt - skewMs, GRACE_MS) + GRACE_MS
    promise(end.at - skewMs <= due, taskId, `it ended ${end.at - skewMs - due} ms too late`)
  }
  promise(taken === undefined || end?.event === 'result', taskId, `${taken} was countersigned, and its owner has ${summary(end)}`)
  if (must) promise(end?.event === 'result', taskId, `all was well, and it ended with ${summary(end)}`)
}

/** The first moment from `at` on from which a host could work for `forMs` on end. */
function awakeFrom (observations: readonly Observation[], host: string, at: number, forMs: number): number {
  let since: number | undefined
  for (const seen of observations) {
    if (seen.host !== host) continue
    const from = since === undefined ? undefined : Math.max(since, at)
    if (from !== undefined && seen.at - from >= forMs) return from
    if (seen.what === 'up' || seen.what === 'thawed') since = seen.at
    if (seen.what === 'down' || seen.what === 'frozen') since = undefined
  }
  return Math.max(since ?? at, at)
}

/** Who does as it should loses work for being silent, slow, busy, or for what its handler does; never for what it says. */
function isFair (failure: Failure): boolean {
  if (failure.code === 'REFUSED') return failure.why.includes('too many')
  return failure.code !== 'OUTPUT_INVALID' || failure.why === 'it is wrong'
}

const sameEnd = (a: TaskEvent | undefined, b: TaskEvent): boolean =>
  a?.event === b.event && JSON.stringify({ ...a, at: 0 }) === JSON.stringify({ ...b, at: 0 })

const summary = (event: TaskEvent | undefined): string =>
  event === undefined ? 'nothing' : event.event === 'failed' ? `failed ${JSON.stringify(event.failure)}` : 'provider' in event ? `${event.event} by ${event.provider}` : event.event
