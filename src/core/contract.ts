/** A task under contract: awarded, worked on, and taken away when its holder is silent, fails or breaks its word. Pure, as core/requester.ts, which it is a part of. */
import { isOver, withTimeFor } from './counter.ts'
import { fail, publish, rest, same, winnerOf } from './ending.ts'
import { progressDueAt, slaMs } from './sla.ts'
import { budgetOf, withSpent } from './spending.ts'
import type { Failure } from './errors.ts'
import type { Published, RequesterEffect, RequesterEvent, RequesterTask, Step } from './requester.ts'
import type { Bid, RankedBid, TaskSpec } from './task.ts'

/** What one contract may send beside its result, in characters of base64; a message counts as so many at least. */
const MAX_RECEIVED = 256 * 1_024 * 1_024
const MESSAGE_BYTES = 4_096

/** Everything that the holder of a contract says. */
export type FromProvider = Exclude<Extract<RequesterEvent, { epoch: number }>, { type: 'told' }>

/** Something came under a contract: applied when it is of who holds it, fenced off otherwise. Everything said by the holder renews its lease. */
export function onProvider (task: RequesterTask, event: FromProvider): Step {
  const { provider, epoch, at } = event
  if (task.stage === 'settled' && epoch === task.epoch && provider === task.provider) {
    if (event.type === 'result') return { task, effects: [{ type: 'take', provider, epoch }] }
    // A quick result overtakes the acceptance: the contract is kept all the same.
    if (event.type === 'accepted') return same(task.accepted ? task : { ...task, accepted: true })
  }
  if (winnerOf(task)?.provider !== provider || epoch !== task.epoch) return fenceOff(task, event)
  if (task.stage !== 'awarded' && task.stage !== 'working') return same(task)
  const { winner, standby, awardedAt } = task
  const working: RequesterTask = {
    ...task,
    stage: 'working',
    winner, standby, awardedAt,
    leaseUntil: at + task.spec.leaseMs,
    sequence: task.stage === 'working' ? task.sequence : 0,
    accepted: task.stage === 'working' && task.accepted,
    received: task.stage === 'working' ? task.received : 0
  }
  switch (event.type) {
    // Progress may overtake it: the contract is kept all the same.
    case 'accepted': return working.accepted ? same(task) : publish({ ...working, accepted: true, progressUntil: progressDueAt(task.spec, at) }, { event: 'accepted', provider, epoch })
    // Not in the log, so it changes nothing but the lease.
    case 'heard': return same({ ...task, leaseUntil: working.leaseUntil })
    case 'refused': return move(task, { code: 'REFUSED', why: event.reason }, at, { onlyLost: event.retryable, told: true })
    case 'broke': {
      const paid = withSpent(task, event.spent)
      return event.retryable ? move(paid, event.failure, at, { told: true }) : fail(paid, event.failure, true)
    }
    case 'result': {
      const { spec, round, excluded, asked, spent } = withSpent(task, event.spent)
      const { output, cost, durationMs, receipt } = event
      const settled: RequesterTask = { spec, round, epoch, excluded, asked, spent, stage: 'settled', provider, cost, accepted: working.accepted }
      return {
        task: settled,
        effects: [
          { type: 'take', provider, epoch },
          ...standby.map(({ bid }) => ({ type: 'decline' as const, bid, reason: 'another agent has done it' })),
          { type: 'publish', event: { event: 'result', provider, epoch, output, cost, ...(spent === undefined ? {} : { spent }), durationMs, receipt } }
        ]
      }
    }
    case 'progress':
    case 'artifact':
    case 'input-required': {
      if (event.sequence <= working.sequence) return same(working)
      const received = working.received + MESSAGE_BYTES + (event.type === 'artifact' ? event.data.length : 0)
      if (received > MAX_RECEIVED) return move(task, { code: 'OVERLOADED', what: `bytes of progress and artifacts from ${provider}`, limit: MAX_RECEIVED }, at)
      const progressUntil = event.type === 'input-required' ? undefined : progressDueAt(task.spec, at)
      return publish({ ...working, sequence: event.sequence, received, progressUntil }, toPublished(event))
    }
  }
}

