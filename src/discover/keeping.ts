/**
 * In a small mesh everybody tells everybody. In a larger one an advert is told to those nodes whose place it is to keep it
 * (places.ts), by heartbeat, and who looks for agents asks these.
 */
import { ASK_MS, QUERY_LIMIT } from './limits.ts'
import { agentKeys, levelOf, SHARD, shardsAt } from './places.ts'
import { createTelling, type Telling } from './telling.ts'
import { atMost } from './at-most.ts'
import { ADVERT_TTL_S } from './advert.ts'
import { domainOf, parsePattern } from '../core/capability.ts'
import { within } from '../core/deadline.ts'
import { messageOf } from '../core/errors.ts'
import type { AskOptions, Told } from './ask.ts'
import type { Entry, Index } from './agent-index.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Contact, Net } from '../net/net.ts'

/** With more nodes in the folder of the user than this, not all of them are told everything. */
const WHOLE = 16
/** What was asked so long ago is asked again, in ms: who died since is not named. */
const FRESH_MS = 3_000
/** How long an answer that is there waits for a fresher one, in ms, */
const REFRESH_MS = 250
/** unless it was never asked for, or so long ago, in ms: then what is known is by chance, and few of many. */
const STALE_MS = 30_000
/** What is so new may not have come to its keepers, in ms. */
const SPREADING_MS = 5_000
const MAX_ASKED = 1_000
/** So long after its start a node names whom it knows from an earlier run, whatever its keepers say, in ms. */
const WARMING_MS = 10_000
/** How often keepers are asked for somebody who watches, in ms. */
const FOLLOW_MS = 15_000
/** A keeper that has not answered after so long is not waited for alone, in ms. */
const HEDGE_MS = 100

export interface Keeping extends Telling {
  /** Whether there are too many nodes in the folder of the user to tell them all. */
  isLarge: () => boolean
  /** What an earlier run knew is in the index. */
  remembered: () => void
  /** In such a mesh, or one that was so in an earlier run, and just started: all may have been started again, and what that run knew of them may be all there is. */
  isWarming: () => boolean
  /** Asks the keepers of a pattern's domain, deeper while there are more than `limit` wants. */
  look: (pattern: string, limit: number, signal: AbortSignal) => Promise<void>
  /** Whether it was done so lately that it need not be done again. */
  isFresh: (pattern: string) => boolean
  /** The same, for what is known already; waits only a moment when it was done before. */
  refresh: (pattern: string, limit: number, signal: AbortSignal) => Promise<void>
  /** False of one that is known here and that its keepers did not name when they were last asked: it is gone. */
  isCurrent: (pattern: string, entry: Entry) => boolean
  /** Asks the keepers of an agent. */
  locate: (agentId: string, signal: AbortSignal) => Promise<void>
  /** Asks about a pattern again and again. Returns the way to stop. */
  follow: (pattern: string) => () => void
}

export interface KeepingParts {
  net: Net
  clock: Clock
  logger: Logger
  index: Index
  ask: (peer: string, options: AskOptions) => Promise<Told>
}

