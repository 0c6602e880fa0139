/** Finding: the index first; when it knows nobody, the peers and the DHT, and whichever brings somebody first. */
import { ASK_MS, ASK_PEERS } from './limits.ts'
import { toFound, type Entry, type Index } from './agent-index.ts'
import { chooser, isMeant, ranked, type CompileSchema } from './choose.ts'
import { atMost } from './at-most.ts'
import { domainOf, parsePattern, type CapabilityPattern } from '../core/capability.ts'
import { within } from '../core/deadline.ts'
import { leastLoaded } from '../core/ranking.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import type { AskOptions, Told } from './ask.ts'
import type { ReconcileOptions } from './reconcile.ts'
import type { Hints } from './hints.ts'
import type { Keeping } from './keeping.ts'
import type { Interests } from './interests.ts'
import type { AgentFilter, FindOptions, FoundAgent } from '../core/found.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

export interface Whereabouts { peer: string, addresses: string[] }

export interface Search {
  /** With `spread`, for a task: the least loaded first, and where there are more than `limit`, equals by lots that it draws. */
  find: (pattern: string, options?: FindOptions & { spread?: string }) => Promise<FoundAgent[]>
  whereIs: (agentId: string) => Whereabouts | undefined
  /** @throws A2aError PEER_UNREACHABLE */
  locate: (agentId: string, options?: { signal?: AbortSignal, timeoutMs?: number }) => Promise<Whereabouts>
}

export interface SearchParts {
  net: Net
  clock: Clock
  logger: Logger
  index: Index
  interests: Interests
  hints: Hints
  isOwn: (agentId: string) => boolean
  ask: (peer: string, options: AskOptions) => Promise<Told>
  keeping: Keeping
  /** How long a search took, and whether somebody had to be asked. */
  onFound: (ms: number, cold: boolean) => void
  compileSchema: CompileSchema
  /** Where this node is. */
  region?: string
  reconcile: (peer: string, options: ReconcileOptions) => Promise<unknown>
  joined: (timeoutMs: number) => Promise<void>
  /** What an earlier run knew of it is in the index. */
  settle: (pattern: CapabilityPattern) => Promise<void>
}

interface Choice {
  text: string
  pattern: CapabilityPattern
  matching: Entry[]
  filter: AgentFilter
  limit: number
  spread?: string
}

/** Providers from the DHT that are asked at once for their adverts, then another each so many ms, and at most, for one look-up. */
const DHT_HINTS = 8
const DHT_PACE_MS = 10
const DHT_HINTS_MOST = 128
/** A prefix is swept over the peers at most this often, in ms, */
const SWEEP_MS = 2_000
/** and when its domain is listened to, and somebody is known: there gossip tells what is new. */
const SWEEP_HEARD_MS = 30_000
/** So many peers are compared with at once. */
const SWEEP_AT_ONCE = 4
/** How long an agent that nobody knows is looked for at most, in ms. */
const LOCATE_MS = 5_000

