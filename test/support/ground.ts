/** Identities ground close to where a capability's provider records are, and whether honest providers are found all the same. */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { FromLiars, ToLiars } from './liars.ts'
import { clock, folder } from '../net/support.ts'
import { createNode, type FoundAgent, type HostedNode } from '../../src/index.ts'
import { keyOfSeed, rawPublicKey } from '../../src/identity/keys.ts'
import { createNet } from '../../src/net/create.ts'
import { placesOf } from '../../src/net/dht.ts'
import type { Net } from '../../src/net/net.ts'

export interface GroundOptions {
  liars: number
  /** Of the three places of a key, at how many of them. */
  places: number
  /** Keys that are tried for all of them. */
  tries: number
  /** Newcomers, each of which looks once. */
  finds: number
  /** Those who offer nothing keep Kademlia's records and know no adverts: as in a mesh where whoever one meets has not heard of the capability. */
  byRecords?: boolean
}

export interface Ground {
  found: number
  finds: number
  /** How long those took, in ms. */
  ms: number[]
  /** By which way the first honest one came to be known. */
  sources: Record<string, number>
}

const CAPABILITY = 'data.ground.find'
const BYSTANDERS = 9
const PROVIDERS = 3
const SETTLE_MS = 3_000
const FIND_MS = 3_000
const LIAR_PROCESSES = 2

/** A find of each newcomer: 12 honest nodes as if on machines of their own, 3 of which offer what is looked for. */
export async function findAmongLiars ({ liars, places, tries, finds, byRecords = false }: GroundOptions): Promise<Ground> {
  const bystanders: Array<AsyncDisposable & { addresses: () => string[] }> = []
  const providers: HostedNode[] = []
  const children: ChildProcess[] = []
  const logger = { debug () {}, info () {}, warn () {}, error () {} }
  const listen = ['/ip4/127.0.0.1/tcp/0']
  /** By one of those who offer nothing. */
  const bootstrap = (): string[] => bystanders[Math.floor(Math.random() * bystanders.length)]?.addresses() ?? []
  const begin = async (): Promise<HostedNode> => {
    // A folder for each: nobody is known by it, and nobody is the same user.
    const node = await createNode({ home: folder(), rendezvous: folder(), listen, mdns: false, bootstrap: bootstrap(), logger })
    await node.joined(2_000)
    return node
  }
  const beginBare = async (): Promise<Net> => {
    const net = await createNet({ seed: randomBytes(32), rendezvous: folder(), listen, mdns: false, bootstrap: bootstrap(), credentials: () => [], clock, logger })
    await net.begin()
    await net.joined(2_000)
    return net
  }
  try {
    while (bystanders.length < BYSTANDERS) bystanders.push(byRecords ? await beginBare() : await begin())
    const seeds = ground(new TextEncoder().encode(`a2a-node/capability/${CAPABILITY}`), liars, places, tries)
    // The liars are there before the records are.
    await conspire(seeds, bystanders.map(node => node.addresses()[0] ?? ''), children)
    const honest = new Set<string>()
    while (providers.length < PROVIDERS) {
      const node = await begin()
      providers.push(node)
      await node.agents[0]?.provide(CAPABILITY, { run: () => 1, public: true })
      honest.add(node.agents[0]?.id ?? '')
    }
    // For the records to be put.
    await new Promise<void>(resolve => { clock.after(SETTLE_MS, resolve) })
    const result: Ground = { found: 0, finds, ms: [], sources: {} }
    for (let i = 0; i < finds; i++) {
      const newcomer = await begin()
      const begun = performance.now()
      const found: FoundAgent[] = await newcomer.find(CAPABILITY, { timeoutMs: FIND_MS })
      const first = found.find(({ agentId }) => honest.has(agentId))
      if (first !== undefined) {
        result.found++
        result.ms.push(performance.now() - begun)
      }
      const source = first?.source ?? 'nobody'
      result.sources[source] = (result.sources[source] ?? 0) + 1
      await newcomer[Symbol.asyncDispose]()
    }
    return result
  } finally {
    for (const child of children) child.disconnect()
    await Promise.all([...children.map(child => once(child, 'exit')), ...[...bystanders, ...providers].map(node => node[Symbol.asyncDispose]())])
  }
}

/** Seeds whose peer ids are the closest to the places of a key, of so many that were tried. */
function ground (key: Uint8Array, count: number, places: number, tries: number): string[] {
  const keys = Array.from({ length: tries }, () => {
    const seed = randomBytes(32)
    const id = peerIdFromPrivateKey(privateKeyFromRaw(Uint8Array.from([...seed, ...rawPublicKey(keyOfSeed(seed))])))
    return { seed: seed.toString('hex'), place: sha256(id.toMultihash().bytes) }
  })
  const targets = placesOf(key).slice(0, places).map(({ multihash }) => sha256(multihash.bytes))
  return targets.flatMap(target => {
    const distance = (place: Buffer): number => (place.readUInt32BE() ^ target.readUInt32BE()) >>> 0
    return keys.sort((a, b) => distance(a.place) - distance(b.place)).splice(0, Math.ceil(count / places)).map(({ seed }) => seed)
  }).slice(0, count)
}

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

async function conspire (seeds: string[], victims: string[], children: ChildProcess[]): Promise<void> {
  const conspirators: string[] = []
  const told = async (child: ChildProcess, message: ToLiars): Promise<FromLiars> => {
    const answer = once(child, 'message')
    child.send(message)
    const [said] = await answer as [FromLiars]
    return said
  }
  for (let i = 0; i < LIAR_PROCESSES; i++) {
    const child = fork(join(import.meta.dirname, 'liars.ts'))
    children.push(child)
    const said = await told(child, { seeds: seeds.filter((_, n) => n % LIAR_PROCESSES === i), victims })
    if (said !== 'ready') conspirators.push(...said.addresses)
  }
  await Promise.all(children.map(child => told(child, { conspirators })))
}
