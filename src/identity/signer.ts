/** The key an agent acts with at the moment. It lives in memory only, and is replaced long before its credential expires. */
import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { issueCredential, MAX_LIFETIME_MS } from './credential.ts'
import { toDid } from './keys.ts'
import type { Clock, Signer } from '../core/ports.ts'
import { A2aError } from '../core/errors.ts'

export interface SignerParts {
  /** The agent's root key. It signs credentials and nothing else. */
  root: KeyObject
  /** The node it speaks through. */
  peerId: string
  clock: Clock
  /** How long a credential holds; a new one comes at half of it. Default 24 hours, at most 30 days. */
  lifetimeMs?: number
}

export interface RotatingSigner extends Signer {
  /** A new signing key and credential, now. What the old key has signed stays good until the old credential expires. */
  rotate: () => void
  /** Milliseconds since the epoch, of the present credential. */
  notBefore: () => number
  expiresAt: () => number
  /** Called after every rotation, its own or one asked for. Returns the way to stop listening. */
  onRotated: (listener: () => void) => () => void
  /** Ends the rotation by itself. */
  close: () => void
}

interface Term {
  signingKey: KeyObject
  credential: Uint8Array
  notBefore: number
  renewAt: number
  expires: number
}

const DEFAULT_LIFETIME_MS = 24 * 3_600_000

/** @throws A2aError BAD_USAGE when the lifetime is not above 2 seconds and at most 30 days */
export function createSigner ({ root, peerId, clock, lifetimeMs = DEFAULT_LIFETIME_MS }: SignerParts): RotatingSigner {
  if (!(lifetimeMs >= 2_000 && lifetimeMs <= MAX_LIFETIME_MS)) throw new A2aError({ code: 'BAD_USAGE', why: `a credential cannot hold for ${lifetimeMs} ms`, hint: 'choose 2 seconds to 30 days' })
  const listeners = new Set<() => void>()
  let closed = false
  let cancel = (): void => {}
  let term = begin()

  function begin (): Term {
    const now = clock.now()
    const signingKey = generateKeyPairSync('ed25519').privateKey
    const facts = { notBefore: Math.floor(now / 1_000) * 1_000, expires: Math.floor((now + lifetimeMs) / 1_000) * 1_000 }
    const credential = issueCredential({ root, peerId, signingKey: createPublicKey(signingKey), ...facts })
    cancel()
    if (!closed) cancel = clock.after(lifetimeMs / 2, rotate)
    return { signingKey, credential, renewAt: now + lifetimeMs / 2, ...facts }
  }

  function rotate (): void {
    term = begin()
    for (const listener of listeners) listener()
  }

  return {
    agentId: toDid(root),
    credential () {
      // A machine that slept, or whose clock was set, is late with its timer. Here, and not in sign(): the signature
      // that follows must be by the key of the credential given out.
      const now = clock.now()
      if (now >= term.renewAt || now < term.notBefore) rotate()
      return term.credential
    },
    sign: bytes => sign(null, bytes, term.signingKey),
    rotate,
    notBefore: () => term.notBefore,
    expiresAt: () => term.expires,
    onRotated (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },
    close () {
      closed = true
      cancel()
    }
  }
}
