/**
 * The provider's end: hears what is asked, bids, accepts awards, has the handler run under its lease, and delivers, by
 * driving core/provider.ts over the wire.
 *
 *   announced → bid → award ⇄ accept → run (heartbeats, progress, artifacts) → result ⇄ countersignature
 */
import { createBidding, MAX_REASON } from './bidding.ts'
import { createBook, type Machine } from './book.ts'
import { createCapacity, type Room } from './capacity.ts'
import { createDelegations } from './delegations.ts'
import { createDone } from './done.ts'
import { createHandlers } from './handlers.ts'
import { readSla } from './offers.ts'
import { eventsOf, foldProvider, requesterOf } from './recall.ts'
import { parseCapability } from '../core/capability.ts'
import { A2aError, explain, messageOf, toFailure, type Failure } from '../core/errors.ts'
import { summariseProvider } from '../core/history.ts'
import { epochOf, namedBid, providerWakeAt, stepProvider, termsOf, type ContractFacts, type Outcome, type ProviderEffect, type ProviderEvent, type ProviderTask } from '../core/provider.ts'
import { penaltyOf, sameSla } from '../core/sla.ts'
import { encodeJson, JSON_TYPE, parseJson, toBase64 } from '../wire/body.ts'
import { compose, composeReply, payloadOf, type Author } from '../wire/compose.ts'
import { decodeEnvelope, signEnvelope } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import type { Call, CounterCall, TaskContext, Offer } from '../core/agent.ts'
import type { Envelope } from '../core/envelope.ts'
import { PATIENCE, type Clock, type EventLog, type Logger, type Origin, type Signer, type Wire } from '../core/ports.ts'
import type { Settlement } from '../core/task.ts'
import type { Delegate } from './accounts.ts'
import type { Extra } from './stream.ts'
import type { MessageName, Payload } from '../wire/messages.ts'

/** A capability on offer, as the provider's end sees it. */
export interface Service extends Room {
  version: number
  public: boolean
  bid: (call: Call, load: number) => Promise<Offer | undefined>
  /** What is said to a counter-offer. `undefined`: the bid stands. */
  counter: (call: Call, counter: CounterCall) => Promise<Offer | undefined>
  /** Why no run may begin now for a caller, seeing for whom those at work are: a breaker is open, or others wait. */
  refusal?: (caller: string, holders: string[]) => Failure | undefined
  /** Checks the input, runs the handler, checks the output. Rejects with an A2aError. */
  run: (input: unknown, context: TaskContext) => Promise<unknown>
}

export interface ProviderParts {
  author: Author
  signer: Signer
  wire: Wire
  log: EventLog
  clock: Clock
  logger: Logger
  service: (capability: string, version?: number) => Service | undefined
  /** Whether the peer may call what is not public. May have to connect first, to hear who it is. */
  trusts: (peer: string, addresses: string[]) => Promise<boolean>
  /** 0 to 1, for bids and adverts: how busy this agent is. */
  load: () => number
  /** Has done what a handler delegates. */
  delegate: Delegate
  /** Signs the outcome and keeps the receipt. The same contract gives the same statement. */
  settle: (facts: Settlement) => Promise<Envelope>
  /** Keeps the requester's countersignature with the receipt. Throws when it does not hold; `done` resolves when it is kept. */
  countersigned: (taskId: string, countersignature: Uint8Array) => { done: Promise<void> }
}

export interface ProviderEnd {
  /** Takes a message from a requester. Returns the reply, if it wants one. */
  receive: (envelope: Envelope, origin: Origin) => Promise<Envelope | undefined>
  /** Handlers at work, all capabilities together. */
  running: () => number
  /** Contracts that wait for one of them to end. */
  queued: () => number
  /** For whom contracts of a capability are at work or wait, one entry each. */
  holders: (capability: string) => string[]
  /**
   * A peer is gone: nothing listens at its addresses. What its handlers delegated has nobody to give it to, and ends; what was
   * asked for by itself goes on, for it may come back for it.
   */
  peerGone: (peer: string, why: string) => void
  /** Goes on with what the log says is open. */
  recover: () => void
  /** Ends the handlers at work, and waits for them until the signal aborts. */
  close: (signal: AbortSignal) => Promise<void>
}

