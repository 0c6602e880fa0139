/**
 * The requester's end: asks, awards, watches and settles, by driving core/requester.ts over the wire.
 *
 *   announce → bids → choose → award ⇄ accept → progress … → result ⇄ countersign
 */
import { createAccounts, type Delegate } from './accounts.ts'
import { haggle, weigh, type Haggler } from './bargain.ts'
import { createAnswerTimes } from './answer-times.ts'
import { createBook, type Book, type Machine } from './book.ts'
import { createCalls, type CallParts } from './calls.ts'
import { rankBids } from './choice.ts'
import { createIntake, type IntakeParts } from './intake.ts'
import { createOrders } from './orders.ts'
import { hagglerOf, openingOf, policyIn } from './opening.ts'
import { readTask, replayTask, type Past } from './replay.ts'
import { createReputation } from './reputation.ts'
import { createFeed, isLast, type EventFeed } from './work.ts'
import { A2aError, explain, messageOf, toFailure, type Failure } from '../core/errors.ts'
import { summariseRequester } from '../core/history.ts'
import { tooDeep } from '../core/lineage.ts'
import { winnerOf } from '../core/ending.ts'
import { openTask, resumeTask, stepRequester, tickOf, wakeAt, type RequesterEffect, type RequesterEvent, type RequesterTask } from '../core/requester.ts'
import { budgetOf, isUntold } from '../core/spending.ts'
import { rankByValue, type RankingPolicy } from '../core/ranking.ts'
import { reputationOf } from '../core/reputation.ts'
import { encodeJson, JSON_TYPE } from '../wire/body.ts'
import { compose, type Author } from '../wire/compose.ts'
import type { Sender } from './offers.ts'
import type { Awaiting } from './results.ts'
import type { AttachOptions, DelegateOptions, Work } from '../core/agent.ts'
import type { Envelope } from '../core/envelope.ts'
import { PATIENCE, type Clock, type EventLog, type Logger, type Origin, type Signer, type Wire } from '../core/ports.ts'
import type { Bid, TaskEvent, TaskSpec } from '../core/task.ts'

export interface RequesterParts extends Pick<CallParts, 'candidates' | 'announce'>, Pick<IntakeParts, 'checkOutput' | 'openReceipt' | 'settle' | 'rttMs'> {
  author: Author
  signer: Signer
  wire: Wire
  log: EventLog
  clock: Clock
  logger: Logger
  /** Own addresses, for whoever hears of the task by gossip. */
  addresses: () => string[]
  /** Where an agent says it is, in its advert. Absent: nobody's region is known. */
  regionOf?: (agentId: string) => string | undefined
  /** Before each award: a failure, why its provider must not have it now. */
  begin?: (taskId: string, provider: string) => Failure | undefined
  /** Told of all that happens to each task under way, in order. */
  observe?: (event: TaskEvent) => void
}

export interface RequesterEnd {
  delegate: Delegate
  /** Takes a message from a provider. Returns the reply, if it wants one. */
  receive: (envelope: Envelope, origin: Origin) => Promise<Envelope | undefined>
  /** A peer is gone: nothing listens at its addresses. */
  peerGone: (peer: string, why: string) => void
  /** The events of a task after a number, and on until it ends or the signal aborts. `undefined`: not a task of this agent. */
  attach: (taskId: string, options?: AttachOptions) => AsyncIterableIterator<TaskEvent> | undefined
  giveInput: (taskId: string, value: unknown) => Promise<void>
  cancel: (taskId: string, why: string) => Promise<void>
  /** How likely a provider keeps a contract, from 0 to 1, by what this agent has seen of it. `undefined`: nothing. */
  reputationOf: (provider: string) => number | undefined
  /** Goes on with what the log says is open, and cancels what was delegated by handlers that are lost. */
  recover: () => void
  /** Waits until what has happened is kept and told, or until the signal aborts. */
  close: (signal: AbortSignal) => Promise<void>
}

/** Ended tasks that reputations are read out of at the start, the newest first, and for how long at most, in ms. */
const REMEMBERED = { tasks: 1_000, forMs: 250 }

export const requesterMachine: Machine<RequesterTask, RequesterEvent, RequesterEffect> = {
  role: 'requester',
  step: stepRequester,
  wakeAt,
  tick: (at, task) => tickOf(task, at),
  passing: (event, changed, effects) => event.type === 'heard' || (!changed && !effects.some(({ type }) => type === 'publish')),
  patienceMs: ({ type }) => type === 'told' || type === 'called' || type === 'bid' || type === 'passed' || type === 'answered' || type === 'accepted' ? PATIENCE.briefMs : 0,
  summarise: summariseRequester
}