export function createKeeping ({ net, clock, logger, index, ask }: KeepingParts): Keeping {
  /** When a pattern was last asked about, whom the keepers named if it was all there are, and whether it is being asked now. */
  const asked = new Map<string, { at: number, named?: ReadonlySet<string>, running?: Promise<void> }>()

  const telling = createTelling({ net, clock, logger, index, isLarge: () => isLarge() })
  const begunAt = clock.now()

  /** The first of many that start again do not see the others yet. */
  let wasLarge = false
  const isWarming = (): boolean => (isLarge() || wasLarge) && clock.now() - begunAt < WARMING_MS
  const isLarge = (): boolean => net.dht.near() > WHOLE

  async function look (pattern: string, limit: number, signal: AbortSignal): Promise<void> {
    const known = asked.get(pattern)
    if (known?.running !== undefined) { await known.running; return }
    const running = askAll(pattern, limit, signal).catch(() => undefined).then(named => { asked.set(pattern, { at: clock.now(), named }) })
    if (asked.size > MAX_ASKED) asked.clear()
    asked.set(pattern, { at: known?.at ?? 0, named: known?.named, running })
    await running
  }

  /** All that the keepers name; undefined when there may be more. */
  async function askAll (pattern: string, limit: number, signal: AbortSignal): Promise<ReadonlySet<string> | undefined> {
    const wanted = parsePattern(pattern)
    const domain = domainOf(wanted.labels)
    if (domain === '') return undefined
    const named = new Set<string>()
    let isComplete = true
    let deepest = 0
    for (let level = 0; level <= deepest; level++) {
      const told = await Promise.all(shardsAt(domain, level).map(keys => askShard(keys, { pattern, signal })))
      for (const agentId of told.flatMap(answer => answer ?? [])) named.add(agentId)
      if (told.includes(undefined)) isComplete = false
      // A full shard is a sample of more.
      if (level === 0 && named.size >= SHARD && named.size < limit) deepest = levelOf(2 * named.size)
    }
    return isComplete && named.size > 0 && named.size < Math.min(SHARD, QUERY_LIMIT) ? named : undefined
  }

  function isCurrent (pattern: string, entry: Entry): boolean {
    const last = asked.get(pattern)
    // When all were started again, keepers may not have read yet what they kept.
    if (entry.source === 'kept' && isWarming()) return true
    if (last?.named === undefined || entry.source === 'local' || last.named.has(entry.agentId)) return true
    const madeAt = entry.heardAt + entry.ttlMs - ADVERT_TTL_S * 1_000
    return madeAt > last.at - SPREADING_MS || net.speakers(entry.peerId).some(speaker => speaker.agentId === entry.agentId)
  }

  /** One keeper is enough, unless it is new or knows nobody. Undefined when nobody answered. */
  async function askShard (keys: Uint8Array[], options: AskOptions): Promise<string[] | undefined> {
    const answers: string[][] = []
    const enough = Promise.withResolvers<void>()
    const state = { isEnough: false }
    const askOne = async ({ peer, addresses, isNew }: Contact): Promise<void> => {
      try {
        const named = peer === net.peerId ? namedHere(options.pattern ?? '*') : []
        if (peer !== net.peerId) await ask(peer, { ...options, addresses, source: 'dht', onNamed: agentId => { named.push(agentId) } })
        answers.push(named)
        state.isEnough ||= named.length > 0 && isNew !== true
        if (state.isEnough) enough.resolve()
      } catch (error) {
        logger.debug('a keeper told nothing', { peer, why: messageOf(error) })
      }
    }
    const places = shuffled(keys)
    const met = new Set<string>()
    const late: Contact[] = []
    /** One that has been there for a while; then those that are new, for what one of them does not know yet, another does. */
    const next = async (): Promise<Contact[]> => {
      for (let key = places.pop(); key !== undefined; key = places.pop()) {
        const [contact] = await net.dht.keepers(key, 1)
        if (contact === undefined || met.has(contact.peer)) continue
        met.add(contact.peer)
        if (contact.isNew !== true) return [contact]
        late.push(contact)
      }
      return late.splice(0, 2)
    }
    const attempts: Array<Promise<void>> = []
    for (let keepers = await next(); keepers.length > 0; keepers = await next()) {
      const asking = keepers.map(askOne)
      attempts.push(...asking)
      await atMost(clock, HEDGE_MS, Promise.all(asking))
      if (state.isEnough || options.signal?.aborted === true || (answers.length > 1 && answers.some(named => named.length > 0))) break
    }
    await Promise.race([enough.promise, Promise.all(attempts)])
    return answers.length === 0 ? undefined : answers.flat()
  }

  const namedHere = (pattern: string): string[] => index.match(parsePattern(pattern)).map(({ agentId }) => agentId)

  const ageMs = (pattern: string): number => clock.now() - (asked.get(pattern)?.at ?? -Infinity)

  const isFresh = (pattern: string): boolean => ageMs(pattern) < FRESH_MS

  async function refresh (pattern: string, limit: number, signal: AbortSignal): Promise<void> {
    const wasAsked = ageMs(pattern) < STALE_MS
    const looked = look(pattern, limit, signal)
    await (wasAsked ? atMost(clock, REFRESH_MS, looked) : looked)
  }

  function follow (pattern: string): () => void {
    let stop = (): void => {}
    const again = (): void => {
      stop = clock.after(FOLLOW_MS * (0.5 + Math.random()), () => {
        if (isLarge()) look(pattern, QUERY_LIMIT, within(ASK_MS)).catch((error: unknown) => { logger.debug('keepers could not be asked', { pattern, why: messageOf(error) }) })
        again()
      })
    }
    again()
    return () => { stop() }
  }

  async function locate (agentId: string, signal: AbortSignal): Promise<void> {
    for (const key of agentKeys(agentId)) {
      for (const { peer, addresses } of await net.dht.keepers(key, 2)) {
        if (peer === net.peerId || signal.aborted) continue
        await ask(peer, { agentId, addresses, signal, source: 'dht' }).catch(error => { logger.debug('a keeper told nothing', { peer, why: messageOf(error) }) })
        if (index.get(agentId) !== undefined) return
      }
    }
  }

  return {
    isLarge,
    remembered () { wasLarge = new Set(index.all().flatMap(({ source, peerId }) => source === 'kept' ? [peerId] : [])).size > WHOLE },
    isWarming,
    tell: telling.tell,
    keepersOf: telling.keepersOf,
    look, isFresh, refresh, isCurrent, follow, locate,
    close: telling.close
  }
}

function shuffled<T> (items: T[]): T[] {
  return items.map(item => ({ item, lot: Math.random() })).sort((a, b) => a.lot - b.lot).map(({ item }) => item)
}
