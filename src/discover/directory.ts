/**
 * Who can do what, and telling others what we can. Three ways lead to an agent's own signed advert, which alone is
 * believed: it comes by gossip of its domain, straight from its node when two meet, or a peer or the DHT hints at it.
 */
import { composeAdvert, parseAdvert, ADVERT_TTL_S, HEARTBEAT_MS } from './advert.ts'
import { createIndex, toFound, type Entry } from './agent-index.ts'
import { domainOf, parsePattern, prefixesOf, type Capability } from '../core/capability.ts'
import { within } from '../core/deadline.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { leastLoaded } from '../core/ranking.ts'
import { verifyEnvelope } from '../identity/verify.ts'
import { compose, composeReply, payloadOf, type Author } from '../wire/compose.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import { parsePayload } from '../wire/messages.ts'
import type { FindOptions, FoundAgent } from '../core/agent.ts'
import type { Clock, Logger, Signer } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

/** An agent of this node, as it is to be advertised. */
export interface LocalAgent {
  author: Author
  signer: Signer
  name: string
  capabilities: () => Capability[]
  load: () => number
}

export interface DirectoryParts {
  net: Net
  clock: Clock
  logger: Logger
  protocols: string[]
  region?: string
}

export interface Directory {
  /** Tells the mesh of an agent, now and by heartbeat. Call it again when its capabilities have changed. Resolves when those connected have been told, or soon after. Rejects with MESSAGE_TOO_LARGE when it offers more than an advert holds. */
  advertise: (agent: LocalAgent) => Promise<void>
  /** Agents whose capabilities match, the least loaded first; among equals `spread` draws lots where there are more than `limit`. Looks around when none is known. */
  find: (pattern: string, options?: FindOptions & { spread?: string }) => Promise<FoundAgent[]>
  get: (agentId: string) => Entry | undefined
  /** Where an agent is, as far as is known here. */
  whereIs: (agentId: string) => { peer: string, addresses: string[] } | undefined
  /** The same, and asks the peers when it is not known. @throws A2aError PEER_UNREACHABLE */
  locate: (agentId: string, options?: { signal?: AbortSignal, timeoutMs?: number }) => Promise<{ peer: string, addresses: string[] }>
  /** Nothing answers at its addresses: forget it until it says something new. */
  unreachable: (agentId: string) => void
  unreachablePeer: (peerId: string) => void
  /** Everybody known. */
  size: () => number
  /** The peers found at the start have told what they know. */
  joined: (timeoutMs: number) => Promise<void>
  /** Withdraws all adverts. */
  close: () => Promise<void>
}

/** The gossip topic that a capability's domain is talked about in. */
export const topicOf = (domain: string): string => `/a2a-node/1/domain/${domain}`

/** Adverts that one peer is asked for when it is met. */
const PULL_LIMIT = 256
/** Peers asked when an index knows nobody. */
const ASK_PEERS = 16
const ASK_TIMEOUT_MS = 500
/** Providers from the DHT that are asked for their adverts, for one look-up. */
const DHT_HINTS = 8
/** A domain is listened to this long after somebody here was interested in it. */
const INTEREST_MS = 600_000
/** A prefix is swept over all peers at most this often. */
const SWEEP_MS = 2_000
const PROVIDE_TIMEOUT_MS = 20_000
/** A change waits this long for those connected to have taken it, in ms. */
const TOLD_MS = 250
/** How long an agent that nobody knows is looked for at most, in ms. */
const LOCATE_MS = 5_000
/** Farewells may take this long at shutdown, in ms. */
const FAREWELL_MS = 500