/** How long a requester may take to countersign before the result is sent again, in ms. */
const COUNTERSIGN_MS = 10_000
/** How often keys of work that was done long ago are forgotten, in ms. */
const PRUNE_MS = 3_600_000

export const providerMachine: Machine<ProviderTask, ProviderEvent, ProviderEffect> = {
  role: 'provider',
  step: stepProvider,
  wakeAt: providerWakeAt,
  tick: at => ({ type: 'tick', at }),
  // A restart tries at once what could not be delivered, so it need not know; and a disk that refuses must not end the trying.
  passing: ({ type }, changed) => !changed || type === 'undeliverable',
  patienceMs: ({ type }) => type === 'offered' || type === 'countered' || type === 'declined' ? PATIENCE.longMs : type === 'delivered' ? PATIENCE.briefMs : 0,
  summarise: summariseProvider
}

/** @param machine the state machine it drives; tests plant faults in it */
export function createProviderEnd (parts: ProviderParts, machine = providerMachine): ProviderEnd {
  const { author, signer, wire, log, clock, logger } = parts
  const deliveries = new Set<Promise<void>>()
  /** Where to reach a contract's requester, and the input until the handler has it. */
  const requesters = new Map<string, { peer: string, addresses: string[], input?: Uint8Array }>()
  const capacity = createCapacity(clock)
  const book = createBook(machine, {
    agentId: author.agentId, log, clock, logger, perform,
    // From the moment of the award, so that none is accepted twice over; until that was not kept, or is over.
    entered: (taskId, { stage, capability }) => {
      capacity.contract(taskId, stage === 'working' ? capability : undefined)
      if (stage !== 'offered') capacity.release(taskId)
    },
    takeUp: taskId => {
      const task = foldProvider(eventsOf(log, author.agentId, taskId))
      if (task === undefined) return
      book.restore(taskId, task, [])
      // A handler that still runs goes on under what the log says.
      if (task.stage !== 'working' || !handlers.isRunning(taskId)) happen(taskId, { type: 'recovered', at: now() })
    },
    onEnd: taskId => { requesters.delete(taskId) }
  })
  const doneBefore = createDone({ agentId: author.agentId, log, clock })
  let stopPruning = (): void => {}
  let closing = false

  const now = (): number => clock.now()
  const happen = (taskId: string, event: ProviderEvent): void => {
    book.apply(taskId, event).done.catch(error => { logger.error('an event could not be kept', { taskId, event: event.type, why: messageOf(error) }) })
  }
  const holders = (capability: string): string[] => capacity.contractsOf(capability).map(taskId => book.get(taskId)?.requester ?? '')
  const bidding = createBidding({ ...parts, book, capacity, holders, isClosing: () => closing })
  const handlers = createHandlers({
    clock, logger, tell,
    delegations: (task, remainingMs, signal) => createDelegations({ agentId: author.agentId, task, remainingMs, signal, clock, delegate: parts.delegate }),
    deadlineOf: taskId => {
      const task = book.get(taskId)
      return task?.stage === 'working' ? task.deadlineAt : undefined
    },
    onEnded: (taskId, outcome, spent) => {
      handled(taskId, outcome, spent).catch(error => { logger.error('an outcome could not be kept', { taskId, why: messageOf(error) }) })
    }
  })

  /** What a delivery carries, under way: its receipt is written in one commit with the event that led to it. */
  interface Parcel { content?: Uint8Array, outputHash?: string, receipt: Uint8Array }
  const parcels = new WeakMap<ProviderEffect, Promise<Parcel>>()

  /** @param spent what the handler's delegations came to; nothing is not told */
  async function handled (taskId: string, outcome: Outcome, spent: number): Promise<void> {
    const before = book.get(taskId)
    const { effects, done } = book.apply(taskId, { type: 'handled', at: now(), outcome, ...(spent > 0 && { spent }) })
    const noted = before?.stage === 'working' ? doneBefore.keep(before, outcome) : undefined
    const task = book.get(taskId)
    for (const effect of effects) {
      if (effect.type !== 'deliver' || task === undefined) continue
      const parcel = pack(task, effect.contract, outcome)
      parcel.catch(() => {})
      parcels.set(effect, parcel)
    }
    await Promise.all([done, noted])
  }

  async function pack (task: ProviderTask, { epoch, contractHash, inputHash }: ContractFacts, outcome: Outcome): Promise<Parcel> {
    const { taskId, capability, requester } = task
    const content = outcome.outcome === 'completed' ? encodeJson(outcome.output) : undefined
    const outputHash = content === undefined ? undefined : hashOf(content)
    const { auth } = await parts.settle({
      taskId, capability, epoch, requester, contractHash, inputHash, outputHash,
      outcome: outcome.outcome,
      failure: outcome.outcome === 'failed' ? outcome.failure.code : undefined,
      ...(task.stage === 'delivering' ? { cost: task.cost, ...(task.cost < task.bid.cost && { penalty: penaltyOf(termsOf(task), task.tookMs) }), spent: task.spent, durationMs: task.tookMs } : { cost: task.bid.cost, durationMs: 0 }),
      endedAt: now()
    })
    return { content, outputHash, receipt: auth?.statement as Uint8Array }
  }

  async function receive (envelope: Envelope, origin: Origin): Promise<Envelope | undefined> {
    const { correlationId: taskId, epoch = 0 } = envelope
    if (envelope.type === 'task.announce') return await bidding.consider(envelope, origin)
    const task = book.get(taskId)
    if (task !== undefined && task.requester !== envelope.from) throw new A2aError({ code: 'REFUSED', why: 'this task belongs to another agent' })
    switch (envelope.type) {
      case 'task.counter': return await bidding.answer(envelope)
      case 'task.award': return await accept(envelope, origin)
      case 'task.standby':
        capacity.release(taskId)
        return undefined
      case 'task.decline':
        await book.apply(taskId, { type: 'declined', at: now(), reason: payloadOf(envelope, 'task.decline').reason, bidId: envelope.causationId }).done
        return undefined
      case 'task.revoke':
        await book.apply(taskId, { type: 'revoked', at: now(), epoch, reason: payloadOf(envelope, 'task.revoke').reason }).done
        return composeReply(envelope, 'ack', { spent: await handlers.spentBy(taskId) ?? 0 }, author)
      case 'task.input': {
        const value = parseJson(envelope.content)
        if (!handlers.answer(taskId, value)) throw new A2aError({ code: 'REFUSED', why: 'nothing was asked' })
        return composeReply(envelope, 'ack', {}, author)
      }
      default: throw new A2aError({ code: 'MESSAGE_UNKNOWN', type: envelope.type })
    }
  }

  async function accept (envelope: Envelope, { peer }: Origin): Promise<Envelope> {
    const { correlationId: taskId, epoch = 0, content = new Uint8Array(), remainingMs = 0 } = envelope
    const award = payloadOf(envelope, 'task.award')
    const refuse = (failure: Failure, retryable: boolean): Envelope =>
      signEnvelope(composeReply(envelope, 'task.refuse', { reason: explain(failure).slice(0, MAX_REASON), retryable }, author), signer)
    const task = book.get(taskId)
    if (task === undefined) return refuse({ code: 'REFUSED', why: 'that bid does not stand: it was not made, or lost with its process' }, true)
    if (hashOf(content) !== award.input_hash) return refuse({ code: 'REFUSED', why: 'the input does not have the hash of the contract' }, false)
    const service = parts.service(task.capability)
    if (service === undefined || closing) return refuse({ code: 'REFUSED', why: `${task.capability} is not offered now` }, true)
    const refused = capacity.holds(taskId) ? undefined : service.refusal?.(task.requester, holders(service.capability))
    if (refused !== undefined) return refuse(refused, true)
    if (!capacity.admits(service, taskId)) return refuse({ code: 'OVERLOADED', what: 'tasks at work or waiting', limit: service.maxConcurrent + (service.queue ?? 0) }, true)
    const statement = envelope.auth?.statement as Uint8Array
    const budget = envelope.remainingCost === undefined ? undefined : Math.max(0, envelope.remainingCost - award.terms.cost)
    const contract: ContractFacts = { epoch, leaseMs: award.terms.lease_ms, contractHash: hashOf(statement), inputHash: award.input_hash, budget, idempotencyKey: envelope.idempotencyKey }
    const acceptance = signEnvelope(composeReply(envelope, 'task.accept', { contract_hash: contract.contractHash }, author), signer)
    const named = namedBid(task, award.bid_id) ?? (task.stage === 'working' || task.stage === 'delivering' ? task.bid : undefined)
    const { cost, duration_ms: durationMs = Infinity } = award.terms
    const isWorse = named !== undefined && (cost < named.cost || durationMs < (named.durationMs ?? Infinity) || !sameSla(readSla(award.terms), task.call.sla))
    if (isWorse || parseCapability(award.capability).name !== task.capability) return refuse({ code: 'REFUSED', why: 'its terms are not those of the bid' }, false)
    const { effects, done } = book.apply(taskId, {
      type: 'awarded', at: now(), bidId: award.bid_id, contract, deadlineAt: now() + remainingMs,
      award: toBase64(statement), acceptance: toBase64(acceptance.auth?.statement as Uint8Array)
    })
    if (effects.some(({ type }) => type === 'accept')) requesters.set(taskId, { peer, addresses: award.endpoints, input: content })
    await done
    for (const effect of effects) {
      if (effect.type === 'accept') return acceptance
      if (effect.type === 'refuse') return refuse(effect.failure, effect.failure.code === 'REFUSED')
    }
    return refuse({ code: 'REFUSED', why: 'the award does not fit the state of the task' }, false)
  }

  function perform (taskId: string, effect: ProviderEffect, task: ProviderTask): void {
    switch (effect.type) {
      // After the acceptance has left: the requester hears first that there is a contract.
      case 'run': clock.after(0, () => { run(taskId, effect.contract) }); return
      case 'abort': return handlers.abort(taskId, effect.failure)
      case 'deliver': {
        const { contract, outcome } = effect
        const delivery = deliver(task, contract, outcome, parcels.get(effect) ?? pack(task, contract, outcome)).finally(() => { deliveries.delete(delivery) })
        deliveries.add(delivery)
        return
      }
      // The reply to the award says it; see accept.
      case 'accept':
      case 'refuse':
    }
  }

  /** @param contract that is on disk; one that took its place since may not be yet */
  function run (taskId: string, contract: ContractFacts): void {
    const current = book.get(taskId)
    if (current?.stage !== 'working') return
    const task = { ...current, contract }
    const service = parts.service(task.capability)
    const requester = requesters.get(taskId)
    if (service === undefined || requester?.input === undefined || closing) {
      const failure: Failure = { code: 'HANDLER_LOST', capability: task.capability, why: 'it is not offered any more' }
      return happen(taskId, { type: 'handled', at: now(), outcome: { outcome: 'failed', failure } })
    }
    const { input } = requester
    requester.input = undefined
    const outcome = doneBefore.outcomeOf(task)
    if (outcome !== undefined) {
      logger.info('this was done before under the same key; its outcome is delivered again', { taskId })
      handled(taskId, outcome, 0).catch(error => { logger.error('an outcome could not be kept', { taskId, why: messageOf(error) }) })
      return
    }
    handlers.start(taskId, task, input, (value, context) => capacity.enter(service, context.signal, () => service.run(value, context)))
  }

  /** A message under the contract as it stands now. */
  async function tell<T extends MessageName> (taskId: string, type: T, payload: Payload<T>, { acknowledged = false, ...fields }: Extra = {}): Promise<void> {
    const task = book.get(taskId)
    const to = requesters.get(taskId)
    if (task === undefined || to === undefined) return
    const envelope = compose(type, payload, author, { correlationId: taskId, to: task.requester, epoch: epochOf(task), ...fields })
    const { addresses } = to
    if (!acknowledged) return await wire.send(to.peer, envelope, { addresses })
    try {
      await wire.request(to.peer, envelope, { addresses })
    } catch (error) {
      if (error instanceof A2aError && error.failure.code === 'STALE_EPOCH') happen(taskId, { type: 'fenced', at: now(), epoch: error.failure.epoch })
      throw error
    }
  }

  async function deliver (task: ProviderTask, { epoch }: ContractFacts, outcome: Outcome, parcel: Promise<Parcel>): Promise<void> {
    const { taskId } = task
    try {
      const { content, outputHash, receipt } = await parcel
      const to = requesters.get(taskId)
      if (to === undefined) throw new A2aError({ code: 'PEER_UNREACHABLE', peer: task.requester, why: 'its address was lost with a restart' })
      const envelope = signEnvelope(compose('task.result', {
        outcome: outcome.outcome,
        failure: outcome.outcome === 'failed' ? outcome.failure : undefined,
        output_hash: outputHash,
        receipt: Buffer.from(receipt).toString('base64url')
      }, author, { correlationId: taskId, to: task.requester, epoch, task: task.capability, mediaType: JSON_TYPE }), signer)
      const reply = await wire.request(to.peer, content === undefined ? envelope : { ...envelope, content }, { timeoutMs: COUNTERSIGN_MS, addresses: to.addresses })
      if (reply.type !== 'task.settled') throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `the result was answered with ${reply.type}` })
      // Before the task is closed, and in one commit with it.
      const countersignature = Buffer.from(payloadOf(reply, 'task.settled').countersignature, 'base64url')
      const { done } = parts.countersigned(taskId, countersignature)
      if (task.stage === 'delivering' && !payloadOf(decodeEnvelope(countersignature), 'task.countersign').accepted) doneBefore.forget(task)
      const kept = await Promise.allSettled([done, book.apply(taskId, { type: 'delivered', at: now(), epoch }).done])
      // Only when both are known: what follows meets the task as it is after a refused write.
      for (const outcome of kept) if (outcome.status === 'rejected') throw outcome.reason
    } catch (error) {
      const { code } = toFailure(error)
      if (code === 'STALE_EPOCH' || code === 'TASK_UNKNOWN') {
        logger.info('a result was refused: its award is over', { taskId, epoch })
        return happen(taskId, { type: 'fenced', at: now(), epoch })
      }
      // once is enough: a requester that is gone for an hour is tried hundreds of times
      logger[task.stage === 'delivering' && task.attempt > 1 ? 'debug' : 'warn']('a result could not be delivered; it is tried again until the requester is back', { taskId, why: messageOf(error) })
      happen(taskId, { type: 'undeliverable', at: now(), epoch, why: messageOf(error) })
    }
  }

  return {
    receive,
    running: capacity.running,
    queued: capacity.queued,
    holders,
    peerGone: (peer, why) => {
      for (const [taskId, task] of book.active()) {
        if (task.call.depth > 0 && requesters.get(taskId)?.peer === peer) happen(taskId, { type: 'revoked', at: now(), epoch: epochOf(task), reason: `its requester is gone: ${why}` })
      }
    },
    recover: () => {
      for (const { taskId } of log.tasks({ agent: author.agentId, role: 'provider', ended: false })) {
        const events = eventsOf(log, author.agentId, taskId)
        const task = foldProvider(events)
        if (task === undefined) continue
        const requester = requesterOf(events)
        if (requester !== undefined) requesters.set(taskId, requester)
        book.restore(taskId, task, [])
        happen(taskId, { type: 'recovered', at: now() })
      }
      const prune = (): void => {
        doneBefore.prune()
        stopPruning = clock.after(PRUNE_MS, prune)
      }
      prune()
    },
    close: async signal => {
      closing = true
      stopPruning()
      const ends = handlers.endAll(
        capability => ({ code: 'HANDLER_LOST', capability, why: 'its node was shut down' }),
        (taskId, failure, spent) => handled(taskId, { outcome: 'failed', failure }, spent)
      )
      const late = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => { late.resolve() }, { once: true })
      await Promise.race([ends.then(() => Promise.allSettled(deliveries)), late.promise])
      book.close()
    }
  }
}
