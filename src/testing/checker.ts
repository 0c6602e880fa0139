/** Goes over what happened in a run and what is left of it, and tells what should not be. It knows the promises, not the state machines. */
import { checkStory, wasSet, type Story } from './stories.ts'
import { hashOf } from '../wire/hash.ts'
import type { Broken, PromiseName } from './promises.ts'
import type { Observation, ObservationOf } from './history.ts'
import type { Remains } from './outcomes.ts'
import type { ReceiptEntry } from '../core/ports.ts'
import type { TaskEvent } from '../core/task.ts'

/** Says that a promise about a task is broken, unless it holds. */
export type Hold = (promise: PromiseName, holds: boolean, taskId: string, why: () => string) => void

/** What becomes of hosts, whatever they do. */
const CONDITIONS: ReadonlySet<Observation['what']> = new Set<Observation['what']>(['up', 'down', 'frozen', 'thawed', 'disk failing', 'disk well'])

/**
 * What is broken. It reads the history of a run and what is on the disks at its end, and nothing else.
 * @param remains of the honest hosts: all but the liars
 * @param quiet whether the run went on until nothing was under way any more: each taken result must be settled by then
 */
export function check (observations: readonly Observation[], remains: readonly Remains[], { quiet = true } = {}): Broken[] {
  const broken: Broken[] = []
  const hold: Hold = (promise, holds, taskId, why) => { if (!holds) broken.push({ promise, why: `${taskId}: ${why()}` }) }
  const of = <W extends Observation['what']>(what: W): Array<ObservationOf<W>> => observations.filter((seen): seen is ObservationOf<W> => seen.what === what)
  const honest = new Set(remains.map(({ agentId }) => agentId))
  const tasks = remains.flatMap(({ tasks }) => tasks)

  // Awards, as the network saw them.
  const holders = new Map<string, string>()
  for (const { taskId, epoch, provider, persisted } of of('awarding')) {
    const holder = holders.get(`${taskId} ${epoch}`) ?? provider
    holders.set(`${taskId} ${epoch}`, holder)
    hold('one-holder', holder === provider, taskId, () => `epoch ${epoch} was awarded to ${holder} and to ${provider}`)
    hold('disk-first', persisted, taskId, () => `epoch ${epoch} was awarded before it was on disk`)
  }

  // Countersignatures: what a provider may be paid for.
  const taken = new Map<string, string>()
  for (const { taskId, epoch, provider, taken: isTaken, persisted } of of('countersigned')) {
    if (!isTaken) continue
    const what = `epoch ${epoch} of ${provider}`
    hold('one-result', (taken.get(taskId) ?? what) === what, taskId, () => `two results were taken: ${taken.get(taskId)} and ${what}`)
    taken.set(taskId, what)
    hold('disk-first', persisted, taskId, () => `the result of ${what} was countersigned before it was on disk`)
    hold('one-result', holders.get(`${taskId} ${epoch}`) === provider, taskId, () => `a result of ${what} was taken, who does not hold it`)
  }

  for (const { host, taskId, epoch, persisted } of of('delivering')) hold('disk-first', persisted, taskId, () => `${host} delivered epoch ${epoch} before its outcome was on disk`)
  checkRuns(observations, hold)

  const asked = new Map(of('asked').map(seen => [seen.taskId, seen]))
  const ended = new Map(of('ended').map(seen => [seen.taskId, seen.at]))
  // Few of very many: each story looks through them several times.
  const conditions = observations.filter(({ what }) => CONDITIONS.has(what))
  for (const task of tasks) {
    const story: Story = { task, conditions, honest, asked: asked.get(task.taskId), taken: taken.get(task.taskId), endedAt: ended.get(task.taskId) }
    checkStory(story, hold)
  }

  // Who did the work holds the countersignature, unless its clock said after a restart that the time for that was over.
  const settled = new Set(remains.flatMap(({ agentId, receipts }) =>
    receipts.filter(entry => entry.countersignature !== undefined && isProviders(entry)).map(({ taskId }) => `${taskId} ${agentId}`)))
  const setClocks = new Set(remains.filter(({ host }) => wasSet(host, conditions)).map(({ agentId }) => agentId))
  for (const { taskId, provider, taken } of of('countersigned')) {
    if (quiet && taken && honest.has(provider) && !setClocks.has(provider)) hold('settled', settled.has(`${taskId} ${provider}`), taskId, () => `${provider} was never given the countersignature`)
  }

  const kept = new Map(tasks.map(task => [task.taskId, task.events]))
  for (const { taskId } of of('acknowledged')) hold('kept', kept.has(taskId), taskId, () => 'it was acknowledged and is not on disk')
  checkTold(of('told'), kept, hold)
  for (const each of remains) checkChain(each, hold)
  return broken
}

