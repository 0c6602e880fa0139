/**
 * Credentials: what an agent's root key says about one node, "this peer and this signing key speak for me, for a while".
 * Encoded as in wire/envelope.proto; the root key signs `a2a-node/credential/1`, a zero byte, and the statement.
 */
import { sign, verify, type KeyObject } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { A2aError } from '../core/errors.ts'
import { Credential, CredentialStatement } from '../wire/generated/envelope.js'
import { hashOf } from '../wire/hash.ts'
import { importPublicKey, publicKeyOf, rawPublicKey, toDid } from './keys.ts'
import type { Speaker } from '../core/ports.ts'

/** The largest encoded credential. */
export const MAX_CREDENTIAL = 1_024
/** The longest time a credential may hold: 30 days. */
export const MAX_LIFETIME_MS = 30 * 24 * 3_600_000
/** How far two machines' clocks may differ. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000
const VERSION = 1
const DOMAIN = new TextEncoder().encode('a2a-node/credential/1\0')
const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]{8,128}$/

export interface CredentialFacts {
  root: KeyObject
  /** The node's peer id, in base58. */
  peerId: string
  /** The key that will sign messages; its private half is not needed. */
  signingKey: KeyObject
  /** Milliseconds since the epoch; the credential carries whole seconds. */
  notBefore: number
  expires: number
}

export interface VerifiedCredential extends Speaker {
  /** Public. */
  signingKey: KeyObject
  /** Milliseconds since the epoch. */
  notBefore: number
  expires: number
}

/** Credentials whose signature holds, by the hash of their bytes. Their times are looked at at every use. */
const verified = new LRUCache<string, VerifiedCredential>({ max: 8_192 })

/** @throws A2aError CREDENTIAL_INVALID when nobody would accept it */
export function issueCredential ({ root, peerId, signingKey, notBefore, expires }: CredentialFacts): Uint8Array {
  const statement = CredentialStatement.encode({
    version: VERSION,
    agent: toDid(root),
    peer: peerId,
    signingKey: Uint8Array.from(rawPublicKey(signingKey)),
    notBefore: BigInt(Math.floor(notBefore / 1_000)),
    expires: BigInt(Math.floor(expires / 1_000))
  })
  open(statement)
  return Credential.encode({ statement, signature: Uint8Array.from(sign(null, toSign(statement), root)) })
}

/**
 * Who a credential lets speak, and with which key.
 * @param now milliseconds since the epoch; for a kept proof, the time it was made
 * @throws A2aError CREDENTIAL_INVALID
 */
export function verifyCredential (bytes: Uint8Array, now: number): VerifiedCredential {
  if (bytes.length > MAX_CREDENTIAL) throw invalid(`it has ${bytes.length} bytes, more than ${MAX_CREDENTIAL}`)
  const hash = hashOf(bytes)
  let credential = verified.get(hash)
  if (credential === undefined) verified.set(hash, credential = check(bytes))
  if (now < credential.notBefore - CLOCK_TOLERANCE_MS) throw invalid(`it holds only from ${iso(credential.notBefore)}, and it is ${iso(now)}`)
  if (now >= credential.expires + CLOCK_TOLERANCE_MS) throw invalid(`it expired at ${iso(credential.expires)}, and it is ${iso(now)}`)
  return credential
}

function check (bytes: Uint8Array): VerifiedCredential {
  const { statement, signature } = decode(() => Credential.decode(bytes))
  const credential = open(statement)
  // Only the statement is signed. One credential has one form, or anybody could make endless others of it.
  if (!Buffer.from(Credential.encode({ statement, signature })).equals(bytes)) throw invalid('there is more in it than a statement and its signature')
  if (!verify(null, toSign(statement), publicKeyOf(credential.agentId), signature)) throw invalid(`${credential.agentId} did not sign it`)
  return credential
}

function open (statement: Uint8Array): VerifiedCredential {
  const { version, agent, peer, signingKey, notBefore, expires } = decode(() => CredentialStatement.decode(statement))
  if (version !== VERSION) throw invalid(`its version is ${version}, only ${VERSION} is known`)
  if (!PEER_ID.test(peer)) throw invalid('it names no peer')
  if (signingKey.length !== 32) throw invalid('its signing key is not of 32 bytes')
  publicKeyOf(agent)
  const times = { notBefore: Number(notBefore) * 1_000, expires: Number(expires) * 1_000 }
  const lifetime = times.expires - times.notBefore
  // The second half keeps the times within what a Date can show.
  if (lifetime <= 0 || lifetime > MAX_LIFETIME_MS || times.expires > 8.64e15 - CLOCK_TOLERANCE_MS) throw invalid(`it holds for ${lifetime / 1_000} s, which must be above 0 and at most 30 days`)
  return { agentId: agent, peerId: peer, signingKey: importPublicKey(signingKey), ...times }
}

function decode<T> (read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new A2aError({ code: 'CREDENTIAL_INVALID', why: 'it cannot be read' }, { cause: error })
  }
}

const toSign = (statement: Uint8Array): Uint8Array => Buffer.concat([DOMAIN, statement])
const iso = (at: number): string => Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at)
const invalid = (why: string): A2aError => new A2aError({ code: 'CREDENTIAL_INVALID', why })
