/**
 * A node of an earlier version tells its peers of its agents, asks its peers for others, and knows of no keepers (keeping.ts). In a
 * large mesh its peers tell and ask them in its place.
 */
import type { Index } from './agent-index.ts'
import type { Intake } from './intake.ts'
import type { Keeping } from './keeping.ts'
import type { Envelope } from '../core/envelope.ts'
import { parsePattern } from '../core/capability.ts'
import { within } from '../core/deadline.ts'
import { messageOf } from '../core/errors.ts'
import type { Logger, Origin } from '../core/ports.ts'
import type { Net } from '../net/net.ts'
import { compose, payloadOf, type Author } from '../wire/compose.ts'
import { encodeEnvelope } from '../wire/envelope.ts'

/** Among the protocols of an advert: its node tells keepers of it. */
export const KEEPING_PROTOCOL = '/a2a-node/kept/1'

export interface Relay {
  /** An advert was heard from its agent's own node. `isNews`: nothing was known of the agent. */
  heard: (advert: Envelope, origin: Origin, isNews: boolean) => void
  /** What a peer heard, and we are to keep. @throws A2aError when it does not hold */
  take: (relayed: Envelope, origin: Origin) => undefined
  /** Asks the keepers before a query is answered of which nothing is known here, when its sender does not. */
  inform: (query: Envelope, origin: Origin) => Promise<void> | undefined
}

export interface RelayParts {
  net: Net
  index: Pick<Index, 'match'>
  intake: Pick<Intake, 'accept'>
  keeping: Pick<Keeping, 'isLarge' | 'isWarming' | 'keepersOf' | 'isFresh' | 'look'>
  anyAuthor: () => Author | undefined
  logger: Logger
}

/** So many of those who hear something tell the keepers: each node has many peers, and an advert holds for ten heartbeats. */
const SHARE = { ofNews: 0.25, ofHeartbeats: 0.06 } as const
/** Who asks waits 2 s for the answer. */
const LOOK_MS = 1_000

export function createRelay ({ net, index, intake, keeping, anyAuthor, logger }: RelayParts): Relay {
  const isOfCrowd = (peer: string): boolean => keeping.isLarge() && net.dht.isNear(peer) && net.sameUser(peer)

  const untold = (error: unknown): void => { logger.debug('a keeper was not told of what another node said', { why: messageOf(error) }) }

  async function tellKeepers (advert: Envelope, from: string): Promise<void> {
    const author = anyAuthor()
    if (author === undefined) return
    const relayed = compose('advert.relay', { advert: Buffer.from(encodeEnvelope(advert)).toString('base64url') }, author, { correlationId: author.newId() })
    const keepers = await keeping.keepersOf(advert.from, payloadOf(advert, 'advert').capabilities)
    await Promise.all(keepers.filter(({ peer }) => peer !== from).map(({ peer, addresses }) => net.wire.send(peer, relayed, { addresses }).catch(untold)))
  }

  return {
    heard (advert, { peer, gossip = false }, isNews) {
      const { protocols, ttl } = payloadOf(advert, 'advert')
      if (gossip || protocols.includes(KEEPING_PROTOCOL) || !isOfCrowd(peer)) return
      if (Math.random() < (isNews || ttl === 0 ? SHARE.ofNews : SHARE.ofHeartbeats)) tellKeepers(advert, peer).catch(untold)
    },
    take (relayed, { peer }) {
      if (isOfCrowd(peer)) intake.accept(Buffer.from(payloadOf(relayed, 'advert.relay').advert, 'base64url'), 'peer', peer)
      return undefined
    },
    inform (query, { peer }) {
      const { pattern, limit, local } = payloadOf(query, 'advert.query')
      if (local === true || pattern === undefined || !isOfCrowd(peer) || keeping.isFresh(pattern)) return undefined
      // After a restart of all, each asks each for everything.
      if (keeping.isWarming() || index.match(parsePattern(pattern)).length > 0) return undefined
      return keeping.look(pattern, limit, within(LOOK_MS))
    }
  }
}
