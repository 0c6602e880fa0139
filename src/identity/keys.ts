/**
 * Ed25519 root and node keys: as files (PKCS#8 PEM), as `did:key`, as seeds for libp2p. Always KeyObjects: node:crypto
 * imports a raw key anew at every use, which costs more than the signature.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { LRUCache } from 'lru-cache'
import { base58btc } from 'multiformats/bases/base58'
import { A2aError, messageOf } from '../core/errors.ts'

const DID_PREFIX = 'did:key:'
/** Multicodec `ed25519-pub`, as a varint. */
const ED25519_PUB = [0xed, 0x01] as const
const KEY_BYTES = 32
/** PKCS#8 of an Ed25519 key up to its seed (RFC 8410). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')
const MAX_DID = 64
const MAX_KEY_FILE = 4_096

/** Keys of agents heard of. The least recently used is parsed again when it comes back. */
const known = new LRUCache<string, KeyObject>({ max: 4_096 })

/**
 * The private key in `file`; a new one, written before it is returned, when there is none. Never overwrites anything:
 * of two processes that begin at once, both get the key of the faster one.
 * @throws A2aError KEY_INVALID, HOME_UNUSABLE
 */
export async function loadOrCreateKey (file: string): Promise<KeyObject> {
  try {
    const existing = await load(file)
    if (existing !== undefined) return existing
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await create(file)
    return await load(file) ?? fail(file, 'it vanished after it was written')
  } catch (error) {
    if (error instanceof A2aError) throw error
    throw new A2aError({ code: 'HOME_UNUSABLE', home: dirname(file), why: messageOf(error) }, { cause: error })
  }
}

/** The 32 bytes an Ed25519 private key is made of (RFC 8032). */
export function seedOf (key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url')
}

/** The private key of a seed of 32 bytes. */
export function keyOfSeed (seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
}

/** The 32 bytes of an Ed25519 public key; of a private key, those of its public half. */
export function rawPublicKey (key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url')
}

/** The public key of its 32 bytes. */
export function importPublicKey (raw: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(raw).toString('base64url') }, format: 'jwk' })
}

/** `did:key:z6Mk…` (W3C did:key) of an Ed25519 key, public or private. */
export function toDid (key: KeyObject): string {
  return DID_PREFIX + base58btc.encode(Uint8Array.of(...ED25519_PUB, ...rawPublicKey(key)))
}

/** The libp2p peer id of a node's key: base58btc of the identity multihash of its protobuf public key (libp2p peer id spec). */
export function toPeerId (key: KeyObject): string {
  return base58btc.baseEncode(Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20, ...rawPublicKey(key)))
}

/**
 * The public key that a `did:key` is.
 * @throws A2aError CREDENTIAL_INVALID when it is not one, or not of Ed25519
 */
export function publicKeyOf (did: string): KeyObject {
  const hit = known.get(did)
  if (hit !== undefined) return hit
  const key = importPublicKey(parseDid(did))
  known.set(did, key)
  return key
}

function parseDid (did: string): Uint8Array {
  const bytes = did.length <= MAX_DID && did.startsWith(DID_PREFIX) ? decodeBase58(did.slice(DID_PREFIX.length)) : undefined
  if (bytes?.length !== ED25519_PUB.length + KEY_BYTES || ED25519_PUB.some((byte, i) => bytes[i] !== byte)) {
    throw new A2aError({ code: 'CREDENTIAL_INVALID', why: `"${did.slice(0, MAX_DID)}" is no did:key of an Ed25519 key` })
  }
  return bytes.subarray(ED25519_PUB.length)
}

function decodeBase58 (text: string): Uint8Array | undefined {
  try {
    return base58btc.decode(text)
  } catch {
    return undefined
  }
}

async function load (file: string): Promise<KeyObject | undefined> {
  const handle = await open(file, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    const { mode, size } = await handle.stat()
    // Windows has no such bits: its home folders are private by their access lists.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) fail(file, `other users can read it (mode ${(mode & 0o777).toString(8).padStart(4, '0')}): if it was never copied, chmod 600 makes it good`)
    if (size > MAX_KEY_FILE) fail(file, 'it is too large for a key')
    return parse(file, await handle.readFile('utf8').catch((error: unknown) => fail(file, messageOf(error))))
  } finally {
    await handle.close()
  }
}

function parse (file: string, pem: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pem, format: 'pem' })
  } catch (error) {
    fail(file, `it is no private key in PKCS#8 PEM (${messageOf(error)})`)
  }
  if (key.asymmetricKeyType !== 'ed25519') fail(file, `it is a key of ${key.asymmetricKeyType}, not of Ed25519`)
  return key
}

/** A link, and not a rename: it fails where a file has come into being meanwhile. */
async function create (file: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }))
    await handle.sync()
    await link(temporary, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } finally {
    await handle.close()
    await unlink(temporary)
  }
  await syncFolder(dirname(file))
}

async function syncFolder (folder: string): Promise<void> {
  if (process.platform === 'win32') return // folders cannot be opened there
  const handle = await open(folder, 'r')
  await handle.sync().finally(() => handle.close())
}

function fail (file: string, why: string): never {
  throw new A2aError({ code: 'KEY_INVALID', file, why })
}
