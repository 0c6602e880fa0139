/**
 * What every inbound message goes through before anything else sees it, the cheap checks first:
 * 1. size  2. decoding  3. a known type  4. the schema of its payload  5. who says it.
 */
import { A2aError } from '../core/errors.ts'
import { verifyEnvelope } from '../identity/verify.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import { isMessageName, messages, parsePayload, type MessageName } from '../wire/messages.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Speaker } from '../core/ports.ts'

/** Messages that go to everybody in a topic. Others have one receiver, and are refused there. */
const GOSSIPED: ReadonlySet<string> = new Set<MessageName>(['advert', 'task.announce'])

export interface Refused {
  error: A2aError
  /** The message, when it could be read so far: its failure can be answered. */
  cause?: { messageId: string, correlationId: string }
  type?: string
  isReply: boolean
}

export type Checked = { envelope: Envelope } | { refused: Refused }

/** @param speaks whether the peer whose channel it came by has proven to speak for an agent, or is that agent itself */
export function checkDirect (bytes: Uint8Array, peer: string, speaks: (agent: string, type: string) => boolean, clock: Clock): Checked {
  return check(bytes, envelope => {
    const { type, from } = envelope
    if (messages[type as MessageName].signed || envelope.auth !== undefined) {
      const speaker = verifyEnvelope(envelope, clock.now())
      // Adverts may be passed on by anybody; what belongs to a task comes from who says it.
      if (type.startsWith('task.') && speaker.peerId !== peer) throw forged(`this ${type} came from ${peer}, its credential is of ${speaker.peerId}`)
    } else if (!speaks(from, type)) {
      throw new A2aError({ code: 'CREDENTIAL_INVALID', why: `${peer} has not proven to speak for ${from}` })
    }
  })
}

/** @param author the peer that signed the gossip message */
export function checkGossip (bytes: Uint8Array, author: string, clock: Clock): Checked {
  return check(bytes, envelope => {
    if (!GOSSIPED.has(envelope.type)) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `${envelope.type} is not for gossip` })
    const speaker: Speaker = verifyEnvelope(envelope, clock.now())
    // Without this, anybody could publish what they once heard again, as gossip of their own.
    if (speaker.peerId !== author) throw forged(`${author} published what is ${speaker.peerId}'s`)
  })
}

function check (bytes: Uint8Array, authenticate: (envelope: Envelope) => void): Checked {
  let raw: Envelope | undefined
  try {
    raw = decodeEnvelope(bytes)
    const { type } = raw
    if (!isMessageName(type)) throw new A2aError({ code: 'MESSAGE_UNKNOWN', type: type.slice(0, 64) })
    raw.payload = parsePayload(type, raw.payload)
    authenticate(raw)
    return { envelope: raw }
  } catch (error) {
    const known = error instanceof A2aError ? error : new A2aError({ code: 'INTERNAL', why: 'the check of a message failed' }, { cause: error })
    return { refused: { error: known, cause: raw, type: raw?.type, isReply: raw?.causationId !== undefined } }
  }
}

const forged = (why: string): A2aError => new A2aError({ code: 'SIGNATURE_INVALID', why })
