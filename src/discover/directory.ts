/**
 * Who can do what, and telling others what we can. An advert takes this way:
 *
 *   own.ts makes it → gossip, channels → intake.ts checks it → agent-index.ts keeps it → search.ts, watch.ts give it
 *
 * Three ways lead to an agent's own signed advert, which alone is believed: it comes by gossip of its domain, straight from
 * its node when two meet, or a peer (ask.ts) or the DHT (hints.ts) hints at it.
 */
import { createIndex, type Entry } from './agent-index.ts'
import { parseAdvert } from './advert.ts'
import { createAnswer, createAsk } from './ask.ts'
import { createHints } from './hints.ts'
import { createIntake } from './intake.ts'
import { createInterests } from './interests.ts'
import { ASK_MS } from './limits.ts'
import { atMost, createOwnAgents, type LocalAgent } from './own.ts'
import { createSearch, type Search } from './search.ts'
import { createSequences } from './sequences.ts'
import { watchIndex } from './watch.ts'
import { domainOf, parsePattern } from '../core/capability.ts'
import { messageOf } from '../core/errors.ts'
import type { AgentChange, WatchOptions } from '../core/agent.ts'
import type { Clock, Logger, Values } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

export { topicOf } from './interests.ts'
export type { LocalAgent } from './own.ts'

export interface DirectoryParts {
  net: Net
  clock: Clock
  logger: Logger
  /** Where sequence numbers outlive a restart. */
  values: Pick<Values, 'get' | 'set'>
  protocols: string[]
  region?: string
}

/** `find`: agents whose capabilities match, the least loaded first; looks around when none is known. `locate`: like `whereIs`, and asks the peers when it is not known. */
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
  /** The peers found at the start have told what they know. */
  joined: (timeoutMs: number) => Promise<void>
  /** Withdraws all adverts. */
  close: () => Promise<void>
}

/** How often what has outlived its time is cleared away, in ms. */
const TIDY_MS = 5_000

export function createDirectory ({ net, clock, logger, values, protocols, region }: DirectoryParts): Directory {
  const { wire } = net
  const index = createIndex(clock)
  const hints = createHints({ dht: net.dht, logger })
  const own = createOwnAgents({
    net, clock, logger, protocols, region, hints,
    sequences: createSequences({ values, clock, logger }),
    onMade: envelope => { index.put(parseAdvert(envelope, net.peerId), 'local') }
  })
  const { has: isOwn, anyAuthor } = own
  const intake = createIntake({ index, clock, peerId: net.peerId, isOwn, onForgotten: own.overtake })
  const interests = createInterests({ gossip: net.gossip, clock, offered: own.domains })
  const ask = createAsk({ wire, index, intake, anyAuthor, logger })
  const search = createSearch({ net, clock, logger, index, interests, hints, isOwn, ask, joined })
  const pulls = new Set<Promise<void>>()
  const ended = new AbortController()

  net.handle('advert', (envelope, origin) => {
    intake.hear(envelope, origin)
    return undefined
  })
  net.handle('advert.query', createAnswer({ index, anyAuthor }))
  const stopListening = net.onPeer(({ type, peer }) => { if (type === 'opened') meet(peer) })
  let stopTidying = (): void => {}
  tidy()

  /** Tell whoever we meet who we are, and ask what it knows: nobody depends on a grown mesh. */
  function meet (peer: string): void {
    own.tell(peer)
    const pull = ask(peer, {}).then(() => {}, error => { logger.debug('a new peer told nothing', { peer, why: messageOf(error) }) })
    pulls.add(pull)
    void pull.finally(() => { pulls.delete(pull) })
  }

  function tidy (): void {
    stopTidying = clock.after(TIDY_MS, () => {
      index.expire()
      interests.expire()
      tidy()
    })
  }

  async function joined (timeoutMs: number): Promise<void> {
    const end = clock.now() + timeoutMs
    await net.joined(timeoutMs)
    // Whoever says hello and then nothing must not hold up every search.
    await atMost(clock, Math.min(ASK_MS, Math.max(0, end - clock.now())), Promise.all(pulls))
  }

  function watch (text: string, { signal }: WatchOptions = {}): AsyncIterableIterator<AgentChange> {
    const pattern = parsePattern(text)
    const letGo = interests.hold(domainOf(pattern.labels))
    search.find(text, { signal, limit: 1 }).catch(error => { logger.debug('looking around for a watch ended early', { pattern: text, why: messageOf(error) }) })
    return watchIndex({ index, clock, pattern, fits: () => true, signal: signal === undefined ? ended.signal : AbortSignal.any([signal, ended.signal]), onEnd: letGo })
  }

  return {
    ...search,
    advertise: own.advertise,
    watch,
    get: index.get,
    unreachable: index.drop,
    unreachablePeer: index.dropPeer,
    size: index.size,
    joined,
    close: async () => {
      ended.abort()
      stopTidying()
      stopListening()
      await own.close()
    }
  }
}
