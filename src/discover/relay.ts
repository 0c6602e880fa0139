/**
 * A node of an earlier version tells its peers of its agents and knows of no keepers (keeping.ts). In a large mesh its peers tell
 * them in its place.
 */
import type { Intake } from './intake.ts'
import type { Keeping } from './keeping.ts'
import type { Envelope } from '../core/envelope.ts'
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
}

export interface RelayParts {
  net: Net
  intake: Pick<Intake, 'accept'>
  keeping: Pick<Keeping, 'isLarge' | 'keepersOf'>
  anyAuthor: () => Author | undefined
  logger: Logger
}

/** So many of those who hear something tell the keepers: each node has many peers, and an advert holds for ten heartbeats. */
const SHARE = { ofNews: 0.25, ofHeartbeats: 0.06 } as const

export function createRelay ({ net, intake, keeping, anyAuthor, logger }: RelayParts): Relay {
  const isOfCrowd = (peer: string): boolean => keeping.isLarge() && net.dht.isNear(peer) && net.sameUser(peer)

  async function tellKeepers (advert: Envelope, from: string): Promise<void> {
    const author = anyAuthor()
    if (author === undefined) return
    const relayed = compose('advert.relay', { advert: Buffer.from(encodeEnvelope(advert)).toString('base64url') }, author, { correlationId: author.newId() })
    for (const { peer, addresses } of await keeping.keepersOf(advert.from, payloadOf(advert, 'advert').capabilities)) {
      if (peer === from) continue
      net.wire.send(peer, relayed, { addresses }).catch((error: unknown) => { logger.debug('a keeper was not told of an advert', { peer, why: messageOf(error) }) })
    }
  }

  return {
    heard (advert, { peer, gossip = false }, isNews) {
      const { protocols, ttl } = payloadOf(advert, 'advert')
      if (gossip || protocols.includes(KEEPING_PROTOCOL) || !isOfCrowd(peer)) return
      if (Math.random() < (isNews || ttl === 0 ? SHARE.ofNews : SHARE.ofHeartbeats)) void tellKeepers(advert, peer)
    },
    take (relayed, { peer }) {
      if (isOfCrowd(peer)) intake.accept(Buffer.from(payloadOf(relayed, 'advert.relay').advert, 'base64url'), 'peer', peer)
      return undefined
    }
  }
}
