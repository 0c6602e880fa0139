/**
 * What the logs of real nodes prove of a run, for the checker: their own events and receipts, read when all have ended.
 * What only somebody beside them saw (who was killed when, what an owner was told) is added by whoever ran them.
 */
import { decodeEnvelope } from '../wire/envelope.ts'
import { openOffer, stepProvider, type ProviderEvent } from '../core/provider.ts'
import { stepRequester } from '../core/requester.ts'
import { replayTask } from '../negotiate/replay.ts'
import { isLast } from '../negotiate/work.ts'
import { parsePayload } from '../wire/messages.ts'
import { outcomeOf, type Remains, type TaskOutcome } from './outcomes.ts'
import type { Observation } from './history.ts'
import type { EventLog, LogEvent } from '../core/ports.ts'
import type { TaskSpec } from '../core/task.ts'

/** A node with one agent. `host`: its DID without `did:key:z`. */
export interface Witness { host: string, log: EventLog }

export interface Evidence {
  observations: Observation[]
  remains: Remains[]
}

/** What is in a log was persisted: what the checker is told of that is always so here. */
export function evidenceOf (witnesses: readonly Witness[]): Evidence {
  const observations: Observation[] = []
  const remains: Remains[] = []
  for (const { host, log } of witnesses) {
    const agent = `did:key:z${host}`
    const rows = log.tasks({ agent })
    const receipts = log.chain.list(agent)
    const tasks: TaskOutcome[] = []
    for (const { taskId, role, ended, updatedAt } of rows) {
      const events = log.eventsOf(role, taskId).filter(event => event.agent === agent)
      if (role === 'provider') observations.push(...workOf(host, events))
      else if (role === 'requester') {
        const story = storyOf(host, events)
        observations.push(...awardsOf(host, story))
        if (ended) observations.push({ at: updatedAt, host, what: 'ended', taskId })
        tasks.push(story)
      }
    }
    for (const { taskId, epoch, at, statement, countersignature, hash, previous: _ } of receipts) {
      if (countersignature === undefined) continue
      const receipt = parsePayload('task.receipt', decodeEnvelope(statement).payload)
      const answer = parsePayload('task.countersign', decodeEnvelope(countersignature).payload)
      const isMine = receipt.provider === agent && Buffer.from(hash).toString('base64url') === answer.receipt_hash
      if (isMine) observations.push({ at, host, what: 'settled', taskId })
      else observations.push({ at, host, what: 'countersigned', taskId, epoch, provider: receipt.provider, taken: answer.accepted && receipt.outcome === 'completed', persisted: true })
    }
    remains.push({ host, agentId: agent, rows, receipts, tasks })
  }
  return { observations: observations.sort((a, b) => a.at - b.at), remains }
}

function storyOf (host: string, events: LogEvent[]): TaskOutcome {
  const [opened] = events as [LogEvent]
  const { spec, input } = opened.data as { spec: TaskSpec, input: string }
  const told = replayTask(spec.taskId, events, stepRequester)?.events ?? []
  // Who comes too late is fenced off after the end too, which its owner is not told any more.
  const end = told.findIndex(isLast)
  return outcomeOf({ host, spec, input, events: end < 0 ? told : told.slice(0, end + 1) })
}

/** Each award; who delivers may not have been heard to accept it. */
function awardsOf (host: string, { events }: TaskOutcome): Observation[] {
  return events.flatMap((event): Observation[] => event.event === 'awarded'
    ? [{ at: event.at, host, what: 'awarding', taskId: event.taskId, epoch: event.epoch, provider: event.provider, persisted: true }]
    : [])
}

/** When a handler was at work, and under which award it began. */
function workOf (host: string, events: LogEvent[]): Observation[] {
  const seen: Observation[] = []
  const [first, ...others] = events.map(({ type, at, data }) => ({ type, at, ...data as object }) as ProviderEvent)
  if (first?.type !== 'offered') return seen
  let { task } = openOffer(first)
  let epoch = 0
  for (const event of others) {
    const next = stepProvider(task, event).task
    const { taskId } = task
    if (task.stage === 'working' && next.stage !== 'working') seen.push({ at: event.at, host, what: 'stopped', taskId, epoch, run: epoch })
    if (task.stage !== 'working' && next.stage === 'working') {
      epoch = next.contract.epoch
      seen.push({ at: event.at, host, what: 'began', taskId, epoch, run: epoch, persisted: true })
    }
    task = next
  }
  return seen
}
