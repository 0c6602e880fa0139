/** The provider's side of the bargain, before there is a contract: hears what is asked, and bids for it or says why not. */
import { readSla } from './offers.ts'
import { eventsOf, foldProvider } from './recall.ts'
import { parseCapability } from '../core/capability.ts'
import { MAX_TURNS } from '../core/counter.ts'
import { A2aError, explain, messageOf, type Failure } from '../core/errors.ts'
import { heardLineage, loopThrough, tooDeep } from '../core/lineage.ts'
import { openOffer, type ProviderEffect, type ProviderEvent, type ProviderTask } from '../core/provider.ts'
import { compose, composeReply, payloadOf } from '../wire/compose.ts'
import { signEnvelope } from '../wire/envelope.ts'
import { exceeds } from '../core/purse.ts'
import type { Call, Offer } from '../core/agent.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Origin } from '../core/ports.ts'
import type { Book } from './book.ts'
import type { Capacity } from './capacity.ts'
import type { ProviderParts } from './provider.ts'

export interface BiddingParts extends Pick<ProviderParts, 'author' | 'signer' | 'wire' | 'log' | 'clock' | 'logger' | 'service' | 'trusts' | 'load'> {
  book: Book<ProviderTask, ProviderEvent, ProviderEffect>
  capacity: Capacity
  /** For whom contracts of a capability are at work or wait. */
  holders: (capability: string) => string[]
  isClosing: () => boolean
}

export interface Bidding {
  /** An announcement: bid for it, or say why not. What is not for us at all is passed over in silence. */
  consider: (envelope: Envelope, origin: Origin) => Promise<undefined>
  /** A counter-offer: bid anew, or say again what was bid. */
  answer: (envelope: Envelope) => Promise<Envelope>
}

/** How long a bid stands, in ms. A standby may be called up within it. */
const BID_VALID_MS = 60_000
/** A bid takes room while its requester chooses, and so long beyond the window it named, in ms; no longer than the second, whatever it named. */
const CHOOSING_MS = { beyond: 250, most: 2_000 }
/** Characters that a message gives a reason. */
export const MAX_REASON = 512

