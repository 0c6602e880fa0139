/**
 * Who can do what, and telling others what we can. An advert takes this way:
 *
 *   own.ts makes it → gossip, channels → intake.ts checks it → agent-index.ts keeps it → search.ts, watch.ts give it
 *
 * Three ways lead to an agent's own signed advert, which alone is believed: it comes by gossip of its domain, straight from
 * its node when two meet, or a peer (ask.ts, reconcile.ts) or the DHT (hints.ts) hints at it.
 */
import { createIndex, type Entry } from './agent-index.ts'
import { parseAdvert } from './advert.ts'
import { atMost } from './at-most.ts'
import { createAnswer, createAsk } from './ask.ts'
import type { CompileSchema } from './choose.ts'
import { createSelfCheck } from './check.ts'
import { createCatchUp } from './catch-up.ts'
import { createHints } from './hints.ts'
import { createIntake } from './intake.ts'
import { createInterests } from './interests.ts'
import { createKeeping } from './keeping.ts'
import { ASK_MS } from './limits.ts'
import { createMeasure } from './measure.ts'
import { createMingling } from './mingle.ts'
import { createOwnAgents, type LocalAgent } from './own.ts'
import { createReconciler, type Compared, type ReconcileOptions } from './reconcile.ts'
import { createRelay } from './relay.ts'
import { createSearch, type Search } from './search.ts'
import { createKeeper } from './kept.ts'
import { createSequences } from './sequences.ts'
import { createWarmth } from './warm.ts'
import { createWhy } from './why.ts'
import { watchIndex } from './watch.ts'
import { domainOf, parsePattern } from '../core/capability.ts'
import { messageOf } from '../core/errors.ts'
import type { AgentChange, Check, DiscoveryStatus, WatchOptions } from '../core/found.ts'
import type { Clock, Logger, Values } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

export { topicOf } from './interests.ts'
export type { LocalAgent } from './own.ts'

export interface DirectoryParts {
  net: Net
  clock: Clock
  /** The time of day, by which adverts and credentials are judged. Default: the same. */
  wall?: Clock
  logger: Logger
  /** Where sequence numbers outlive a restart. */
  values: Pick<Values, 'get' | 'set'>
  /** Where the index outlives it. Absent: nowhere. */
  file?: string
  protocols: string[]
  region?: string
  compileSchema: CompileSchema
}

/** `find`: agents whose capabilities match, the less loaded first; looks around when none is known. `locate`: like `whereIs`, and asks the peers when it is not known. */
export interface Directory extends Search {
  /** Tells the mesh of an agent, now and by heartbeat. Call it again when its capabilities have changed. Resolves when those connected have been told, or soon after. Rejects with MESSAGE_TOO_LARGE when it offers more than an advert holds. */
  advertise: (agent: LocalAgent) => Promise<void>
  /** Who is there now, and then each change. Ends when the signal aborts, and with the directory. */
  watch: (pattern: string, options?: WatchOptions) => AsyncIterableIterator<AgentChange>
  get: (agentId: string) => Entry | undefined
  /** Nothing answers at its addresses: forget it until it says something new. */
  unreachable: (agentId: string) => void
  unreachablePeer: (peerId: string) => void
  /** Everybody known. */
  size: () => number
  /** How well it does, as it measures itself. */
  status: () => DiscoveryStatus
  /** Every step to a capability or an agent, and at which it is not found. */
  why: (target: string) => Promise<Check[]>
  /** The peers found at the start have told what they know. */
  joined: (timeoutMs: number) => Promise<void>
  /** Withdraws all adverts. */
  close: () => Promise<void>
}

/** Those found around are met first, for so long, before those known from an earlier run, in ms. */
const JOIN_MS = 1_500
/** How often what has outlived its time is cleared away, in ms. */
const TIDY_MS = 5_000

