import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'

/** The public key that libp2p makes of a seed. */
export async function keyFromSeed (seed: Uint8Array): Promise<Uint8Array> {
  return Buffer.from((await generateKeyPairFromSeed('Ed25519', seed)).publicKey.raw)
}
