/** Wires one agent together: its key, what it offers, and the two ends of its tasks. */
import type { KeyObject } from 'node:crypto'
import { createRequests, type Requests } from './converse/requests.ts'
import { answerOf } from './core/counter.ts'
import { domainOf, MANY_CAPABILITIES, parseCapability, TOO_MANY_CAPABILITIES } from './core/capability.ts'
import { createSteadyClock } from './core/clock.ts'
import { A2aError, explain, messageOf } from './core/errors.ts'
import { topicOf, type Directory, type LocalAgent } from './discover/directory.ts'
import { compileProvision, runHandler } from './execute/runner.ts'
import { compileSchema } from './execute/schema.ts'
import { createBulkhead, type Bulkhead } from './guard/bulkhead.ts'
import { createGuard } from './guard/guard.ts'
import { createSigner, type RotatingSigner } from './identity/signer.ts'
import { createProviderEnd, type ProviderEnd, type Service } from './negotiate/provider.ts'
import { createRequesterEnd, type RequesterEnd } from './negotiate/requester.ts'
import { createFeed } from './negotiate/work.ts'
import { hedge } from './patterns/hedge.ts'
import { createLedger } from './settle/ledger.ts'
import { openReceipt } from './settle/receipt.ts'
import { createQueue, type Queue } from './queue/queue.ts'
import { compose, type Author } from './wire/compose.ts'
import { newId } from './wire/id.ts'
import { nextTraceparent } from './wire/trace.ts'
import type { Announcer } from './announce/announcer.ts'
import type { Dialogues } from './converse/dialogues.ts'
import type { Delegate } from './negotiate/accounts.ts'
import type { Candidate } from './negotiate/calls.ts'
import type { Agent, DelegateOptions, HandlerContext, Offer, Provision, Work } from './core/agent.ts'
import type { Node } from './core/node.ts'
import type { Capability } from './core/capability.ts'
import type { Clock, EventLog, Logger } from './core/ports.ts'
import type { BreakerRow, SlotsRow } from './core/status.ts'
import type { Net } from './net/net.ts'
import type { Content } from './content/content.ts'


/** What an agent shares with the others of its node. */
export interface AgentParts {
  key: KeyObject
  keyFile: string
  name: string
  node: Node
  net: Net
  log: EventLog
  content: Content
  directory: Directory
  announcer: Announcer
  dialogues: Dialogues
  clock: Clock
  logger: Logger
}

/** An agent as its node sees it: the public face, and the ends that take its messages. */
export interface HostedAgent {
  agent: Agent
  author: Author
  keyFile: string
  signer: RotatingSigner
  requester: RequesterEnd
  provider: ProviderEnd
  requests: Requests
  queue: Queue
  capabilities: () => Capability[]
  load: () => number
  breakers: () => BreakerRow[]
  slots: () => SlotsRow[]
  /** Ends what runs here and tells its requesters, until the signal aborts. */
  close: (signal: AbortSignal) => Promise<void>
}

/** Handlers of one capability that may run at once, unless its provider says otherwise. */
const MAX_CONCURRENT = 16
/** Contracts of one capability that may wait beside them, unless its provider says otherwise. */
const QUEUE = 4
/** Agents that are looked at for one task, of which the requester calls some. More would be looked for in all shards of a large domain. */
const MAX_CANDIDATES = 64
/** The load is told anew when it has changed by this much, */
const LOAD_STEP = 0.25
/** and no more often than this, in ms. */
const LOAD_PAUSE_MS = 1_000
/** Own addresses are looked up again after this, in ms. */
const ADDRESSES_MS = 1_000

