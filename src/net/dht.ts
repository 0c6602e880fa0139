/** Provider records of Kademlia, under the SHA-256 of a key. */
import { LRUCache } from 'lru-cache'
import { CID } from 'multiformats/cid'
import { code as rawCodec } from 'multiformats/codecs/raw'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { SingleKadDHT } from '@libp2p/kad-dht'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { sha256 } from '../wire/hash.ts'
import { spread, type Host } from './libp2p.ts'
import type { Keepers } from './keepers.ts'
import { CONNECTIONS, KAD } from './limits.ts'
import { createLanes } from './pace.ts'
import type { Dht } from './net.ts'

/** Multihash code of SHA-256. */
const SHA2_256 = 0x12

export interface DhtParts {
  host: Host
  keepers: Keepers
  clock: Clock
  logger: Logger
}

/** Keys that were put lately and are remembered. */
const MAX_PROVIDED = 4_096

/**
 * What libp2p's Kademlia does by itself costs connections: each peer of its table and each that a query passes is dialled. Where all
 * nodes are in the folder of the user it is not needed, and nothing is done.
 */
export function createDht ({ host, keepers, clock, logger }: DhtParts): Dht & { close: () => void } {
  const { dht } = host.services
  const provided = new LRUCache<string, { at: number, peers: number }>({ maxSize: MAX_PROVIDED, sizeCalculation: () => 1 })
  /** Nobody says that a record came: more at once than a peer takes streams are lost without a word. */
  const turn = createLanes(KAD.providing)
  const waiting = new Set<string>()
  let cancelLook = lookLater(KAD.firstLookMs)

  const tableSize = (): number => (dht as SingleKadDHT).routingTable.size

  function lookLater (ms: number): () => void {
    return clock.after(spread(ms), () => {
      if (keepers.hasOutsiders()) look().catch((error: unknown) => { logger.debug('a look around in the DHT ended early', { why: messageOf(error) }) })
      cancelLook = lookLater(KAD.lookMs)
    })
  }

  /** Our own neighbours, who are asked for what we should keep. */
  async function look (): Promise<void> {
    for await (const event of dht.getClosestPeers(host.peerId.toMultihash().bytes, { signal: AbortSignal.timeout(KAD.lookingMs) })) {
      if (event.name === 'QUERY_ERROR') logger.debug('a peer of the DHT does not answer', { peer: event.from.toString(), why: event.error.message })
    }
  }

  async function put (cid: CID): Promise<void> {
    waiting.add(cid.toString())
    const end = await turn('put')
    try {
      // Unless it was taken back meanwhile.
      if (waiting.delete(cid.toString())) await host.contentRouting.provide(cid, { signal: AbortSignal.timeout(KAD.puttingMs) })
    } catch (error) {
      provided.delete(cid.toString())
      // Nobody to tell yet: the record is kept here, and told again by libp2p's reprovider.
      logger.debug('a provider record reached nobody', { why: messageOf(error) })
    } finally {
      end()
    }
  }

  function isProvided (cid: CID): boolean {
    const last = provided.get(cid.toString())
    return last !== undefined && clock.now() - last.at < KAD.reprovideMs && tableSize() < last.peers * KAD.growth
  }

  return {
    keepers: keepers.keepers,
    near: keepers.near,
    turnover: keepers.turnover,
    isNear: keepers.isNear,
    want: keepers.want,
    close: () => {
      cancelLook()
      waiting.clear()
    },
    async provide (key) {
      if (!keepers.hasOutsiders()) return
      const all = placesOf(key)
      // Those who are closest to one place are all there are: they would get it three times.
      const places = (tableSize() <= KAD.closest ? all.slice(0, 1) : all).filter(place => !isProvided(place))
      for (const cid of places) provided.set(cid.toString(), { at: clock.now(), peers: tableSize() })
      await Promise.all(places.map(put))
    },
    async withdraw (key) {
      for (const cid of placesOf(key)) {
        provided.delete(cid.toString())
        waiting.delete(cid.toString())
        await dht.cancelReprovide(cid)
      }
    },
    async * providers (key, signal) {
      if (!keepers.hasOutsiders()) return
      const seen = new Set<string>()
      try {
        for await (const event of merge(...placesOf(key).map(cid => dht.findProviders(cid, { signal })))) {
          if (event.name !== 'PROVIDER') continue
          // Of one answer only some: a liar would name its own until nobody else is heard.
          for (const { id, multiaddrs } of event.providers.slice(0, KAD.namedByOne)) {
            const peer = id.toString()
            if (seen.has(peer)) continue
            seen.add(peer)
            yield { peer, addresses: multiaddrs.slice(0, CONNECTIONS.addresses).map(String) }
          }
        }
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('a search for providers ended early', { why: messageOf(error) })
      }
    },
    status: () => ({ mode: dht.getMode(), peers: tableSize() })
  }
}

/**
 * Where the records of a key are: three places, so that who makes identities close to one does not hide the others. The first is
 * where all versions look.
 */
export const placesOf = (key: Uint8Array): CID[] => ['', '/1', '/2'].map(copy => CID.createV1(rawCodec, createDigest(SHA2_256, sha256(Buffer.concat([key, Buffer.from(copy)])))))

/** Of several, what comes first. */
async function * merge<T> (...sources: Array<AsyncIterable<T>>): AsyncGenerator<T> {
  const iterators = sources.map(source => source[Symbol.asyncIterator]())
  const waiting = new Map(iterators.map(iterator => [iterator, take(iterator)]))
  try {
    while (waiting.size > 0) {
      const { iterator, result } = await Promise.race(waiting.values())
      if (result.done === true) waiting.delete(iterator)
      else {
        waiting.set(iterator, take(iterator))
        yield result.value
      }
    }
  } finally {
    await Promise.allSettled(iterators.map(iterator => iterator.return?.()))
  }
}

const take = async <T>(iterator: AsyncIterator<T>): Promise<{ iterator: AsyncIterator<T>, result: IteratorResult<T> }> => ({ iterator, result: await iterator.next() })
