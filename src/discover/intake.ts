/**
 * What may enter the index, whatever way it comes: an agent's own signed word, newer than what is known of it, and not
 * outlived. An older one never comes back: within its lifetime its sequence number is known, and beyond it is too old.
 */
import { parseAdvert } from './advert.ts'
import type { Index } from './agent-index.ts'
import { A2aError } from '../core/errors.ts'
import { CLOCK_TOLERANCE_MS } from '../identity/credential.ts'
import { verifyEnvelope } from '../identity/verify.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import { parsePayload } from '../wire/messages.ts'
import type { FoundAgent } from '../core/found.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Origin } from '../core/ports.ts'

export interface Intake {
  /** An advert that its own node said, on its channel or by gossip: decoded, and its signature checked. @throws A2aError SIGNATURE_INVALID, CAPABILITY_INVALID, ADVERT_STALE */
  hear: (envelope: Envelope, origin: Origin) => void
  /**
   * An advert in the hands of somebody else, as bytes that nothing is known of. The expensive check is only for what is
   * news: of an agent that was not known, or a newer one. @throws A2aError when it does not hold
   */
  accept: (statement: Uint8Array, source: FoundAgent['source'], teller?: string) => 'new' | 'newer' | undefined
}

export interface IntakeParts {
  index: Index
  clock: Clock
  peerId: string
  /** Agents of this node: nobody else says who they are. */
  isOwn: (agentId: string) => boolean
  /** Somebody has an advert of an agent here, made on this node, that is newer than ours: it was forgotten here. */
  onForgotten: (agentId: string, sequence: number) => void
}

export function createIntake ({ index, clock, peerId, isOwn, onForgotten }: IntakeParts): Intake {
  function checkAge ({ from, timestamp }: Envelope, mostMs: number): void {
    const ageMs = clock.now() - timestamp
    if (ageMs > mostMs) throw stale(from, `it was made ${Math.round(ageMs / 1_000)} s ago`)
    if (ageMs < -CLOCK_TOLERANCE_MS) throw stale(from, `it says that it will be made in ${Math.round(-ageMs / 1_000)} s`)
  }

  return {
    hear (envelope, { peer, gossip = false }) {
      const advert = parseAdvert(envelope, peer)
      if (isOwn(advert.agentId)) return
      const known = index.sequenceOf(advert.agentId)
      if (advert.sequence < known) throw stale(advert.agentId, `its sequence number is ${advert.sequence}, and ${known} is known`)
      // Gossip can be said again by anybody, word for word.
      if (gossip) checkAge(envelope, advert.ttlMs + CLOCK_TOLERANCE_MS)
      index.put(advert, gossip ? 'gossip' : 'direct')
    },
    accept (statement, source, teller) {
      const raw = decodeEnvelope(statement)
      if (raw.type !== 'advert') throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'it is no advert' })
      const envelope = { ...raw, payload: parsePayload('advert', raw.payload) }
      if (envelope.payload.sequence <= index.sequenceOf(raw.from)) return undefined
      const now = clock.now()
      // Its lifetime began when it was made: hearsay does not renew it.
      const ageMs = Math.max(0, now - raw.timestamp)
      const speaker = verifyEnvelope(raw, now)
      const advert = parseAdvert(envelope, speaker.peerId)
      checkAge(raw, Infinity)
      if (isOwn(advert.agentId)) {
        if (advert.peerId === peerId) onForgotten(advert.agentId, advert.sequence)
        return undefined
      }
      // A farewell has no lifetime.
      if (advert.ttlMs > 0 && advert.ttlMs <= ageMs) return undefined
      const before = index.get(advert.agentId)
      if (!index.put({ ...advert, ttlMs: Math.max(0, advert.ttlMs - ageMs) }, source, teller)) return undefined
      return before === undefined ? 'new' : 'newer'
    }
  }
}

const stale = (agent: string, why: string): A2aError => new A2aError({ code: 'ADVERT_STALE', agent, why })
