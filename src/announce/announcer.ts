/**
 * Gets a call for proposals to whoever might answer: straight to the agents already known, since a small net or a late
 * joiner has no grown gossip mesh, and by gossip to the capability's domain when those known have not all answered soon.
 * Receivers take it once.
 */
import { LRUCache } from 'lru-cache'
import { messageOf } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, EnvelopeHandler, Logger } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

/** Somebody to be asked directly. */
export interface Addressee {
  agentId: string
  peer: string
  addresses: string[]
}

/**
 * When to tell the whole domain: every node in it checks two signatures for it, and who hears of a task whose bids are all in
 * bids for nothing.
 */
export interface Gossiping {
  /** How long those called directly have to answer first, in ms: until one of them has, and for the others then. When there are none it is published at once. */
  afterMs: number
  othersMs: number
  /** Whether one of them has answered. */
  answered: () => boolean
  /** Whether bids are still taken. */
  wanted: () => boolean
}

export interface AnnounceOptions {
  /** The topic to publish in, and when. Absent for a task that is for one agent only. */
  gossip?: Gossiping & { topic: string }
  /** An addressee's node cannot be reached. */
  unreachable: (agentId: string, why: string) => void
}

export interface Announcer {
  announce: (envelope: Envelope, to: Addressee[], options: AnnounceOptions) => void
}

/** Announcements remembered, so that one heard twice is considered once. */
const REMEMBERED = 10_000

export const createAnnouncer = ({ net, clock, logger }: { net: Pick<Net, 'wire' | 'gossip'>, clock: Pick<Clock, 'after'>, logger: Logger }): Announcer => ({
  announce: (envelope, to, { gossip, unreachable }) => {
    if (gossip !== undefined) {
      const { topic, afterMs, othersMs, answered, wanted } = gossip
      const publish = (): void => {
        if (!wanted()) return
        net.gossip.publish(topic, envelope).catch(error => { logger.debug('an announcement was not published', { topic, why: messageOf(error) }) })
      }
      if (to.length === 0) publish()
      else {
        clock.after(afterMs, () => {
          // They are busy rather than gone, and would only have more to do.
          if (answered()) clock.after(othersMs - afterMs, publish)
          else publish()
        })
      }
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
  const seen = new LRUCache<string, true>({ maxSize: REMEMBERED, sizeCalculation: () => 1 })
  return (envelope, origin) => {
    // With its author, so that nobody can use up another's ids.
    const key = `${envelope.from} ${envelope.messageId}`
    if (seen.has(key)) return undefined
    seen.set(key, true)
    return consider(envelope, origin)
  }
}
