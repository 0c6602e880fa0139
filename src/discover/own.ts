/** The agents of this node: their adverts, made, told to everybody by heartbeat and on change, and taken back at the end. */
import { atMost } from './at-most.ts'
import { composeAdvert, ADVERT_TTL_S, HEARTBEAT_MS } from './advert.ts'
import { domainsOf, topicOf } from './interests.ts'
import { messageOf } from '../core/errors.ts'
import type { Hints } from './hints.ts'
import type { Keeping } from './keeping.ts'
import type { Sequences } from './sequences.ts'
import type { Capability } from '../core/capability.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Logger, Signer } from '../core/ports.ts'
import type { Net } from '../net/net.ts'
import { compose, type Author } from '../wire/compose.ts'

/** An agent of this node, as it is to be advertised. */
export interface LocalAgent {
  author: Author
  signer: Signer
  name: string
  capabilities: () => Capability[]
  load: () => number
}

export interface OwnAgents {
  /** Tells the mesh of an agent, now and by heartbeat. Several changes of one turn are one advert. */
  advertise: (agent: LocalAgent) => Promise<void>
  has: (agentId: string) => boolean
  domains: () => Set<string>
  /** In whose name this node asks. */
  anyAuthor: () => Author | undefined
  /** Tells one peer of all agents here. */
  tell: (peer: string) => void
  /** Somebody knows a higher number of an agent than was used here: the next is above it, and is told. */
  overtake: (agentId: string, sequence: number) => void
  /** Withdraws all adverts. */
  close: () => Promise<void>
}

export interface OwnParts {
  net: Net
  clock: Clock
  logger: Logger
  protocols: string[]
  region?: string
  sequences: Sequences
  hints: Hints
  keeping: Pick<Keeping, 'isLarge' | 'tell'>
  /** Each advert that was made. */
  onMade: (envelope: Envelope) => void
}

/** A change waits this long for those connected to have read it, in ms. */
const TOLD_MS = 250
/** In a large mesh, of so many heartbeats one is told to those who keep the advert in second place, and one is gossiped: both hold it for ten. */
const TO_SECONDS = 4
const GOSSIPED = 8
/** Farewells may take this long at shutdown, in ms. */
const FAREWELL_MS = 500

export function createOwnAgents ({ net, clock, logger, protocols, region, sequences, hints, keeping, onMade }: OwnParts): OwnAgents {
  const { wire } = net
  const agents = new Map<string, LocalAgent>()
  const current = new Map<string, Envelope>()
  const pending = new Map<string, Promise<void>>()
  /** Heartbeats of an agent, from a number by lot on. */
  const beats = new Map<string, number>()
  let stopTimer = (): void => {}
  let closed = false
  heartbeat()

  /** Nothing after the farewell: it would bring the agent back. */
  async function advertOf (agent: LocalAgent, ttl = ADVERT_TTL_S): Promise<Envelope | undefined> {
    const { agentId } = agent.author
    await sequences.ready(agentId)
    if (closed && ttl > 0) return undefined
    const facts = { name: agent.name, capabilities: agent.capabilities(), load: agent.load(), region, peerId: wire.peerId, endpoints: net.addresses(), protocols, sequence: sequences.next(agentId), ttl }
    const envelope = composeAdvert(facts, agent.author, agent.signer)
    current.set(agentId, envelope)
    onMade(envelope)
    return envelope
  }

  function advertise (agent: LocalAgent): Promise<void> {
    const { agentId } = agent.author
    agents.set(agentId, agent)
    const told = pending.get(agentId) ?? Promise.resolve().then(async () => {
      pending.delete(agentId)
      await atMost(clock, TOLD_MS, Promise.all(spread(agent, await advertOf(agent))))
    })
    pending.set(agentId, told)
    return told
  }

  /** To all peers, or to its keepers among those near where there are too many, and all domains at once. */
  function spread (agent: LocalAgent, envelope: Envelope | undefined, isNews = true): Array<Promise<void>> {
    if (envelope === undefined) return []
    const isLarge = keeping.isLarge()
    const sent = net.connected().filter(peer => !isLarge || !net.dht.isNear(peer)).map(peer => isNews ? tellNews(agent, peer, envelope) : wire.send(peer, envelope))
    // The first keepers hear every heartbeat; the others often enough for it not to run out. Those that started together do not speak together.
    const beat = isNews ? Math.floor(Math.random() * GOSSIPED) : (beats.get(agent.author.agentId) ?? 0) + 1
    beats.set(agent.author.agentId, beat)
    sent.push(keeping.tell(agent.capabilities(), envelope, isNews || beat % TO_SECONDS === 0))
    const isTold = isNews || beat % GOSSIPED === 0 || !isLarge
    const published = [...domainsOf(agent.capabilities())].map(domain => {
      net.gossip.join(topicOf(domain))
      return isTold ? net.gossip.publish(topicOf(domain), envelope) : Promise.resolve()
    })
    hints.provide(agent.capabilities())
    hints.retain([...agents.values()].flatMap(({ capabilities }) => capabilities()))
    return [...sent, ...published].map(done => done.catch(error => { logger.debug('an advert did not get everywhere', { why: messageOf(error) }) }))
  }

  /** Its channel is read in order: who has answered a ping has read the advert before it. */
  async function tellNews ({ author }: LocalAgent, peer: string, envelope: Envelope): Promise<void> {
    await wire.send(peer, envelope)
    if (!closed) await wire.request(peer, compose('ping', {}, author, { correlationId: author.newId() }), { timeoutMs: TOLD_MS })
  }

  /** An advert that cannot be made, for its schemas are too large to send, is no reason for a process to end. */
  async function renew (agent: LocalAgent, ttl?: number, isNews = false): Promise<void> {
    try {
      await Promise.all(spread(agent, await advertOf(agent, ttl), isNews))
    } catch (error) {
      logger.error('an agent cannot be advertised: its capabilities are too large', { agent: agent.name, why: messageOf(error) })
    }
  }

  /** One agent at a time, each of them every 30 s, spread at random: neither a node's agents nor nodes that started together speak together. */
  function heartbeat (): void {
    stopTimer = clock.after(HEARTBEAT_MS / Math.max(1, agents.size) * (0.8 + Math.random() * 0.4), () => {
      const [next] = agents.values()
      if (next !== undefined) {
        agents.delete(next.author.agentId)
        agents.set(next.author.agentId, next)
        void renew(next)
      }
      heartbeat()
    })
  }

  return {
    advertise,
    has: agentId => agents.has(agentId),
    domains: () => new Set([...agents.values()].flatMap(agent => [...domainsOf(agent.capabilities())])),
    anyAuthor: () => agents.values().next().value?.author,
    tell (peer) {
      for (const envelope of current.values()) wire.send(peer, envelope).catch(error => { logger.debug('a peer was not told of an advert', { peer, why: messageOf(error) }) })
    },
    overtake (agentId, sequence) {
      const agent = agents.get(agentId)
      if (agent === undefined || closed) return
      sequences.raise(agentId, sequence)
      advertise(agent).catch(error => { logger.debug('an agent could not be advertised anew', { agentId, why: messageOf(error) }) })
    },
    close: async () => {
      closed = true
      stopTimer()
      await atMost(clock, FAREWELL_MS, Promise.all([...agents.values()].map(agent => renew(agent, 0, true))))
      await sequences.close()
    }
  }
}
