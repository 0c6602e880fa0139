/**
 * Noise as @libp2p/noise speaks it, with less work for each record. Protocol, handshake and cipher are the stock ones, and
 * any Noise will do at the other end. What differs is how bytes get in and out (docs/performance.md has what each gains):
 *
 *   muxer → all frames of one turn in one record → cipher with a cached key → one write a record → socket
 *   socket → records put together in one place → cipher → muxer
 */
import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, createSecretKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { noise } from '@libp2p/noise'
import type { ConnectionEncrypter, MessageStream, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'
import { speedUp } from './records.ts'

type Bytes = Uint8Array | Uint8ArrayList
type Components = Parameters<ReturnType<typeof noise>>[0]

/** Of the crypto of @libp2p/noise 17.0, a public field of its encrypter, from which handshakes take it. */
interface Cipher {
  encrypt: (plaintext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array) => Bytes
  decrypt: (ciphertext: Bytes, nonce: Uint8Array, ad: Uint8Array, key: Uint8Array, place?: Uint8Array) => Bytes
}

interface Agreement {
  generateKeypair: () => KeyPair
  dh: (pair: KeyPair, remote: Bytes) => Uint8Array
}

interface KeyPair { publicKey: Bytes, privateKey: Bytes }

const TAG_BYTES = 16
/** From here OpenSSL is faster than the stock cipher for small messages, which is WebAssembly. */
const OPENSSL_BYTES = 512

/** An encrypter for libp2p. */
export const fastNoise = () => (components: Components): ConnectionEncrypter => {
  const stock = noise()(components) as ConnectionEncrypter & { crypto: Cipher }
  stock.crypto = { ...stock.crypto, ...cachedKeys(stock.crypto), ...keptKeys() }

  async function secured<T> (raw: MessageStream, secure: Promise<SecuredConnection<T>>): Promise<SecuredConnection<T>> {
    const result = await secure
    speedUp(raw, result.connection)
    return result
  }

  return {
    protocol: stock.protocol,
    secureInbound: (raw, options?: SecureConnectionOptions) => secured(raw, stock.secureInbound(raw, options)),
    secureOutbound: (raw, options?: SecureConnectionOptions) => secured(raw, stock.secureOutbound(raw, options))
  }
}

/** ChaCha20-Poly1305 (RFC 8439). The stock one imports the raw key for each message, which takes longer than a small message itself. */
function cachedKeys (stock: Cipher): Cipher {
  const keys = new WeakMap<Uint8Array, KeyObject>()

  function keyOf (raw: Uint8Array): KeyObject {
    const known = keys.get(raw)
    if (known !== undefined) return known
    const key = createSecretKey(raw)
    keys.set(raw, key)
    return key
  }

  return {
    encrypt (plaintext, nonce, ad, key) {
      if (plaintext.byteLength < OPENSSL_BYTES) return stock.encrypt(plaintext, nonce, ad, key)
      const cipher = createCipheriv('chacha20-poly1305', keyOf(key), nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
      const ciphertext = cipher.update(plaintext.subarray())
      cipher.final()
      return new Uint8ArrayList(ciphertext, cipher.getAuthTag())
    },
    decrypt (ciphertext, nonce, ad, key, place) {
      if (ciphertext.byteLength < OPENSSL_BYTES) return stock.decrypt(ciphertext, nonce, ad, key, place)
      const length = ciphertext.byteLength - TAG_BYTES
      const decipher = createDecipheriv('chacha20-poly1305', keyOf(key), nonce, { authTagLength: TAG_BYTES })
      decipher.setAAD(ad, { plaintextLength: length })
      decipher.setAuthTag(ciphertext.subarray(length))
      const plaintext = decipher.update(ciphertext.subarray(0, length))
      // Throws when a byte was changed.
      decipher.final()
      return plaintext
    }
  }
}

/** X25519 (RFC 7748). The stock one imports the private key for each of the three agreements of a handshake, which takes longer than the agreement. */
function keptKeys (): Agreement {
  const keys = new WeakMap<KeyPair, KeyObject>()

  /** That of the node was made before, by the stock one. */
  function keyOf (pair: KeyPair): KeyObject {
    const known = keys.get(pair)
    if (known !== undefined) return known
    const key = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', d: base64(pair.privateKey), x: base64(pair.publicKey) } })
    keys.set(pair, key)
    return key
  }

  return {
    generateKeypair () {
      const { privateKey } = generateKeyPairSync('x25519')
      const { x = '', d = '' } = privateKey.export({ format: 'jwk' })
      const pair = { publicKey: Buffer.from(x, 'base64url'), privateKey: Buffer.from(d, 'base64url') }
      keys.set(pair, privateKey)
      return pair
    },
    dh: (pair, remote) => diffieHellman({ privateKey: keyOf(pair), publicKey: createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x: base64(remote) } }) })
  }
}

const base64 = (bytes: Bytes): string => Buffer.from(bytes.subarray()).toString('base64url')
