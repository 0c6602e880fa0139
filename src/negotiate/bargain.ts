/** The requester's side of the bargain: what its owner says to the bids, and what their bidders say to that. */
import { isLate, isOver, MAX_TURNS, type Ask } from '../core/counter.ts'
import { messageOf } from '../core/errors.ts'
import { compose } from '../wire/compose.ts'
import { signEnvelope } from '../wire/envelope.ts'
import { readBid, type Sender } from './offers.ts'
import type { DelegateOptions } from '../core/agent.ts'
import type { Logger, Wire } from '../core/ports.ts'
import type { RequesterEffect, RequesterEvent } from '../core/requester.ts'
import type { Bid, TaskSpec } from '../core/task.ts'

export interface BargainParts {
  wire: Wire
  logger: Logger
  sender: () => Sender
  rttMs: (peer: string) => number | undefined
}

/** What the owner of a task has to say. Gone with its process: then bids are ranked as they are. */
export type Haggler = Pick<DelegateOptions, 'counter' | 'acceptCounter'>

type Countered = RequesterEvent & { type: 'countered' }
type Answered = RequesterEvent & { type: 'answered' }

/** The owner's word to each of the bids. It is not our code: what it throws, or says that is no offer, is no counter-offer. */
export function weigh ({ counter, acceptCounter }: Haggler, { round, turn, bids }: Extract<RequesterEffect, { type: 'counter' }>, { spec, limit = Infinity, at, logger }: { spec: TaskSpec, limit?: number, at: number, logger: Logger }): Countered {
  const tried = <T>(ask: () => T): T | undefined => {
    try {
      return ask()
    } catch (error) {
      logger.warn('the owner of a task has failed to answer a bid; it stands as it is', { taskId: spec.taskId, why: messageOf(error) })
      return undefined
    }
  }
  const askOf = (bid: Bid): Ask[] => {
    const { cost, durationMs } = tried(() => counter?.(bid, bids, spec)) ?? {}
    const asked = { ...(isAmount(cost) && cost !== bid.cost && { cost }), ...(isAmount(durationMs) && durationMs !== bid.durationMs && { durationMs }) }
    return Object.keys(asked).length === 0 ? [] : [{ bidId: bid.id, ...asked }]
  }
  const asks = turn > MAX_TURNS ? [] : bids.flatMap(askOf)
  const beyond = bids.filter(bid => (isOver(bid, limit) || isLate(bid, spec, at)) && !asks.some(({ bidId }) => bidId === bid.id))
  const taken = beyond.filter(bid => tried(() => acceptCounter?.(bid, spec)) === true).map(({ id }) => id)
  return { type: 'countered', at, round, turn, asks, taken }
}

const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0

/** Makes one counter-offer, and takes the answer. Whoever does not know of them, is gone or too slow keeps its bid. */
export async function haggle (taskId: string, { bid, round, turn, ask, closesAt }: Extract<RequesterEffect, { type: 'ask' }>, { wire, logger, sender, rttMs }: BargainParts): Promise<Answered> {
  const { author, signer, now: at } = sender()
  const closesInMs = Math.max(1, closesAt - at)
  const stands = (): Answered => ({ type: 'answered', at: sender().now, round, turn, bidId: bid.id })
  // Without a cause: an older node answers what it does not know only when it is no reply, and we hear at once.
  const counter = compose('task.counter', {
    round, turn, bid_id: bid.id, cost: ask.cost, duration_ms: ask.durationMs, closes_in_ms: closesInMs
  }, author, { correlationId: taskId, to: bid.provider })
  try {
    const reply = await wire.request(bid.peer, signEnvelope(counter, signer), { timeoutMs: closesInMs })
    if (reply.type !== 'task.bid' || reply.from !== bid.provider || reply.to !== author.agentId || reply.correlationId !== taskId) return stands()
    return { ...stands(), bid: readBid(reply, bid.peer, { at, rttMs: rttMs(bid.peer) }) }
  } catch (error) {
    logger.debug('a counter-offer was not answered; the bid stands', { taskId, provider: bid.provider, why: messageOf(error) })
    return stands()
  }
}