function checkRuns (observations: readonly Observation[], hold: Hold): void {
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
    hold('run-once', !began.has(`${key} ${epoch}`), taskId, () => `${host} ran epoch ${epoch} twice`)
    hold('run-once', !running.has(key), taskId, () => `${host} ran it twice at once`)
    hold('disk-first', seen.persisted, taskId, () => `${host} ran epoch ${epoch} before its contract was on disk`)
    began.add(`${key} ${epoch}`)
    running.set(key, run)
  }
}

/** Each process tells the log's story from its beginning, as far as it lives. */
function checkTold (told: ReadonlyArray<ObservationOf<'told'>>, kept: ReadonlyMap<string, TaskEvent[]>, hold: Hold): void {
  const places = new Map<string, number>()
  for (const { taskId, host, life, event } of told) {
    const story = kept.get(taskId)
    if (life === undefined) {
      const end = story?.at(-1)
      hold('told-as-logged', story === undefined ? event.event === 'failed' : end !== undefined && same(end, event), taskId, () => `its owner was told ${summaryOf(event)}, the log says ${summaryOf(end)}`)
      continue
    }
    const teller = `${host} ${life} ${taskId}`
    const place = places.get(teller) ?? 0
    places.set(teller, place + 1)
    const logged = story?.[place]
    // A task that could not be written is told to have failed, and there is none.
    const holds = story === undefined ? event.event === 'failed' : logged !== undefined && same(logged, event)
    hold('told-as-logged', holds, taskId, () => `its owner was told ${summaryOf(event)} as number ${place + 1}, the log says ${summaryOf(logged)}`)
  }
}

function checkChain ({ host, agentId, receipts }: Remains, hold: Hold): void {
  let head = Buffer.alloc(32)
  const sides = new Set<string>()
  for (const { previous, hash, taskId, epoch, statement } of receipts) {
    const side = `${taskId} ${epoch} ${isProviders({ hash, statement }) ? 'done' : 'asked'}`
    hold('chain', head.equals(previous), taskId, () => `the receipt of epoch ${epoch} does not follow the one before in the chain of ${agentId}`)
    hold('chain', !sides.has(side), taskId, () => `epoch ${epoch} was settled twice by ${host}`)
    sides.add(side)
    head = Buffer.from(hash)
  }
}

/** A provider's entry is named by its receipt, a requester's by its countersignature. */
const isProviders = ({ hash, statement }: Pick<ReceiptEntry, 'hash' | 'statement'>): boolean => Buffer.from(hash).toString('base64url') === hashOf(statement)

const same = (a: TaskEvent, b: TaskEvent): boolean =>
  a.event === b.event && JSON.stringify({ ...a, at: 0 }) === JSON.stringify({ ...b, at: 0 })

/** An event, for people. */
export const summaryOf = (event: TaskEvent | undefined): string =>
  event === undefined ? 'nothing' : event.event === 'failed' ? `failed ${JSON.stringify(event.failure)}` : 'provider' in event ? `${event.event} by ${event.provider}` : event.event
