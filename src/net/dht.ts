/** Provider records of Kademlia, under the SHA-256 of a key. */
import { CID } from 'multiformats/cid'
import { code as rawCodec } from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { SingleKadDHT } from '@libp2p/kad-dht'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { sha256 } from '../wire/hash.ts'
import type { Host } from './libp2p.ts'
import { CONNECTIONS } from './limits.ts'
import type { Dht } from './net.ts'

/** Multihash code of SHA-256. */
const SHA2_256 = 0x12

export function createDht (host: Host, logger: Logger): Dht {
  const { dht } = host.services
  const cidOf = (key: Uint8Array): CID => CID.createV1(rawCodec, createDigest(SHA2_256, sha256(key)))

  return {
    async provide (key, signal) {
      try {
        await host.contentRouting.provide(cidOf(key), { signal })
      } catch (error) {
        signal.throwIfAborted()
        // Nobody to tell yet: the record is kept here, and told again by libp2p's reprovider.
        logger.debug('a provider record reached nobody', { why: messageOf(error) })
      }
    },
    async * providers (key, signal) {
      try {
        for await (const { id, multiaddrs } of host.contentRouting.findProviders(cidOf(key), { signal })) {
          yield { peer: id.toString(), addresses: multiaddrs.slice(0, CONNECTIONS.addresses).map(String) }
        }
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('a search for providers ended early', { why: messageOf(error) })
      }
    },
    status: () => ({ mode: dht.getMode(), peers: (dht as SingleKadDHT).routingTable.size })
  }
}
