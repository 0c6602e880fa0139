/**
 * Where in a large mesh an agent's advert is kept: at the nodes closest to keys made of its domain, and of its own id. Two
 * keys for a domain, so that whoever makes identities close to one does not own it. A domain with many agents has more keys, its
 * shards, so that nobody keeps or serves all of them:
 *
 *   level 0: one shard, of a sample;  level n: 2ⁿ shards, each agent in the one that its id says
 */
import { sha256 } from '../wire/hash.ts'

/** Keys of each shard, in different places. */
const COPIES = 2
/** Agents of one shard, about. With more there are more shards. */
export const SHARD = 64
const MAX_LEVEL = 8

/** The level at which a domain with so many agents is spread. */
export const levelOf = (agents: number): number => Math.min(MAX_LEVEL, Math.max(0, Math.ceil(Math.log2(agents / SHARD))))

/** Under which keys an agent is kept in a domain where about `agents` are known. */
export function placesOf (agentId: string, domain: string, agents: number): Uint8Array[] {
  const lot = lotOf(agentId, 'shard')
  // Another one, or the samples of a level would all be of its first shards.
  const luck = lotOf(agentId, 'sample')
  const level = levelOf(agents)
  // Those above hold a sample, so that who needs only some agents asks only there.
  return Array.from({ length: level + 1 }, (_, i) => i)
    .filter(i => i === level || luck < SHARD * 2 ** i / agents)
    .flatMap(i => shardKeys(domain, i, Math.floor(lot * 2 ** i)))
}

/** Where agents of a domain are looked for, level by level: the keys of each shard. */
export const shardsAt = (domain: string, level: number): Uint8Array[][] => Array.from({ length: 2 ** level }, (_, shard) => shardKeys(domain, level, shard))

export const agentKeys = (agentId: string): Uint8Array[] => [toKey(`agent/${agentId}`)]

const shardKeys = (domain: string, level: number, shard: number): Uint8Array[] => Array.from({ length: COPIES }, (_, copy) => toKey(`domain/${domain}/${level}.${shard}/${copy}`))

const toKey = (text: string): Uint8Array => new TextEncoder().encode(`a2a-node/kept/${text}`)

/** A number from 0 to 1 that an id always has. */
function lotOf (agentId: string, purpose: 'shard' | 'sample'): number {
  const hash = sha256(new TextEncoder().encode(`a2a-node/lot/${purpose}/${agentId}`))
  return new DataView(hash.buffer, hash.byteOffset).getUint32(0) / 2 ** 32
}