function toPublished (event: Extract<FromProvider, { sequence: number }>): Published {
  const { provider, epoch } = event
  switch (event.type) {
    case 'progress': return { event: 'progress', provider, epoch, fraction: event.fraction, note: event.note }
    case 'artifact': {
      const { name, mediaType, append, last } = event
      return { event: 'artifact', provider, epoch, name, mediaType, data: Buffer.from(event.data, 'base64'), append, last }
    }
    case 'input-required': return { event: 'input-required', provider, epoch, prompt: event.prompt, schema: event.schema }
  }
}

/** Awards to the first of the order that still stands; the others stand by. */
export function award (task: RequesterTask, order: RankedBid[], at: number, before: RequesterEffect[]): Step {
  const limit = budgetOf(task) ?? Infinity
  const [first, ...standby] = order.filter(({ bid }) => bid.expiresAt > at && !task.excluded.includes(bid.provider) && !isOver(bid, limit))
  if (first === undefined) {
    const step = rest(task, at)
    return { task: step.task, effects: [...before, ...step.effects] }
  }
  const { round, excluded, asked, lastFailure, lowestOver, onPath, spent } = task
  const epoch = task.epoch + 1
  const { bid, reason } = first
  const spec = withTimeFor(task.spec, bid, at)
  return {
    task: { spec, round, epoch, excluded, asked, lastFailure, lowestOver, onPath, spent, stage: 'awarded', winner: bid, standby, awardedAt: at, leaseUntil: at + spec.leaseMs, slaUntil: slaUntil(spec, bid, at) },
    effects: [
      ...before,
      { type: 'publish', event: { event: 'awarded', provider: bid.provider, epoch, reason, standby: standby.map(entry => entry.bid.provider) } },
      { type: 'award', bid, epoch },
      ...standby.map((entry, i) => ({ type: 'standby' as const, bid: entry.bid, rank: i + 1 }))
    ]
  }
}

/**
 * Takes the work from the winner and gives it to the next: silence, failure, breach and refusal all end here.
 * @param onlyLost the winner may bid again
 * @param told the winner knows, and has said what its delegations came to
 */
export function move (task: RequesterTask, failure: Failure, at: number, { onlyLost = false, told = false } = {}): Step {
  if (task.stage !== 'awarded' && task.stage !== 'working') return same(task)
  const { winner, standby, epoch } = task
  const excluded = onlyLost ? task.excluded : [...task.excluded, winner.provider]
  // A job counts the handlers that are started for it, and whoever refused has started none.
  const mayHaveBegun = failure.code !== 'REFUSED' || (task.stage === 'awarded' && task.again === true)
  if (task.spec.jobId !== undefined && mayHaveBegun) return fail({ ...task, excluded }, failure)
  const before: RequesterEffect[] = [
    { type: 'revoke', bid: winner, epoch, reason: failure.code, ...(told && { told }) },
    { type: 'publish', event: { event: 'moved', provider: winner.provider, epoch, failure } }
  ]
  return award({ ...task, excluded, lastFailure: failure }, standby.filter(entry => entry.bid.provider !== winner.provider), at, before)
}

/** Only what could have an effect is worth a refusal; a late heartbeat is nothing. */
function fenceOff (task: RequesterTask, { type, provider, epoch }: FromProvider): Step {
  if (type === 'heard' || type === 'progress' || type === 'refused') return same(task)
  return { task, effects: [{ type: 'fence', provider, epoch, what: type }, { type: 'publish', event: { event: 'fenced', provider, epoch, what: type } }] }
}

function slaUntil (spec: TaskSpec, { durationMs }: Bid, awardedAt: number): number | undefined {
  return durationMs === undefined ? undefined : awardedAt + slaMs(spec, durationMs)
}