export function createSearch ({ net, clock, logger, index, interests, hints, isOwn, ask, keeping, reconcile, joined, settle, compileSchema, region, onFound }: SearchParts): Search {
  const swept = new Map<string, number>()
  let arrived = false

  async function find (pattern: string, { limit = 64, timeoutMs = 2_000, signal, spread, ...filter }: FindOptions & { spread?: string } = {}): Promise<FoundAgent[]> {
    const begun = performance.now()
    let cold = false
    const wanted = parsePattern(pattern)
    // In a large mesh keepers tell what is new: listening would only bring every heartbeat of the domain too.
    if (!keeping.isLarge()) interests.touch(domainOf(wanted.labels))
    // Only for who has to be asked: with what is known no signal and no timer is made.
    let signals: AbortSignal | undefined
    const until = (): AbortSignal => signals ??= within(timeoutMs - (performance.now() - begun), signal)
    await settle(wanted)
    let matching = index.match(wanted)
    // The first search waits for those around, unless it has somebody from before; later ones only when they know nobody.
    if (matching.length === 0 || (!arrived && !matching.some(({ source }) => source === 'kept'))) {
      await joined(timeoutMs)
      arrived = true
      matching = index.match(wanted)
    }
    const now = clock.now()
    if (wanted.prefix && now - (swept.get(pattern) ?? 0) > (matching.length > 0 && wanted.labels.length > 0 ? SWEEP_HEARD_MS : SWEEP_MS)) {
      if (swept.size > 1_000) swept.clear()
      swept.set(pattern, now)
      cold = true
      await sweep(wanted, AbortSignal.any([until(), within(ASK_MS)]))
      matching = index.match(wanted)
    }
    if (matching.length === 0) {
      cold = true
      await look(pattern, limit, until())
      matching = index.match(wanted)
    } else if (keeping.isLarge() && !keeping.isFresh(pattern)) {
      await keeping.refresh(pattern, limit, until())
      matching = index.match(wanted)
    }
    const found = await choose({ text: pattern, pattern: wanted, matching, filter, limit, spread })
    if (found.length > 0) onFound(performance.now() - begun, cold)
    return found
  }

  /** Only as many are looked at closely as are wanted. */
  async function choose ({ text, pattern, matching, filter, limit, spread }: Choice): Promise<FoundAgent[]> {
    const chosen = chooser(pattern, filter, compileSchema)
    const found: FoundAgent[] = []
    const now = clock.now()
    for (const entry of spread === undefined ? ranked(matching, region) : leastLoaded(matching, limit, spread)) {
      if (found.length >= limit) break
      if (!keeping.isCurrent(text, entry)) continue
      const some = chosen(entry)
      const capabilities = some instanceof Promise ? await some : some
      if (isMeant(pattern, filter, capabilities, entry)) found.push(toFound(entry, capabilities, now))
    }
    return found
  }

  /** What the peers know of a domain, or of everything, that is not known here. */
  async function sweep ({ labels }: CapabilityPattern, signal: AbortSignal): Promise<void> {
    const domains = labels.length === 0 ? undefined : new Set([domainOf(labels)])
    const peers = someOf(net.connected(), ASK_PEERS)
    // A few at a time: what the first tell, the next need not send.
    for (let i = 0; i < peers.length && !signal.aborted; i += SWEEP_AT_ONCE) {
      await Promise.allSettled(peers.slice(i, i + SWEEP_AT_ONCE).map(peer => reconcile(peer, { domains, signal })))
    }
  }

  async function askPeers (pattern: string, signal: AbortSignal): Promise<void> {
    await Promise.allSettled(someOf(net.connected(), ASK_PEERS).map(peer => ask(peer, { pattern, signal })))
  }

  function whereIs (agentId: string): Whereabouts | undefined {
    if (isOwn(agentId)) return { peer: net.peerId, addresses: [] }
    const entry = index.get(agentId)
    return entry === undefined ? undefined : { peer: entry.peerId, addresses: entry.endpoints }
  }

  async function locate (agentId: string, { signal, timeoutMs = 2_000 }: { signal?: AbortSignal, timeoutMs?: number } = {}): Promise<Whereabouts> {
    const known = whereIs(agentId)
    if (known !== undefined) return known
    const waitMs = Math.min(timeoutMs, LOCATE_MS)
    const until = within(waitMs, signal)
    await joined(waitMs)
    if (index.get(agentId) === undefined && keeping.isLarge()) await keeping.locate(agentId, until)
    if (index.get(agentId) === undefined) {
      for (const peer of net.connected().slice(0, ASK_PEERS)) {
        ask(peer, { agentId, signal: until }).catch(error => { logger.debug('a peer could not be asked for an agent', { peer, why: messageOf(error) }) })
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
  async function look (pattern: string, limit: number, until: AbortSignal): Promise<void> {
    const wanted = parsePattern(pattern)
    if (keeping.isLarge()) {
      await keeping.look(pattern, limit, until)
      if (index.match(wanted).length > 0 || until.aborted) return
    }
    const found = new AbortController()
    const end = AbortSignal.any([until, found.signal])
    const stop = index.onChange(() => { if (index.match(wanted).length > 0) found.abort() })
    const ended = new Promise<void>(resolve => { end.addEventListener('abort', () => { resolve() }, { once: true }) })
    try {
      void askPeers(pattern, end)
      void askDht(pattern, end, ended)
      if (!end.aborted) await ended
    } finally {
      stop()
      found.abort()
    }
  }

  async function askDht (pattern: string, signal: AbortSignal, ended: Promise<void>): Promise<void> {
    const prefix = parsePattern(pattern).labels.join('.')
    if (prefix === '') return
    let asked = 0
    try {
      for await (const { peer, addresses } of hints.providers(prefix, signal)) {
        if (peer === net.peerId) continue
        ask(peer, { pattern, addresses, signal, source: 'dht' }).catch(error => { logger.debug('a provider of the DHT told nothing', { peer, why: messageOf(error) }) })
        // Those that came first may be liars, who name each other by the dozen.
        if (++asked >= DHT_HINTS) await atMost(clock, DHT_PACE_MS, ended)
        if (asked === DHT_HINTS_MOST) return
      }
    } catch (error) {
      if (!signal.aborted) logger.debug('the DHT was not of help', { pattern, why: messageOf(error) })
    }
  }

  return { find, whereIs, locate }
}

/** So many of them, others each time. */
const someOf = <T>(items: T[], count: number): T[] => items.length <= count ? items : items.map(item => ({ item, lot: Math.random() })).sort((a, b) => a.lot - b.lot).slice(0, count).map(({ item }) => item)
