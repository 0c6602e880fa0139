/** The story of one task, as its owner's log tells it, held to the promises. */
import { explain, type Failure } from '../core/errors.ts'
import { agentIdOf } from './host.ts'
import { summaryOf, type Hold } from './checker.ts'
import type { Observation, ObservationOf } from './history.ts'
import type { TaskOutcome } from './outcomes.ts'

export interface Story {
  task: TaskOutcome
  /** What became of hosts: when they were up, down, frozen, or had a bad disk. */
  conditions: readonly Observation[]
  /** Agents that do not lie. */
  honest: ReadonlySet<string>
  asked?: ObservationOf<'asked'>
  /** What was countersigned as its result. */
  taken?: string
  /** True time at which its end was on disk. */
  endedAt?: number
}

/** An end may be this late: for a timer, a commit on a slow disk, what is tried again, and the clock's grain. */
const GRACE_MS = 1_500

export function checkStory (story: Story, hold: Hold): void {
  const { task: { taskId, events, spec }, honest, asked, taken } = story
  const { maxCost = Infinity } = spec
  const costs = new Map<string, number>()
  const barred = new Set<string>()
  let epoch = 0
  let holder = ''
  const isHolder = (event: { epoch: number, provider: string }): boolean => event.epoch === epoch && event.provider === holder
  for (const [place, event] of events.entries()) {
    switch (event.event) {
      case 'bid':
      case 'answered':
        costs.set(event.provider, event.cost)
        break
      case 'awarded':
        hold('one-holder', event.epoch === epoch + 1, taskId, () => `epoch ${event.epoch} follows ${epoch}`)
        hold('no-second-chance', !barred.has(event.provider), taskId, () => `it was awarded to ${event.provider} again, who had lost it`)
        hold('in-budget', (costs.get(event.provider) ?? 0) <= maxCost, taskId, () => `it was awarded over budget to ${event.provider}`)
        ;({ epoch, provider: holder } = event)
        break
      case 'moved':
        if (event.failure.code !== 'REFUSED') barred.add(event.provider)
        hold('fair', !honest.has(event.provider) || isFair(event.failure) || mayHaveLost(event, story.conditions), taskId, () => `${event.provider} is honest and lost epoch ${event.epoch} for ${explain(event.failure)}`)
        break
      case 'accepted':
      case 'progress':
      case 'artifact':
      case 'input-required':
      case 'result':
        hold('fenced', isHolder(event), taskId, () => `${event.event} of epoch ${event.epoch} by ${event.provider} was applied, the holder is ${holder} in ${epoch}`)
        if (event.event === 'result') hold('in-budget', event.cost + (event.receipt.penalty ?? 0) <= (costs.get(event.provider) ?? 0), taskId, () => `${event.provider} was paid ${event.cost}, beside a penalty of ${event.receipt.penalty ?? 0}, for its bid of ${costs.get(event.provider)}`)
        if (event.event === 'result') hold('one-result', taken === undefined || taken === `epoch ${epoch} of ${holder}`, taskId, () => `its owner has the result of epoch ${epoch} of ${holder}, countersigned was ${taken}`)
    }
    hold('ends', (event.event === 'result' || event.event === 'failed') === (place === events.length - 1), taskId, () => `${event.event} is event ${place + 1} of ${events.length}`)
  }
  const end = events.at(-1)
  hold('ends', story.endedAt !== undefined && end !== undefined, taskId, () => `it has not ended, its last event is ${summaryOf(end)}`)
  hold('one-result', taken === undefined || end?.event === 'result', taskId, () => `${taken} was countersigned, and its owner has ${summaryOf(end)}`)
  if (asked?.must === true) hold('must', end?.event === 'result', taskId, () => `all was well, and it ended with ${summaryOf(end)}`)
  checkTime(story, hold)
}

function checkTime ({ task: { taskId, by, spec, events }, conditions, endedAt }: Story, hold: Hold): void {
  if (endedAt === undefined) return
  const { skewMs, since } = lifeOf(conditions, by, endedAt)
  const dueAt = spec.deadlineAt - skewMs
  const latest = ableFrom(conditions, by, Math.max(dueAt, since), GRACE_MS) + GRACE_MS
  hold('in-time', endedAt <= latest, taskId, () => `it ended ${endedAt - latest} ms too late`)
  const end = events.at(-1)
  if (end?.event === 'failed' && end.failure.code === 'DEADLINE_EXCEEDED') hold('not-early', endedAt >= dueAt, taskId, () => `it was over time ${dueAt - endedAt} ms before its deadline`)
}

/** The process that a host had at a time: since when, and how far ahead of true time its clock was. */
function lifeOf (conditions: readonly Observation[], host: string, at: number): { since: number, skewMs: number } {
  const up = conditions.findLast(seen => seen.what === 'up' && seen.host === host && seen.at <= at) as ObservationOf<'up'> | undefined
  return { since: up?.at ?? 0, skewMs: up?.skewMs ?? 0 }
}

/** The first moment from `at` on from which a host could work and write for `forMs` on end. */
function ableFrom (conditions: readonly Observation[], host: string, at: number, forMs: number): number {
  const hindered = new Set<string>(['down'])
  let since: number | undefined
  for (const seen of conditions) {
    if (seen.host !== host) continue
    const from = since === undefined ? undefined : Math.max(since, at)
    if (from !== undefined && seen.at - from >= forMs) return from
    switch (seen.what) {
      // A process that is killed while it is frozen is frozen no more.
      case 'up':
        hindered.delete('down')
        hindered.delete('frozen')
        break
      case 'thawed': hindered.delete('frozen'); break
      case 'disk well': hindered.delete('disk'); break
      case 'down': hindered.add('down'); break
      case 'frozen': hindered.add('frozen'); break
      case 'disk failing': hindered.add('disk'); break
      default: continue
    }
    since = hindered.size > 0 ? undefined : since ?? seen.at
  }
  return Math.max(since ?? at, at)
}

/** A bid does not stand any more for a provider that lost it, with its process or to its disk, or whose clock was set while it was down, or that does not offer yet again what it did before. */
function mayHaveLost ({ provider, failure }: { provider: string, failure: Failure }, conditions: readonly Observation[]): boolean {
  if (failure.code !== 'REFUSED' || !/does not stand|is not offered now/.test(failure.why)) return false
  const host = provider.slice(agentIdOf('').length)
  return conditions.some(seen => (seen.what === 'down' || seen.what === 'disk failing') && seen.host === host)
}

/** Whether its processes went by different clocks. */
export const wasSet = (host: string, conditions: readonly Observation[]): boolean =>
  new Set(conditions.flatMap(seen => seen.what === 'up' && seen.host === host ? [seen.skewMs] : [])).size > 1

/** Who does as it should loses work for being silent, slow, busy, or for what its handler does; never for what it says. */
function isFair (failure: Failure): boolean {
  // Over time or lost with its process: what who awards again after a restart is told.
  if (failure.code === 'REFUSED') return /too many|cannot write the event log|circuit breaker|was not done after|its process was restarted/.test(failure.why)
  return failure.code !== 'OUTPUT_INVALID' || !/receipt|hash|no JSON/.test(failure.why)
}