export function createDirectory ({ net, clock, wall = clock, logger, values, file, protocols, region, compileSchema }: DirectoryParts): Directory {
  const { wire } = net
  const index = createIndex(clock)
  const measure = createMeasure({ index, clock })
  const hints = createHints({ dht: net.dht, logger })
  const own = createOwnAgents({
    net, clock, logger, protocols, region, hints,
    keeping: { isLarge: () => keeping.isLarge(), tell: (...news) => keeping.tell(...news) },
    sequences: createSequences({ values, clock: wall, logger, heard: index.sequenceOf }),
    onMade: envelope => { index.put(parseAdvert(envelope, net.peerId), 'local') }
  })
  const { has: isOwn, anyAuthor } = own
  const intake = createIntake({ index, clock: wall, peerId: net.peerId, isOwn, onForgotten: own.overtake })
  const interests = createInterests({ gossip: net.gossip, clock, offered: own.domains })
  const ended = new AbortController()
  const keeper = file === undefined ? undefined : createKeeper({ file, index, clock, logger })
  const warmth = createWarmth({ kept: keeper?.read() ?? { adverts: [], sequences: [] }, index, intake, logger, signal: ended.signal })
  void warmth.done.then(restored => {
    measure.restored(restored)
    if (restored > 0) logger.debug('agents are known from an earlier run', { restored })
    if (ended.signal.aborted) return
    keeping.remembered()
    keeper?.begin()
    if (restored > 0) void net.joined(JOIN_MS).then(mingling.mingle)
  })
  const ask = createAsk({ wire, index, intake, anyAuthor, logger })
  const keeping = createKeeping({ net, clock, logger, index, ask })
  /** Of many nodes in the folder of the user, what one knows comes from keepers, and not from each of them. */
  const isSpared = (peer: string): boolean => keeping.isLarge() && net.dht.isNear(peer)
  const reconciler = createReconciler({ wire, index, intake, interests: interests.domains, anyAuthor, logger, askAll })
  const relay = createRelay({ net, index, intake, keeping, anyAuthor, logger })
  const search = createSearch({ net, clock, logger, index, interests, hints, isOwn, ask, keeping, joined, settle: warmth.settle, reconcile: reconciler.reconcile, compileSchema, region, onFound: measure.found })
  const catchUp = createCatchUp({ net, clock, logger, compare: peer => reconciler.reconcile(peer), isSpared, onCompared: noteComparison })
  const selfCheck = createSelfCheck({ peerId: net.peerId, index, clock, logger, hints, interests: interests.domains, measure, ask, unreachable, isSpared })
  const why = createWhy({ net, index, clock, hints, ask, joined })
  const mingling = createMingling({ net, index, clock, anyAuthor, isSpared: ({ peerId, source }) => isSpared(peerId) || (source === 'kept' && keeping.isWarming()), unreachable })

  net.handle('advert', (envelope, origin) => {
    const isNews = index.get(envelope.from) === undefined
    intake.hear(envelope, origin)
    relay.heard(envelope, origin, isNews)
    return undefined
  })
  const answer = createAnswer({ index, anyAuthor })
  net.handle('advert.query', (query, origin) => {
    const informed = relay.inform(query, origin)
    return informed === undefined ? answer(query) : informed.then(() => answer(query))
  })
  net.handle('advert.relay', relay.take)
  net.handle('advert.survey', reconciler.answerSurvey)
  net.handle('advert.sync', reconciler.answerSync)
  const stopListening = net.onPeer(({ type, peer }) => { if (type === 'opened') meet(peer) })
  let stopTidying = (): void => {}
  tidy()

  /** What a node of an earlier version is asked. */
  async function askAll (peer: string, { domains, ...options }: ReconcileOptions): Promise<void> {
    for (const domain of domains ?? ['']) await ask(peer, { ...options, pattern: domain === '' ? '*' : `${domain}.*` })
  }

  function noteComparison (compared: Compared, again: boolean): void {
    // What is missing when two meet is no loss on the way.
    if (again) measure.compared(compared)
    if (!ended.signal.aborted) mingling.mingle()
  }

  /** Tell whoever we meet who we are, and ask what it knows: nobody depends on a grown mesh. */
  function meet (peer: string): void {
    // In a large mesh most of those met are of no concern, and keepers are told each for itself.
    if (isSpared(peer)) return
    own.tell(peer)
    catchUp.enqueue(peer)
  }

  function tidy (): void {
    stopTidying = clock.after(TIDY_MS, () => {
      index.expire()
      interests.expire()
      tidy()
    })
  }

  /** @param sequence of the advert whose addresses were tried: the agent may have come back at others meanwhile */
  function unreachable (agentId: string, sequence?: number): void {
    const entry = index.get(agentId)
    if (entry === undefined || (sequence !== undefined && entry.sequence !== sequence)) return
    measure.dead()
    index.drop(agentId)
    // It may be the network between: its own word brings it back.
    net.seek(entry.peerId, entry.endpoints)
  }

  async function joined (timeoutMs: number): Promise<void> {
    const end = clock.now() + timeoutMs
    await net.joined(timeoutMs)
    // Whoever says hello and then nothing must not hold up every search.
    await atMost(clock, Math.min(ASK_MS, Math.max(0, end - clock.now())), catchUp.settled())
  }

  function watch (text: string, { signal, ...filter }: WatchOptions = {}): AsyncIterableIterator<AgentChange> {
    const pattern = parsePattern(text)
    const letGo = interests.hold(domainOf(pattern.labels))
    const unfollow = keeping.follow(text)
    search.find(text, { signal, limit: 1 }).catch(error => { logger.debug('looking around for a watch ended early', { pattern: text, why: messageOf(error) }) })
    return watchIndex({ index, clock, pattern, filter, compileSchema, signal: signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]), onEnd: () => { letGo(); unfollow() } })
  }

  return {
    ...search,
    advertise: own.advertise,
    watch,
    get: index.get,
    unreachable: agentId => { unreachable(agentId) },
    unreachablePeer: index.dropPeer,
    size: index.size,
    status: measure.status,
    why,
    joined,
    close: async () => {
      ended.abort()
      stopTidying()
      mingling.close()
      catchUp.close()
      selfCheck.close()
      stopListening()
      keeping.close()
      await Promise.all([own.close(), keeper?.close()])
    }
  }
}