export function createBidding ({ author, signer, wire, log, clock, logger, service: serviceOf, trusts, load: loadNow, book, capacity, holders, isClosing }: BiddingParts): Bidding {
  /** The disk refused the last bid. */
  let refusesOffers = false
  const now = (): number => clock.now()

  const consider: Bidding['consider'] = async (envelope, { peer }) => {
    const { correlationId: taskId, from: requester } = envelope
    const lineage = heardLineage(envelope)
    const call = payloadOf(envelope, 'task.announce')
    const { name, version } = parseCapability(call.capability)
    const service = serviceOf(name, version)
    if (service === undefined || call.exclude.includes(author.agentId)) return undefined
    const answer = { correlationId: taskId, causationId: envelope.messageId, to: requester }
    const pass = async (reason: string, code?: string): Promise<undefined> => {
      await wire.send(peer, compose('task.pass', { round: call.round, reason, code }, author, answer), { addresses: call.endpoints })
    }
    if (isClosing()) return await pass('its node is shutting down')
    const path = loopThrough(lineage, author.agentId)
    const refusal: Failure | undefined = path === undefined ? tooDeep(lineage) : { code: 'LOOP', path }
    if (refusal !== undefined) return await pass(explain(refusal).slice(0, MAX_REASON), refusal.code)
    if (!service.public && !await trusts(peer, call.endpoints)) return await pass('it is not public', 'NOT_ALLOWED')
    const refused = service.refusal?.(requester, holders(service.capability))
    if (refused !== undefined) return await pass(explain(refused).slice(0, MAX_REASON), refused.code)
    const waitMs = capacity.reserve(service, { taskId, requester, forMs: Math.min(CHOOSING_MS.most, call.closes_in_ms + CHOOSING_MS.beyond) })
    if (waitMs === undefined) return await pass(`busy: ${service.maxConcurrent} tasks may run and ${service.queue ?? 0} wait`, 'OVERLOADED')
    const sla = readSla(call.sla)
    if (waitMs > (sla?.progressEveryMs ?? Infinity)) {
      capacity.release(taskId)
      return await pass(`it would wait about ${Math.round(waitMs)} ms for its turn, and progress is asked for every ${sla?.progressEveryMs} ms`, 'OVERLOADED')
    }
    const load = loadNow()
    const facts: Call = { taskId, capability: service.capability, requester, inputBytes: call.input_bytes, maxCost: call.max_cost, maxDurationMs: call.max_duration_ms, ...(sla && { sla }) }
    const offer = await service.bid(facts, load)
    if (offer === undefined) {
      capacity.release(taskId)
      return await pass('it does not want this task')
    }
    const { cost, confidence } = offer
    const durationMs = offer.durationMs === undefined ? undefined : offer.durationMs + waitMs
    const plain = compose('task.bid', { round: call.round, cost, duration_ms: durationMs, confidence, load, valid_ms: BID_VALID_MS, ...beyond(facts, { cost, durationMs }), ...(sla && { agrees: true }) }, author, answer)
    const bid = { id: plain.messageId, round: call.round, cost, durationMs, confidence, expiresAt: now() + BID_VALID_MS }
    const event: ProviderEvent & { type: 'offered' } = { type: 'offered', at: now(), taskId, capability: service.capability, requester, bid, call: { ...lineage, maxCost: call.max_cost, inputBytes: call.input_bytes, maxDurationMs: call.max_duration_ms, ...(sla && { sla }) } }
    const past = book.get(taskId) === undefined ? foldProvider(eventsOf(log, author.agentId, taskId)) : undefined
    // It ended before a restart, or long ago: its epoch still counts.
    if (past !== undefined) book.restore(taskId, past, [])
    // Ids are read by all who hear an announcement: nobody takes the place of who was first.
    if ((book.get(taskId)?.requester ?? requester) !== requester) throw new A2aError({ code: 'REFUSED', why: 'this task belongs to another agent' })
    await offered(taskId, event)
    const held = book.get(taskId)
    if (held === undefined || held.bid.round > call.round) return undefined
    // Asked twice in one round, it answers with the bid it made; and while it works for the task, under whatever epoch, on the terms it works for.
    const isRepeat = held.bid.round === call.round
    const stands = isRepeat || held.stage === 'working' || held.stage === 'delivering'
    const again = stands
      ? { ...plain, messageId: isRepeat ? held.bid.id : plain.messageId, payload: { ...payloadOf(plain, 'task.bid'), cost: held.bid.cost, duration_ms: held.bid.durationMs, ...(isRepeat && { valid_ms: Math.max(0, held.bid.expiresAt - now()) }) } }
      : plain
    await wire.send(peer, signEnvelope(again, signer), { addresses: call.endpoints })
    return undefined
  }

  /**
   * A bid binds nobody before its award, which is on disk before it is accepted: so it does not wait for the disk, unless that
   * refused the last one. One that is lost with the process is one that was never made.
   */
  async function offered (taskId: string, event: ProviderEvent & { type: 'offered' }): Promise<void> {
    const kept = (book.get(taskId) === undefined ? book.open(taskId, openOffer(event), event) : book.apply(taskId, event).done).then(() => { refusesOffers = false })
    if (refusesOffers) return await kept
    keptLater(taskId, kept)
  }

  const keptLater = (taskId: string, kept: Promise<void>): void => {
    kept.catch(error => {
      refusesOffers = true
      logger.error('a bid could not be kept', { taskId, why: messageOf(error) })
    })
  }

  /** Counter-offers of which the answer is not known yet, by task: one at a time. */
  const answering = new Set<string>()

  const answer: Bidding['answer'] = async envelope => {
    const { correlationId: taskId, messageId: counter } = envelope
    const { bid_id: bidId, cost, duration_ms: durationMs } = payloadOf(envelope, 'task.counter')
    const task = book.get(taskId)
    const service = task === undefined ? undefined : serviceOf(task.capability)
    const open = task?.stage === 'offered' && task.bid.id === bidId && task.bid.counter !== counter && (task.bid.turns ?? 0) < MAX_TURNS && now() < task.bid.expiresAt
    if (task !== undefined && service !== undefined && open && !isClosing() && !answering.has(taskId)) {
      answering.add(taskId)
      try {
        const offer = await service.counter(callOf(task), { offered: offeredBy(task), asked: { cost, durationMs }, turn: (task.bid.turns ?? 0) + 1 })
        const bid = offer && { id: author.newId(), cost: offer.cost, durationMs: offer.durationMs, confidence: offer.confidence }
        keptLater(taskId, book.apply(taskId, { type: 'countered', at: now(), counter, bidId, bid }).done)
      } finally {
        answering.delete(taskId)
      }
    }
    const held = book.get(taskId)
    // Its award has overtaken the counter-offer, or it is over.
    if (held?.stage !== 'offered') throw new A2aError({ code: 'REFUSED', why: 'that bid does not stand any more' })
    return signEnvelope({ ...composeReply(envelope, 'task.bid', { round: held.bid.round, ...termsOf(held), load: loadNow(), valid_ms: Math.max(0, held.bid.expiresAt - now()) }, author), messageId: held.bid.id }, signer)
  }

  return { consider, answer }
}

const callOf = ({ taskId, capability, requester, call: { inputBytes = 0, maxCost, maxDurationMs, sla } }: ProviderTask): Call =>
  ({ taskId, capability, requester, inputBytes, maxCost, maxDurationMs, ...(sla && { sla }) })

const offeredBy = ({ bid: { cost, durationMs, confidence = 0.5 } }: ProviderTask): Offer => ({ cost, durationMs, confidence })

/** What is said of a bid that costs more than was asked for, or takes longer. */
const beyond = ({ maxCost = Infinity, maxDurationMs = Infinity }: Call, { cost, durationMs = 0 }: Pick<Offer, 'cost' | 'durationMs'>): { counter?: true } =>
  exceeds(cost, maxCost) || durationMs > maxDurationMs ? { counter: true } : {}

function termsOf (task: ProviderTask): { cost: number, duration_ms?: number, confidence: number, counter?: true, agrees?: true } {
  const { cost, durationMs, confidence } = offeredBy(task)
  return { cost, duration_ms: durationMs, confidence, ...beyond(callOf(task), { cost, durationMs }), ...(task.call.sla && { agrees: true }) }
}