/** @param machine the state machine it drives; tests plant faults in it */
export function createRequesterEnd (parts: RequesterParts, machine = requesterMachine): RequesterEnd {
  const { author, signer, wire, log, clock, logger } = parts
  /** What a task under way needs beside its state. */
  interface Live extends Awaiting {
    input: Uint8Array
    feed: EventFeed
    policy: RankingPolicy
    haggler?: Haggler
    onInputRequired?: DelegateOptions['onInputRequired']
    /** Resolves when it is on disk. */
    opened?: Promise<void>
    /** The epoch it was in when this process came back: its award from before, signed likewise, may be the one that was accepted. */
    recoveredEpoch?: number
    /** Its last event was published. */
    ending?: boolean
  }
  const live = new Map<string, Live>()
  const accounts = createAccounts()
  const reputation = createReputation(clock)
  const answerTimes = createAnswerTimes()
  const book: Book<RequesterTask, RequesterEvent, RequesterEffect> = createBook(machine, {
    agentId: author.agentId, log, clock, logger, perform,
    takeUp: taskId => {
      const past = replay(taskId)
      const entry = live.get(taskId)
      if (past === undefined || entry === undefined) return
      entry.recoveredEpoch = past.task.epoch
      // What was written and not told, for something before it was not written.
      for (const event of past.events.slice(entry.feed.count)) kept(taskId, publish(taskId, event))
      resume(taskId, past.task)
    },
    decide: (taskId, effect, task) => effect.type === 'choose' ? choose(taskId, effect, task.spec) : effect.type === 'counter' ? counter(taskId, effect, task) : undefined,
    entered: accounts.entered
  })
  const underWay = new Set<Promise<unknown>>()
  let closing = false

  const now = (): number => clock.now()
  const sender = (): Sender => ({ author, signer, peerId: wire.peerId, addresses: parts.addresses(), now: now() })
  const happen = (taskId: string, event: RequesterEvent): void => {
    track(taskId, book.apply(taskId, event).done.catch(error => { logger.error('an event could not be kept', { taskId, event: event.type, why: messageOf(error) }) }))
  }

  /** What nobody waits for may fail all the same: with a full disk, or in a handler of the owner's. */
  const kept = (taskId: string, done: Promise<unknown>): void => { void logged(taskId, done) }
  const logged = (taskId: string, done: Promise<unknown>): Promise<unknown> =>
    done.catch(error => { logger.error('a task could not be kept going', { taskId, why: messageOf(error) }) })

  /** What is to be done before this end is closed. */
  function track (taskId: string, done: Promise<unknown>): void {
    const tracked = logged(taskId, done).finally(() => { underWay.delete(tracked) })
    underWay.add(tracked)
  }

  const orders = createOrders({ wire, logger, sender, happen })
  const receive = createIntake({ ...parts, answerTimes, book, orders, awaiting: taskId => live.get(taskId), pastOf: taskId => replay(taskId)?.task, happen, track, isClosing: () => closing })
  const announce = createCalls({
    ...parts, answerTimes, sender,
    stateOf: taskId => book.get(taskId),
    standingOf: reputation.of,
    happen,
    inputBytes: taskId => live.get(taskId)?.input.length ?? 0
  })

  const delegate: Delegate = (capability, value, options, lineage, { account, refusal, attempt } = {}) => {
    const { taskId, input, policy, specOf } = openingOf({ capability, value, options, lineage, attempt, account }, { author, region: parts.regionOf?.(author.agentId) })
    const feed = feedOf(taskId)
    const work: Work = {
      taskId,
      result: feed.result,
      [Symbol.asyncIterator]: () => feed[Symbol.asyncIterator](),
      giveInput: value => giveInput(taskId, value),
      // One that has ended is as its owner wants it.
      cancel: async why => { if (live.has(taskId)) await cancel(taskId, why ?? 'its owner asked for it') }
    }
    const failed = (failure: Failure): void => { feed.push({ taskId, seq: 1, at: now(), event: 'failed', failure }) }
    const failure = refusal ?? tooDeep(lineage)
    if (failure !== undefined) {
      failed(failure)
      return work
    }
    const { signal, output } = options
    const onAbort = (): void => { happen(taskId, { type: 'cancelled', at: now(), why: messageOf(signal?.reason) }) }
    const open = async (maxCost?: number): Promise<void> => {
      const spec = specOf(maxCost, now())
      try {
        await book.open(taskId, openTask(spec), { type: 'opened', at: spec.createdAt, spec, input: input.toString('base64'), output })
        if (signal?.aborted === true) onAbort()
        else signal?.addEventListener('abort', onAbort, { once: true })
      } catch (error) {
        accounts.close(taskId)
        live.delete(taskId)
        failed(toFailure(error))
      }
    }
    if (account !== undefined) accounts.open(taskId, account)
    const entry: Live = { input, feed, output, policy, haggler: hagglerOf(options, account), check: options.sla?.check, onInputRequired: options.onInputRequired }
    live.set(taskId, entry)
    entry.opened = account === undefined ? open(options.maxCostTokens) : account.reserve(taskId, options.maxCostTokens).then(open)
    void feed.result.catch(() => {}).then(() => { signal?.removeEventListener('abort', onAbort) })
    return work
  }

  function perform (taskId: string, effect: RequesterEffect, task: RequesterTask, at: number): void {
    switch (effect.type) {
      case 'announce': return kept(taskId, announce(task, effect.round))
      case 'choose': return happen(taskId, choose(taskId, effect, task.spec))
      case 'counter': return happen(taskId, counter(taskId, effect, task))
      case 'ask': return kept(taskId, haggle(taskId, effect, { ...parts, sender }).then(answered => { happen(taskId, answered) }))
      case 'award': return kept(taskId, award(task, effect.bid, effect.epoch))
      case 'standby': return kept(taskId, orders.tell(effect.bid, compose('task.standby', { rank: effect.rank }, author, { correlationId: taskId, to: effect.bid.provider })))
      case 'decline': return kept(taskId, orders.tell(effect.bid, compose('task.decline', { reason: effect.reason }, author, { correlationId: taskId, causationId: effect.bid.id, to: effect.bid.provider })))
      case 'revoke': return track(taskId, revoke(taskId, effect))
      case 'publish': return kept(taskId, publish(taskId, { taskId, seq: (live.get(taskId)?.feed.count ?? 0) + 1, at, ...effect.event } as TaskEvent))
      // The reply to the message says it; see intake.ts.
      case 'take':
      case 'fence':
    }
  }

  function choose (taskId: string, { round, bids }: Extract<RequesterEffect, { type: 'choose' }>, spec: TaskSpec): RequesterEvent {
    return { type: 'chosen', at: now(), round, order: rankBids(live.get(taskId)?.policy ?? rankByValue, bids.map(withStanding), spec, logger) }
  }

  const counter = (taskId: string, effect: Extract<RequesterEffect, { type: 'counter' }>, task: RequesterTask): RequesterEvent =>
    weigh(live.get(taskId)?.haggler ?? {}, { ...effect, bids: effect.bids.map(withStanding) }, { spec: task.spec, limit: budgetOf(task), at: now(), logger })

  const withStanding = (bid: Bid): Bid => ({ ...bid, region: parts.regionOf?.(bid.provider), standing: reputation.of(bid.provider) })

  async function publish (taskId: string, event: TaskEvent): Promise<void> {
    const entry = live.get(taskId)
    // Nothing follows the end, also while that waits for its countersignature.
    if (entry?.ending === true) return
    reputation.observe(event)
    if (entry === undefined) return
    entry.ending = isLast(event)
    parts.observe?.(event)
    if (event.event === 'result') await entry.settling?.catch(() => {})
    entry.feed.push(event)
    if (event.event === 'input-required' && entry.onInputRequired !== undefined) kept(taskId, answer(taskId, event.prompt, event.schema, entry.onInputRequired))
    if (isLast(event)) live.delete(taskId)
  }

  async function answer (taskId: string, prompt: string, schema: Record<string, unknown> | undefined, ask: NonNullable<DelegateOptions['onInputRequired']>): Promise<void> {
    try {
      await giveInput(taskId, await ask(prompt, schema))
    } catch (error) {
      await cancel(taskId, `the question "${prompt}" was not answered: ${messageOf(error)}`)
    }
  }

  async function award (task: RequesterTask, bid: Bid, epoch: number): Promise<void> {
    const { taskId } = task.spec
    const barred = parts.begin?.(taskId, bid.provider)
    if (barred !== undefined) return happen(taskId, { type: 'refused', at: now(), provider: bid.provider, epoch, reason: explain(barred), retryable: true })
    const entry = live.get(taskId)
    await orders.award(task, bid, epoch, entry?.input, hash => {
      if (entry !== undefined) entry.contractHash = entry.recoveredEpoch === epoch ? undefined : hash
    })
  }

  async function revoke (taskId: string, { bid, epoch, reason, told }: Extract<RequesterEffect, { type: 'revoke' }>): Promise<void> {
    if (told === true) return await orders.dismiss(taskId, bid, epoch, reason)
    if (await orders.revoke(taskId, bid, epoch, reason)) return
    const task = book.get(taskId)
    if (task !== undefined && isUntold(task)) accounts.close(taskId, task)
  }

  async function giveInput (taskId: string, value: unknown): Promise<void> {
    const task = book.get(taskId)
    const winner = task === undefined ? undefined : winnerOf(task)
    if (task === undefined || winner === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
    await wire.request(winner.peer, compose('task.input', {}, author, { correlationId: taskId, to: winner.provider, epoch: task.epoch, content: encodeJson(value), mediaType: JSON_TYPE }))
  }

  async function cancel (taskId: string, why: string): Promise<void> {
    await live.get(taskId)?.opened
    if (book.get(taskId) === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
    await book.apply(taskId, { type: 'cancelled', at: now(), why }).done
  }

  function resume (taskId: string, task: RequesterTask): void {
    book.restore(taskId, task, resumeTask(task))
    happen(taskId, { type: 'recovered', at: now() })
  }

  const replay = (taskId: string): Past | undefined =>
    replayTask(taskId, log.eventsOf('requester', taskId).filter(({ agent }) => agent === author.agentId), machine.step)

  const pastEvents = (taskId: string): Iterable<TaskEvent> => readTask(taskId, page => log.eventsOf('requester', taskId, page), machine.step)
  const feedOf = (taskId: string): EventFeed => createFeed({ past: () => pastEvents(taskId) })

  /** What a task that has ended told after a number. */
  async function * pastOf (taskId: string, after: number, signal?: AbortSignal): AsyncGenerator<TaskEvent> {
    for (const event of pastEvents(taskId)) {
      if (signal?.aborted === true) return
      if (event.seq > after) yield event
    }
  }

  /** What is known of providers from tasks that have ended. */
  function remember (): void {
    const until = now() + REMEMBERED.forMs
    for (const { taskId } of log.tasks({ agent: author.agentId, role: 'requester', ended: true, limit: REMEMBERED.tasks })) {
      if (now() > until) return
      replay(taskId)?.events.forEach(reputation.observe)
    }
  }

  return {
    delegate,
    receive,
    giveInput,
    cancel,
    reputationOf: provider => reputation.knows(provider) ? reputationOf(reputation.of(provider)) : undefined,
    attach: (taskId, { after = 0, signal } = {}) => {
      const feed = live.get(taskId)?.feed
      if (feed !== undefined) return feed.after(after, signal)
      return log.eventsOf('requester', taskId, { limit: 1 })[0]?.agent === author.agentId ? pastOf(taskId, after, signal) : undefined
    },
    peerGone: (peer, why) => {
      for (const [taskId, task] of book.active()) {
        const winner = winnerOf(task)
        if (winner?.peer === peer) happen(taskId, { type: 'gone', at: now(), provider: winner.provider, why })
      }
    },
    recover: () => {
      for (const { taskId } of log.tasks({ agent: author.agentId, role: 'requester', ended: false })) {
        const past = replay(taskId)
        if (past === undefined) continue
        const feed = feedOf(taskId)
        past.events.forEach(feed.push)
        past.events.forEach(reputation.observe)
        live.set(taskId, { input: past.input, feed, policy: policyIn(past.task.spec), output: past.output, recoveredEpoch: past.task.epoch })
        // What a lost handler delegated is of no use to anybody.
        if (past.task.spec.parentTaskId === undefined) resume(taskId, past.task)
        else {
          book.restore(taskId, past.task, [])
          happen(taskId, { type: 'cancelled', at: now(), why: 'the work it was part of was lost with its process' })
        }
      }
      remember()
    },
    close: async signal => {
      const late = Promise.withResolvers<void>()
      signal.addEventListener('abort', () => { late.resolve() }, { once: true })
      // The second time for what the first has led to.
      const told = async (): Promise<void> => { for (let wave = 1; wave <= 2; wave++) await Promise.allSettled(underWay) }
      await Promise.race([told(), late.promise])
      closing = true
      book.close()
    }
  }
}
