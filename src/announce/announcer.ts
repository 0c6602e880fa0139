/**
 * Gets a call for proposals to whoever might answer: by gossip to the capability's domain, and straight to the agents
 * already known, since a small net or a late joiner has no grown gossip mesh. Receivers take it once.
 */
import { LRUCache } from 'lru-cache'
import { messageOf } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { EnvelopeHandler, Logger } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

/** Somebody to be asked directly. */
export interface Addressee {
  agentId: string
  peer: string
  addresses: string[]
}

export interface AnnounceOptions {
  /** Gossip topic to publish in; none for a task that is for one agent only. */
  topic?: string
  /** An addressee's node cannot be reached. */
  unreachable: (agentId: string, why: string) => void
}

export interface Announcer {
  announce: (envelope: Envelope, to: Addressee[], options: AnnounceOptions) => void
}

/** Announcements remembered, so that one heard twice is considered once. */
const REMEMBERED = 10_000

export const createAnnouncer = ({ net, logger }: { net: Pick<Net, 'wire' | 'gossip'>, logger: Logger }): Announcer => ({
  announce: (envelope, to, { topic, unreachable }) => {
    if (topic !== undefined) {
      net.gossip.publish(topic, envelope).catch(error => { logger.debug('an announcement was not published', { topic, why: messageOf(error) }) })
    }
    // Agents of one node are called with one message; its node hands it to all of them.
    const byPeer = Map.groupBy(to, ({ peer }) => peer)
    for (const [peer, agents] of byPeer) {
      net.wire.send(peer, envelope, { addresses: agents[0]?.addresses }).catch(error => {
        for (const { agentId } of agents) unreachable(agentId, messageOf(error))
      })
    }
  }
})

/** The receiving end: each announcement goes to `consider` once, however often and by whichever way it comes. */
export function announcementIntake (consider: EnvelopeHandler): EnvelopeHandler {
  const seen = new LRUCache<string, true>({ max: REMEMBERED })
  return (envelope, origin) => {
    // With its author, so that nobody can use up another's ids.
    const key = `${envelope.from} ${envelope.messageId}`
    if (seen.has(key)) return undefined
    seen.set(key, true)
    return consider(envelope, origin)
  }
}
