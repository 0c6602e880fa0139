/**
 * The first message each way: who speaks on this channel, and whether it is the same user. It comes from the node itself,
 * so its `from` is the did:key of the node's own key, which the Noise handshake has proven.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { base58btc } from 'multiformats/bases/base58'
import { newId } from '../wire/id.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { PROTOCOL_VERSION, type Envelope } from '../core/envelope.ts'
import { CLOCK_TOLERANCE_MS, verifyCredential, type VerifiedCredential } from '../identity/credential.ts'
import type { MessageName, Payload } from '../wire/messages.ts'

/** The did:key of a peer's own key; undefined when it is not an Ed25519 key. */
export function didOfPeer (peer: string): string | undefined {
  const { publicKey, type } = peerIdFromString(peer)
  if (type !== 'Ed25519' || publicKey === undefined) return undefined
  return `did:key:${base58btc.encode(Uint8Array.of(0xed, 0x01, ...publicKey.raw))}`
}

/** A message that a node sends for itself: hello, error, ack, ping. */
export function nodeEnvelope<T extends MessageName> (from: string, type: T, payload: Payload<T>, cause: Pick<Envelope, 'messageId' | 'correlationId'> | undefined, now: number): Envelope {
  const messageId = newId(now)
  return {
    version: PROTOCOL_VERSION,
    messageId,
    correlationId: cause?.correlationId ?? messageId,
    ...(cause === undefined ? {} : { causationId: cause.messageId }),
    from,
    timestamp: now,
    type,
    payload
  }
}

export function helloPayload (credentials: Uint8Array[], userProof: string | undefined): Payload<'hello'> {
  return { credentials: credentials.map(bytes => Buffer.from(bytes).toString('base64url')), ...(userProof === undefined ? {} : { user_proof: userProof }) }
}

/** The agents that a peer's hello proves it speaks for. A credential that does not hold is passed to `refuse`, and is no reason to doubt the others. */
export function speakersIn ({ credentials }: Payload<'hello'>, peer: string, now: number, refuse: (error: A2aError) => void): VerifiedCredential[] {
  return credentials.flatMap(text => {
    try {
      const credential = verifyCredential(Buffer.from(text, 'base64url'), now)
      if (credential.peerId !== peer) throw new A2aError({ code: 'CREDENTIAL_INVALID', why: `it is of ${credential.peerId} and was shown by ${peer}` })
      return [credential]
    } catch (error) {
      refuse(error instanceof A2aError ? error : new A2aError({ code: 'CREDENTIAL_INVALID', why: messageOf(error) }))
      return []
    }
  })
}

export const stillHolds = ({ expires }: VerifiedCredential, now: number): boolean => now < expires + CLOCK_TOLERANCE_MS
