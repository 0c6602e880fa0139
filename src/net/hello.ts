/**
 * The first message each way: who speaks on this channel, and whether it is the same user. It comes from the node itself,
 * so its `from` is the did:key of the node's own key, which the Noise handshake has proven.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { base58btc } from 'multiformats/bases/base58'
import { newId } from '../wire/id.ts'
import { PROTOCOL_VERSION, type Envelope } from '../core/envelope.ts'
import { messages, type MessageName, type Payload } from '../wire/messages.ts'

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

/** Our agents, as they are told to others: all at once in a hello, as far as they fit, and more of them in messages of their own. */
export function helloPayload (credentials: readonly Uint8Array[], userProof: string | undefined): Payload<'hello'> {
  return { credentials: credentials.map(toText), more: true, ...(userProof === undefined ? {} : { user_proof: userProof }) }
}

export const morePayload = (credentials: readonly Uint8Array[]): Payload<'hello.more'> => ({ credentials: credentials.map(toText) })

/** How many of these credentials, from the first on, one message may carry. */
export function fitting (credentials: readonly Uint8Array[], most: number): number {
  let room = HELLO_ROOM
  const end = credentials.slice(0, most).findIndex(bytes => (room -= Math.ceil(bytes.length * 4 / 3) + 3) < 0)
  return end === -1 ? Math.min(most, credentials.length) : end
}

/** Characters for credentials in a hello; the rest of its payload is below 1 KiB. */
const HELLO_ROOM = messages.hello.maxPayload - 1_024

const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
