/** Whether an envelope was signed by the agent it names. */
import { verify, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { A2aError } from '../core/errors.ts'
import { decodeEnvelope, openStatement } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import { parsePayload, type MessageName } from '../wire/messages.ts'
import { verifyCredential } from './credential.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Speaker } from '../core/ports.ts'

/**
 * Statements that hold, by their hash, with the key they were checked by: an announcement comes straight and by gossip, and
 * a receipt is opened at each step of its settlement. A check costs 50 times what the hash does. Beyond the bound the one
 * met longest ago is checked again.
 */
const holding = new LRUCache<string, KeyObject>({ max: 4_096 })

/**
 * Who signed an envelope.
 *
 * Checks `auth.statement`, so the envelope's fields must be those of the statement. That holds for what
 * `decodeEnvelope` and `signEnvelope` give, as they gave it; never verify one whose fields were set otherwise.
 * `content` is not covered: compare its hash with the one in the payload.
 * @param now milliseconds since the epoch, by this machine's clock
 * @throws A2aError SIGNATURE_INVALID, CREDENTIAL_INVALID
 */
export function verifyEnvelope (envelope: Envelope, now: number): Speaker {
  const { auth, from, type } = envelope
  if (auth === undefined) throw invalid(`${type} must be signed and is not`)
  const { agentId, peerId, signingKey } = verifyCredential(auth.credential, now)
  if (agentId !== from) throw invalid(`it says it is from ${from}, its credential is of ${agentId}`)
  const hash = hashOf(auth.statement)
  if (holding.get(hash) !== signingKey) {
    const { signed, signature } = openStatement(auth.statement)
    if (!verify(null, signed, signingKey, signature)) throw invalid(`${from} did not sign this ${type}`)
    holding.set(hash, signingKey)
  }
  return { agentId, peerId }
}

/** A statement that holds: what it says, with its payload checked against its type, and who says it. */
export interface Proof {
  envelope: Envelope
  speaker: Speaker
}

/**
 * Opens a kept statement (`auth.statement`: an encoded, signed envelope without content).
 * @param now when the credential must hold. Default: when the statement says it was made, so that proofs outlive
 *   credentials. Its signer may lie about that, but only within the life of a credential for a key it had.
 * @throws A2aError SIGNATURE_INVALID, CREDENTIAL_INVALID, MESSAGE_MALFORMED, MESSAGE_UNKNOWN, MESSAGE_TOO_LARGE, VERSION_UNSUPPORTED
 */
export function verifyStatement (statement: Uint8Array, now?: number): Proof {
  const envelope = decodeEnvelope(statement)
  if (envelope.content !== undefined) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'a statement has no content' })
  const speaker = verifyEnvelope(envelope, now ?? envelope.timestamp)
  return { envelope: { ...envelope, payload: parsePayload(envelope.type as MessageName, envelope.payload) }, speaker }
}

const invalid = (why: string): A2aError => new A2aError({ code: 'SIGNATURE_INVALID', why })