export function hostAgent (parts: AgentParts): HostedAgent {
  const { key, name, net, log, content, directory, announcer, clock, logger } = parts
  const signer = createSigner({ root: key, peerId: net.peerId, clock })
  const author: Author = { agentId: signer.agentId, newId, now: clock.now }
  const ledger = createLedger({ chain: log.chain, signer, clock })
  const steady = createSteadyClock(clock, log.tasks({ agent: signer.agentId, ended: false }).reduce((newest, { updatedAt }) => Math.max(newest, updatedAt), 0))
  const dialogues = parts.dialogues.of(author)
  const guard = createGuard({ clock: steady, logger })
  const provisions = new Map<string, { capability: Capability, provision: Provision, bulkhead: Bulkhead }>()
  let toldLoad = 0
  let toldAt = 0
  let nudged = false

  const service = (capability: string, version?: number): Service | undefined => {
    const offered = provisions.get(capability)
    if (offered === undefined || (version !== undefined && version !== offered.capability.version)) return undefined
    const { provision, bulkhead } = offered
    return {
      capability,
      version: offered.capability.version,
      public: provision.public ?? false,
      maxConcurrent: provision.maxConcurrent ?? MAX_CONCURRENT,
      queue: provision.queue ?? QUEUE,
      counter: async (call, counter) => provision.onCounter === undefined ? answerOf(counter) : await provision.onCounter(call, counter),
      bid: async (call, load) => provision.bid === undefined ? defaultOffer(provision) : await provision.bid(call, load),
      refusal: (caller, holders) => guard.refusal(capability, provision.dependsOn) ?? bulkhead.refusal(caller, holders),
      run: async (input, context) => {
        tellLoad()
        try {
          const { signal } = context
          // The same object: what is left of its budget is read when it is asked for.
          const whole: HandlerContext = Object.assign(context, contentFor(signal), { guard: guard.outside(signal) })
          return (await guard.handle(capability, signal, () => runHandler(provision, input, whole))).output
        } finally {
          queueMicrotask(tellLoad)
        }
      }
    }
  }

  const load = (): number => {
    const capacity = [...provisions.values()].reduce((most, { provision: { maxConcurrent = MAX_CONCURRENT, queue = QUEUE } }) => Math.max(most, maxConcurrent + queue), 1)
    return Math.min(1, (provider.running() + provider.queued()) / capacity)
  }

  const local: LocalAgent = { author, signer, name, load, capabilities: () => [...provisions.values()].map(({ capability }) => capability) }

  function tellLoad (): void {
    const now = steady.now()
    if (Math.abs(load() - toldLoad) < LOAD_STEP || now - toldAt < LOAD_PAUSE_MS) return
    toldLoad = load()
    toldAt = now
    tell()
  }

  /** Once, in a word to its owner. */
  function nudge (): void {
    if (nudged || provisions.size <= MANY_CAPABILITIES) return
    nudged = true
    logger.warn(TOO_MANY_CAPABILITIES, { agent: name, capabilities: provisions.size })
  }

  function tell (): void {
    directory.advertise(local).catch(error => { logger.error('an advert could not be made', { agent: author.agentId, why: messageOf(error) }) })
  }

  const candidates = async (capability: string, { to, timeoutMs, spread }: { to?: string, timeoutMs: number, spread: string }): Promise<Candidate[]> => {
    const found = await directory.find(capability, { timeoutMs, limit: to === undefined ? MAX_CANDIDATES : 10_000, spread })
    return found
      .filter(({ agentId }) => to === undefined || agentId === to)
      .map(({ agentId, peerId, endpoints, load }) => ({ agentId, peer: peerId, addresses: endpoints, load }))
  }

  let known = { addresses: [] as string[], until: -Infinity }
  /** Asking the system for each of them is much work for what two messages of every task carry. */
  const addresses = (): string[] => {
    const now = steady.now()
    if (now >= known.until || now < known.until - ADDRESSES_MS) known = { addresses: net.addresses(), until: now + ADDRESSES_MS }
    return known.addresses
  }

  const requester: RequesterEnd = createRequesterEnd({
    author, signer, log, logger, candidates,
    clock: steady,
    wire: net.wire,
    addresses,
    announce: (envelope, to, { gossip, unreachable }) => {
      const domain = domainOf((envelope.task ?? '').split('.'))
      const called = to.filter(({ agentId }) => {
        const refused = guard.peerRefusal(agentId)
        if (refused !== undefined) unreachable(agentId, explain(refused))
        return refused === undefined
      })
      announcer.announce(envelope, called, {
        gossip: gossip && { topic: topicOf(domain), ...gossip },
        unreachable: (agentId, why) => {
          directory.unreachable(agentId)
          unreachable(agentId, why)
        }
      })
    },
    checkOutput: async (schema, output) => (await compileSchema(schema))(output),
    openReceipt: statement => openReceipt(statement, clock.now()),
    settle: ledger.settleAsRequester,
    rttMs: net.rttMs,
    regionOf: agentId => directory.get(agentId)?.region,
    ...guard.contracts
  })

  const provider: ProviderEnd = createProviderEnd({
    author, signer, log, logger, service, load,
    clock: steady,
    wire: net.wire,
    trusts: async (peer, addresses) => {
      if (!net.sameUser(peer) && net.speakers(peer).length === 0) await greet(peer, addresses)
      return net.sameUser(peer)
    },
    delegate,
    settle: ledger.settleAsProvider,
    countersigned: ledger.attachCountersignature
  })

  const requests: Requests = createRequests({
    author, logger,
    clock: steady,
    wire: net.wire,
    whereIs: directory.whereIs,
    locate: directory.locate,
    trusts: net.sameUser
  })

  /** Connects, so that the peer's hello tells who it is. */
  async function greet (peer: string, addresses: string[]): Promise<void> {
    await net.wire.request(peer, compose('ping', {}, author, { correlationId: newId() }), { addresses })
  }

  /** Content in a handler: its transfers end with the task. */
  function contentFor (signal: AbortSignal): Pick<Agent, 'send' | 'receive'> {
    const within = <T extends { signal?: AbortSignal }>(options: T | undefined): T =>
      ({ ...options, signal: options?.signal === undefined ? signal : AbortSignal.any([options.signal, signal]) }) as T
    return {
      send: (source, options) => content.send(source, within(options)),
      receive: ((ref, options) => content.receive(ref, within(options))) as Agent['receive']
    }
  }

  function delegate (...[capability, input, options, ...within]: Parameters<Delegate>): Work {
    parseCapability(capability)
    const { hedge: hedged, ...rest } = options
    const start = (attempt: DelegateOptions): Work => requester.delegate(capability, input, attempt, ...within)
    return hedged === undefined ? start(rest) : hedge({ clock: steady, start, feed: createFeed() }, hedged, rest)
  }

  const queue: Queue = createQueue({
    author, log, logger,
    clock: steady,
    wall: clock,
    delegate: (capability, input, options, attempt) => requester.delegate(capability, input, options, { depth: 0, visited: [author.agentId], traceparent: nextTraceparent() }, { attempt }),
    attach: requester.attach,
    cancel: requester.cancel,
    isOffered: async (capability, options) => (await candidates(capability, { ...options, spread: '' })).length > 0
  })

  const agent: Agent = {
    id: signer.agentId,
    name,
    node: parts.node,
    provide: async (text, definition) => {
      const { name: capabilityName, version = 1 } = parseCapability(text)
      if (provisions.has(capabilityName)) throw new A2aError({ code: 'BAD_USAGE', why: `${capabilityName} is offered already` })
      const provision = definition as Provision
      await compileProvision(provision)
      const { description, input, output, mediaTypes, priceHint } = provision
      provisions.set(capabilityName, { capability: { name: capabilityName, version, description, input, output, mediaTypes, priceHint, public: provision.public }, provision, bulkhead: createBulkhead(roomOf(provision), clock) })
      nudge()
      try {
        await directory.advertise(local)
      } catch (error) {
        provisions.delete(capabilityName)
        throw error
      }
      return {
        capability: capabilityName,
        [Symbol.asyncDispose]: async () => {
          provisions.delete(capabilityName)
          await directory.advertise(local)
        }
      }
    },
    watch: directory.watch,
    delegate: (capability, input, options = {}) => delegate(capability, input, options, { depth: 0, visited: [author.agentId], traceparent: nextTraceparent(options.traceparent) }),
    attach: (taskId, { after = 0, signal } = {}) => {
      if (!Number.isSafeInteger(after) || after < 0) throw new A2aError({ code: 'BAD_USAGE', why: `${after} is no number of an event`, hint: 'give the `seq` of the last one that you know' })
      const events = queue.attach(taskId, { after, signal }) ?? requester.attach(taskId, { after, signal })
      if (events === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
      return events
    },
    enqueue: queue.enqueue,
    dead: queue.dead,
    onRequest: (requestName, handler, options) => ({ [Symbol.dispose]: requests.onRequest(requestName, handler, options) }),
    request: requests.request as Agent['request'],
    tell: requests.tell,
    onDialogue: dialogues.onDialogue,
    dialogue: dialogues.dialogue,
    send: content.send,
    receive: content.receive,
    metrics: () => log.metrics(signer.agentId),
    costs: limit => log.costs(signer.agentId, limit),
    interactions: limit => log.interactions(signer.agentId, limit),
    [Symbol.asyncDispose]: () => parts.node[Symbol.asyncDispose]()
  }

  tell()
  return {
    agent, author, signer, requester, provider, requests, queue, load,
    keyFile: parts.keyFile,
    capabilities: local.capabilities,
    breakers: guard.breakers,
    slots: () => [...provisions].map(([capability, { provision }]) => {
      const holders = provider.holders(capability)
      return { capability, taken: holders.length, limit: roomOf(provision), callers: new Set(holders).size }
    }),
    close: async signal => {
      requests.close()
      await Promise.all([provider.close(signal), dialogues.close(signal)])
      queue.close()
      await requester.close(signal)
      signer.close()
    }
  }
}

/** Contracts at a time, those that wait among them. */
const roomOf = ({ maxConcurrent = MAX_CONCURRENT, queue = QUEUE }: Provision): number => maxConcurrent + queue

const defaultOffer = ({ priceHint = 0 }: Provision): Offer => ({ cost: priceHint, confidence: 0.5 })