export function createDirectory ({ net, clock, logger, protocols, region }: DirectoryParts): Directory {
  const { wire } = net
  const index = createIndex(clock)
  const locals = new Map<string, LocalAgent>()
  const interests = new Map<string, number>()
  const swept = new Map<string, number>()
  const pulls = new Set<Promise<void>>()
  const pending = new Map<string, Promise<void>>()
  const provided = new Map<string, number>()
  let stopTimer = (): void => {}
  let closed = false

  net.handle('advert', (envelope, { peer }) => {
    learn(envelope, peer, net.speakers(peer).length > 0 ? 'direct' : 'gossip')
    return undefined
  })
  net.handle('advert.query', envelope => {
    const { pattern = '*', agent_id: agentId, limit } = payloadOf(envelope, 'advert.query')
    const author = anyAuthor()
    if (author === undefined) return undefined
    const known = agentId === undefined ? index.match(parsePattern(pattern)) : [index.get(agentId)].filter(entry => entry !== undefined)
    const adverts = fit(known, limit)
    return composeReply(envelope, 'advert.list', { adverts }, author)
  })
  const stopListening = net.onPeer(({ type, peer }) => { if (type === 'opened') meet(peer) })
  heartbeat()

  function learn (envelope: Parameters<typeof parseAdvert>[0], speakerPeer: string, source: FoundAgent['source']): void {
    const advert = parseAdvert(envelope, speakerPeer)
    if (locals.has(advert.agentId) && source !== 'local') return
    index.put(advert, source)
  }

  /** Tell whoever we meet who we are, and ask what it knows: nobody depends on a grown mesh. */
  function meet (peer: string): void {
    for (const agent of locals.values()) send(peer, advertOf(agent))
    const pull = ask(peer, { limit: PULL_LIMIT }, 'peer').catch(error => { logger.debug('a new peer told nothing', { peer, why: messageOf(error) }) })
    pulls.add(pull)
    void pull.finally(() => { pulls.delete(pull) })
  }

  async function ask (peer: string, query: { pattern?: string, agent_id?: string, limit: number }, source: FoundAgent['source'], addresses?: string[], signal?: AbortSignal): Promise<void> {
    const author = anyAuthor()
    if (author === undefined) return
    const reply = await wire.request(peer, compose('advert.query', query, author, { correlationId: author.newId() }), { timeoutMs: 2_000, addresses, signal })
    if (reply.type !== 'advert.list') return
    for (const text of payloadOf(reply, 'advert.list').adverts) {
      try {
        accept(Buffer.from(text, 'base64url'), source, peer)
      } catch (error) {
        logger.debug('a peer passed on an advert that does not hold', { peer, why: messageOf(error) })
      }
    }
  }

  /** An advert that came through other hands. The expensive check is only for what is news. */
  function accept (bytes: Uint8Array, source: FoundAgent['source'], teller: string): void {
    const raw = decodeEnvelope(bytes)
    const envelope = { ...raw, payload: parsePayload('advert', raw.payload) }
    if (raw.type !== 'advert' || locals.has(raw.from) || envelope.payload.sequence <= index.sequenceOf(raw.from)) return
    // Its lifetime began when it was made: hearsay does not renew it.
    const age = Math.max(0, clock.now() - raw.timestamp)
    const { peerId } = verifyEnvelope(raw, clock.now())
    const advert = parseAdvert(envelope, peerId)
    if (advert.ttlMs - age > 0) index.put({ ...advert, ttlMs: advert.ttlMs - age }, source, teller)
  }

  function advertOf (agent: LocalAgent, ttl = ADVERT_TTL_S): ReturnType<typeof composeAdvert> {
    const sequence = Math.max(clock.now(), index.sequenceOf(agent.author.agentId) + 1)
    const envelope = composeAdvert({ name: agent.name, capabilities: agent.capabilities(), load: agent.load(), region, peerId: wire.peerId, endpoints: net.addresses(), protocols, sequence, ttl }, agent.author, agent.signer)
    learn(envelope, wire.peerId, 'local')
    return envelope
  }

  function send (peer: string, envelope: ReturnType<typeof composeAdvert>): void {
    wire.send(peer, envelope).catch(error => { logger.debug('a peer was not told of an advert', { peer, why: messageOf(error) }) })
  }

  /** To all peers and all domains at once; several changes of one turn are one advert. */
  function advertise (agent: LocalAgent): Promise<void> {
    const { agentId } = agent.author
    locals.set(agentId, agent)
    const told = pending.get(agentId) ?? Promise.resolve().then(async () => {
      pending.delete(agentId)
      if (!closed) await atMost(TOLD_MS, Promise.all(spread(agent, advertOf(agent))))
    })
    pending.set(agentId, told)
    return told
  }

  function spread (agent: LocalAgent, envelope: ReturnType<typeof composeAdvert>): Promise<void>[] {
    const domains = new Set(agent.capabilities().map(({ name }) => domainOf(name.split('.'))))
    const sent = net.peers().map(({ peerId }) => wire.send(peerId, envelope))
    const published = [...domains].map(domain => {
      net.gossip.join(topicOf(domain))
      return net.gossip.publish(topicOf(domain), envelope)
    })
    const all = [...sent, ...published].map(done => done.catch(error => { logger.debug('an advert did not get everywhere', { why: messageOf(error) }) }))
    provide(agent)
    return all
  }

  /** An advert that cannot be made, for its schemas are too large to send, is no reason for a process to end. */
  function renew (agent: LocalAgent, ttl?: number): Array<Promise<void>> {
    try {
      return spread(agent, advertOf(agent, ttl))
    } catch (error) {
      logger.error('an agent cannot be advertised: its capabilities are too large', { agent: agent.name, why: messageOf(error) })
      return []
    }
  }

  /** Provider records, again whenever the network has grown: the first ones of a young network reach nobody. */
  function provide (agent: LocalAgent): void {
    const { peers } = net.dht.status()
    if (peers === 0) return
    const keys = new Set(agent.capabilities().flatMap(({ name }) => prefixesOf(name)))
    for (const key of keys) {
      if (provided.get(key) === peers) continue
      provided.set(key, peers)
      net.dht.provide(dhtKey(key), within(PROVIDE_TIMEOUT_MS)).catch(error => {
        provided.delete(key)
        logger.debug('a provider record was not put', { key, why: messageOf(error) })
      })
    }
  }

  /** One agent at a time, each of them every 30 s, spread at random: neither a node's agents nor nodes that started together speak together. */
  function heartbeat (): void {
    stopTimer = clock.after(HEARTBEAT_MS / Math.max(1, locals.size) * (0.8 + Math.random() * 0.4), () => {
      const [next] = locals.values()
      if (next !== undefined) {
        locals.delete(next.author.agentId)
        locals.set(next.author.agentId, next)
        renew(next)
      }
      loseInterest()
      heartbeat()
    })
  }

  /** Domains that nobody here offers or has asked for lately are not listened to any more. */
  function loseInterest (): void {
    for (const [domain, until] of interests) {
      if (until > clock.now()) continue
      interests.delete(domain)
      if (![...locals.values()].some(agent => agent.capabilities().some(({ name }) => domainOf(name.split('.')) === domain))) net.gossip.leave(topicOf(domain))
    }
  }

  function listenTo (domain: string): void {
    if (domain === '') return
    interests.set(domain, clock.now() + INTEREST_MS)
    net.gossip.join(topicOf(domain))
  }

  async function find (pattern: string, { limit = 64, timeoutMs = 2_000, signal, spread }: FindOptions & { spread?: string } = {}): Promise<FoundAgent[]> {
    const wanted = parsePattern(pattern)
    listenTo(domainOf(wanted.labels))
    const until = within(timeoutMs, signal)
    await joined(timeoutMs)
    const now = clock.now()
    if (wanted.prefix && now - (swept.get(pattern) ?? 0) > SWEEP_MS) {
      swept.set(pattern, now)
      if (swept.size > 1_000) swept.clear()
      await sweep(pattern, AbortSignal.any([until, within(ASK_TIMEOUT_MS)]))
    }
    if (index.match(wanted).length === 0) await look(pattern, until)
    return leastLoaded(index.match(wanted), limit, spread)
      .map(entry => toFound(entry, pattern, clock.now()))
  }

  async function sweep (pattern: string, signal: AbortSignal): Promise<void> {
    const peers = net.peers().slice(0, ASK_PEERS)
    await Promise.allSettled(peers.map(({ peerId }) => ask(peerId, { pattern, limit: PULL_LIMIT }, 'peer', undefined, signal)))
  }

  function whereIs (agentId: string): { peer: string, addresses: string[] } | undefined {
    if (locals.has(agentId)) return { peer: wire.peerId, addresses: [] }
    const entry = index.get(agentId)
    return entry === undefined ? undefined : { peer: entry.peerId, addresses: entry.endpoints }
  }

  async function locate (agentId: string, { signal, timeoutMs = 2_000 }: { signal?: AbortSignal, timeoutMs?: number } = {}): Promise<{ peer: string, addresses: string[] }> {
    const known = whereIs(agentId)
    if (known !== undefined) return known
    const waitMs = Math.min(timeoutMs, LOCATE_MS)
    const until = within(waitMs, signal)
    await joined(waitMs)
    if (index.get(agentId) === undefined) {
      for (const { peerId } of net.peers().slice(0, ASK_PEERS)) {
        ask(peerId, { agent_id: agentId, limit: 1 }, 'peer', undefined, until).catch(error => { logger.debug('a peer could not be asked for an agent', { peer: peerId, why: messageOf(error) }) })
      }
      // It may be about to start, or a peer that knows it may be on its way here.
      await new Promise<void>(resolve => {
        const stop = index.onChange(changed => { if (changed === agentId) end() })
        const end = (): void => {
          stop()
          until.removeEventListener('abort', end)
          resolve()
        }
        until.addEventListener('abort', end, { once: true })
        if (until.aborted || index.get(agentId) !== undefined) end()
      })
    }
    signal?.throwIfAborted()
    const found = whereIs(agentId)
    if (found === undefined) throw new A2aError({ code: 'PEER_UNREACHABLE', peer: agentId, why: 'nobody here knows where this agent is' })
    return found
  }

  /** Nobody is known: ask the peers and the DHT, and wait for whichever brings somebody first. */
  async function look (pattern: string, until: AbortSignal): Promise<void> {
    const wanted = parsePattern(pattern)
    const found = new AbortController()
    const end = AbortSignal.any([until, found.signal])
    const stop = index.onChange(() => { if (index.match(wanted).length > 0) found.abort() })
    const ended = new Promise<void>(resolve => { end.addEventListener('abort', () => { resolve() }, { once: true }) })
    try {
      void sweep(pattern, end)
      void askDht(pattern, end)
      if (!end.aborted) await ended
    } finally {
      stop()
      found.abort()
    }
  }

  async function askDht (pattern: string, signal: AbortSignal): Promise<void> {
    const prefix = parsePattern(pattern).labels.join('.')
    if (prefix === '') return
    let hints = 0
    try {
      for await (const { peer, addresses } of net.dht.providers(dhtKey(prefix), signal)) {
        if (peer === wire.peerId) continue
        ask(peer, { pattern, limit: PULL_LIMIT }, 'dht', addresses, signal).catch(error => { logger.debug('a provider of the DHT told nothing', { peer, why: messageOf(error) }) })
        if (++hints === DHT_HINTS) return
      }
    } catch (error) {
      if (!signal.aborted) logger.debug('the DHT was not of help', { pattern, why: messageOf(error) })
    }
  }

  async function joined (timeoutMs: number): Promise<void> {
    const end = clock.now() + timeoutMs
    await net.joined(timeoutMs)
    // Whoever says hello and then nothing must not hold up every search.
    await atMost(Math.min(ASK_TIMEOUT_MS, Math.max(0, end - clock.now())), Promise.all(pulls))
  }

  /** Waits for it no longer than `ms`. */
  async function atMost (ms: number, done: Promise<unknown>): Promise<void> {
    const late = Promise.withResolvers<void>()
    const cancel = clock.after(ms, late.resolve)
    await Promise.race([done, late.promise]).finally(cancel)
  }

  function anyAuthor (): Author | undefined {
    return locals.values().next().value?.author
  }

  return {
    advertise,
    find,
    get: index.get,
    whereIs,
    locate,
    unreachable: index.drop,
    unreachablePeer: index.dropPeer,
    size: index.size,
    joined,
    close: async () => {
      closed = true
      stopTimer()
      stopListening()
      await atMost(FAREWELL_MS, Promise.all([...locals.values()].flatMap(agent => renew(agent, 0))))
    }
  }
}

/** As many adverts as one message may carry. */
function fit (entries: Entry[], limit: number): string[] {
  const adverts: string[] = []
  let room = LIST_ROOM
  for (const { bytes } of entries.slice(0, limit)) {
    const text = Buffer.from(bytes).toString('base64url')
    room -= text.length + 3
    if (room < 0) break
    adverts.push(text)
  }
  return adverts
}

/** Room for adverts in an `advert.list`, in characters. */
const LIST_ROOM = 1_000_000

const dhtKey = (prefix: string): Uint8Array => new TextEncoder().encode(`a2a-node/capability/${prefix}`)
