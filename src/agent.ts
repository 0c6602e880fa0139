/** Wires one agent together: its key, what it offers, and the two ends of its tasks. */
import type { KeyObject } from 'node:crypto'
import { createRequests, type Requests } from './converse/requests.ts'
import { domainOf, parseCapability } from './core/capability.ts'
import { createSteadyClock } from './core/clock.ts'
import { A2aError, messageOf } from './core/errors.ts'
import { topicOf, type Directory, type LocalAgent } from './discover/directory.ts'
import { compileProvision, runHandler } from './execute/runner.ts'
import { compileSchema } from './execute/schema.ts'
import { createSigner, type RotatingSigner } from './identity/signer.ts'
import { createProviderEnd, type ProviderEnd, type Service } from './negotiate/provider.ts'
import { createRequesterEnd, type Lineage, type RequesterEnd } from './negotiate/requester.ts'
import { createLedger } from './settle/ledger.ts'
import { openReceipt } from './settle/receipt.ts'
import { compose, type Author } from './wire/compose.ts'
import { newId } from './wire/id.ts'
import type { Announcer } from './announce/announcer.ts'
import type { Dialogues } from './converse/dialogues.ts'
import type { Candidate } from './negotiate/calls.ts'
import type { Agent, DelegateOptions, Node, Offer, Provision } from './core/agent.ts'
import type { Capability } from './core/capability.ts'
import type { Clock, EventLog, Logger } from './core/ports.ts'
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
  capabilities: () => Capability[]
  load: () => number
  /** Ends what runs here and tells its requesters, until the signal aborts. */
  close: (signal: AbortSignal) => Promise<void>
}

/** Handlers of one capability that may run at once, unless its provider says otherwise. */
const MAX_CONCURRENT = 16
/** Agents that are called directly for one task; the others hear of it by gossip. */
const MAX_ADDRESSEES = 32
/** The load is told anew when it has changed by this much, */
const LOAD_STEP = 0.25
/** and no more often than this, in ms. */
const LOAD_PAUSE_MS = 1_000
/** Own addresses are looked up again after this, in ms. */
const ADDRESSES_MS = 1_000
/** What a delegation leaves its own caller of the deadline, in ms. */
const MARGIN_MS = 50

export function hostAgent (parts: AgentParts): HostedAgent {
  const { key, name, net, log, content, directory, announcer, clock, logger } = parts
  const signer = createSigner({ root: key, peerId: net.peerId, clock })
  const author: Author = { agentId: signer.agentId, newId, now: clock.now }
  const ledger = createLedger({ chain: log.chain, signer, clock })
  const steady = createSteadyClock(clock, log.tasks({ agent: signer.agentId, ended: false }).reduce((newest, { updatedAt }) => Math.max(newest, updatedAt), 0))
  const dialogues = parts.dialogues.of(author)
  const provisions = new Map<string, { capability: Capability, provision: Provision }>()
  let toldLoad = 0
  let toldAt = 0

  const service = (capability: string, version?: number): Service | undefined => {
    const offered = provisions.get(capability)
    if (offered === undefined || (version !== undefined && version !== offered.capability.version)) return undefined
    const { provision } = offered
    return {
      capability,
      version: offered.capability.version,
      public: provision.public ?? false,
      maxConcurrent: provision.maxConcurrent ?? MAX_CONCURRENT,
      bid: async (call, load) => provision.bid === undefined ? defaultOffer(provision) : await provision.bid(call, load),
      run: async (input, context) => {
        tellLoad()
        try {
          return (await runHandler(provision, input, { ...context, ...contentFor(context.signal) })).output
        } finally {
          queueMicrotask(tellLoad)
        }
      }
    }
  }

  const load = (): number => {
    const capacity = [...provisions.values()].reduce((most, { provision }) => Math.max(most, provision.maxConcurrent ?? MAX_CONCURRENT), 1)
    return Math.min(1, provider.running() / capacity)
  }

  const local: LocalAgent = { author, signer, name, load, capabilities: () => [...provisions.values()].map(({ capability }) => capability) }

  function tellLoad (): void {
    const now = steady.now()
    if (Math.abs(load() - toldLoad) < LOAD_STEP || now - toldAt < LOAD_PAUSE_MS) return
    toldLoad = load()
    toldAt = now
    tell()
  }

  function tell (): void {
    directory.advertise(local).catch(error => { logger.error('an advert could not be made', { agent: author.agentId, why: messageOf(error) }) })
  }

  const candidates = async (capability: string, { to, timeoutMs, spread }: { to?: string, timeoutMs: number, spread: string }): Promise<Candidate[]> => {
    const found = await directory.find(capability, { timeoutMs, limit: to === undefined ? MAX_ADDRESSEES : 10_000, spread })
    return found
      .filter(({ agentId }) => to === undefined || agentId === to)
      .map(({ agentId, peerId, endpoints }) => ({ agentId, peer: peerId, addresses: endpoints }))
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
      announcer.announce(envelope, to, {
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
    rttMs: net.rttMs
  })

  const provider: ProviderEnd = createProviderEnd({
    author, signer, log, logger, service, load,
    clock: steady,
    wire: net.wire,
    trusts: async (peer, addresses) => {
      if (!net.sameUser(peer) && net.speakers(peer).length === 0) await greet(peer, addresses)
      return net.sameUser(peer)
    },
    delegate: ({ taskId, depth, visited, remainingMs, budget, signal }) => (capability, input, options = {}) =>
      delegate(capability, input, {
        ...options,
        maxDurationMs: Math.max(1, Math.min(options.maxDurationMs ?? Infinity, remainingMs() - MARGIN_MS)),
        maxCostTokens: least(options.maxCostTokens, budget),
        signal: options.signal === undefined ? signal : AbortSignal.any([options.signal, signal])
      }, { depth, visited, parentTaskId: taskId }),
    settle: ledger.settleAsProvider,
    countersigned: ledger.attachCountersignature
  })

  const requests: Requests = createRequests({
    author, clock, logger,
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

  function delegate (capability: string, input: unknown, options: DelegateOptions, lineage: Lineage): ReturnType<RequesterEnd['delegate']> {
    parseCapability(capability)
    return requester.delegate(capability, input, options, lineage)
  }

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
      provisions.set(capabilityName, { capability: { name: capabilityName, version, description, input, output, mediaTypes, priceHint, public: provision.public }, provision })
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
    delegate: (capability, input, options = {}) => delegate(capability, input, options, { depth: 0, visited: [] }),
    onRequest: (requestName, handler, options) => ({ [Symbol.dispose]: requests.onRequest(requestName, handler, options) }),
    request: requests.request as Agent['request'],
    tell: requests.tell,
    onDialogue: dialogues.onDialogue,
    dialogue: dialogues.dialogue,
    send: content.send,
    receive: content.receive,
    metrics: () => log.metrics(signer.agentId),
    interactions: limit => log.interactions(signer.agentId, limit),
    [Symbol.asyncDispose]: () => parts.node[Symbol.asyncDispose]()
  }

  tell()
  return {
    agent, author, signer, requester, provider, requests, load,
    keyFile: parts.keyFile,
    capabilities: local.capabilities,
    close: async signal => {
      requests.close()
      await Promise.all([provider.close(signal), dialogues.close(signal)])
      requester.close()
      signer.close()
    }
  }
}

const defaultOffer = ({ priceHint = 0 }: Provision): Offer => ({ cost: priceHint, confidence: 0.5 })

const least = (...amounts: Array<number | undefined>): number | undefined => {
  const given = amounts.filter(amount => amount !== undefined)
  return given.length === 0 ? undefined : Math.min(...given)
}
