/** Tells the adverts of this node's agents to their keepers, to those who become keepers later, and again to those who could not be told. */
import { domainsOf } from './interests.ts'
import { agentKeys, placesOf } from './places.ts'
import { messageOf } from '../core/errors.ts'
import type { Index } from './agent-index.ts'
import type { Capability } from '../core/capability.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Contact, Net } from '../net/net.ts'

export interface Telling {
  /** Tells an advert to its keepers; in a small mesh, once there are. Without `all`, the seconds that know an earlier one keep that. */
  tell: (capabilities: Capability[], envelope: Envelope, all: boolean) => Promise<void>
  /** Who is to keep an agent, the nearest for each of its keys and the second, without this node. */
  keepersOf: (agentId: string, capabilities: ReadonlyArray<Pick<Capability, 'name'>>) => Promise<Keeper[]>
  close: () => void
}

export interface TellingParts {
  net: Net
  clock: Clock
  logger: Logger
  index: Pick<Index, 'match'>
  isLarge: () => boolean
}

/** Closest to one of an agent's keys, or second to such a one everywhere. */
export interface Keeper extends Contact { isFirst: boolean }

/** An agent of this node. */
interface Told {
  capabilities: Capability[]
  envelope: Envelope
  /** Who was told, or is being told. */
  keepers: Set<string>
  /** How often on end somebody could not be told. */
  misses: number
  /** It is told again before long; this stops it. */
  stop?: () => void
}

/** How often it is seen whether nodes came or went, and with them keepers: so long for each node, within bounds, in ms. While a mesh grows, each look has somebody to tell. */
const ADJUST = { ofEachMs: 20, leastMs: 1_000, mostMs: 8_000 } as const
/** A mesh that has grown by this factor since the last look is growing: a second keeper would be another one at the next look. */
const GROWING = 1.02
/** When a keeper is gone, or could not be told, it is tried again after about so long, then twice as long, and so on, in ms; the next heartbeat is another try anyway. */
const RETELL = { firstMs: 1_000, mostMs: 16_000 } as const

export function createTelling ({ net, clock, logger, index, isLarge }: TellingParts): Telling {
  const agents = new Map<string, Told>()
  /** At the last look: how often nodes had come and gone, and how many there were. */
  let seen = { turnover: 0, near: 0 }
  let isGrowing = true
  let isClosed = false
  let stopLooking = (): void => {}
  lookLater()

  const stopListening = net.onPeer(({ type, peer, parted }) => {
    if (type === 'closed') for (const told of agents.values()) if (told.keepers.delete(peer) && parted !== true) tellLater(told)
  })

  /** Those who came since may be closer, and a mesh that was small may be large now: whoever is to keep an agent and was not told of it is. */
  function lookLater (): void {
    stopLooking = clock.after(Math.max(ADJUST.leastMs, Math.min(ADJUST.mostMs, net.dht.near() * ADJUST.ofEachMs)) * (0.5 + Math.random()), () => {
      const now = { turnover: net.dht.turnover(), near: net.dht.near() }
      const hadGrown = isGrowing
      isGrowing = now.near > seen.near * GROWING
      if (isLarge() && (now.turnover !== seen.turnover || hadGrown)) for (const told of agents.values()) void tellNew(told)
      seen = now
      lookLater()
    })
  }

  async function keepersOf (agentId: string, capabilities: ReadonlyArray<Pick<Capability, 'name'>>): Promise<Keeper[]> {
    const keys = [...domainsOf(capabilities)].flatMap(domain => placesOf(agentId, domain, index.match({ labels: [domain], prefix: true }).length))
    const keepers = new Map<string, Keeper>()
    // The second closest is asked by those who do not know the closest yet, and when it dies.
    for (const key of [...keys, ...agentKeys(agentId)]) {
      for (const [i, contact] of (await net.dht.keepers(key, isGrowing ? 1 : 2)).entries()) {
        keepers.set(contact.peer, { ...contact, isFirst: i === 0 || keepers.get(contact.peer)?.isFirst === true })
      }
    }
    keepers.delete(net.peerId)
    return [...keepers.values()]
  }

  /** Those who were not told yet. */
  async function tellNew (told: Told): Promise<void> {
    const keepers = (await keepersOf(told.envelope.from, told.capabilities)).filter(({ peer }) => !told.keepers.has(peer))
    for (const { peer } of keepers) told.keepers.add(peer)
    await send(told, keepers)
  }

  async function send (told: Told, keepers: Contact[]): Promise<void> {
    const { envelope } = told
    net.dht.want(`keepers of ${envelope.from}`, told.keepers)
    const reached = await Promise.all(keepers.map(async ({ peer, addresses }) => {
      try {
        await net.wire.send(peer, envelope, { addresses })
        return true
      } catch (error) {
        logger.debug('a keeper was not told of an advert', { peer, why: messageOf(error) })
        told.keepers.delete(peer)
        return false
      }
    }))
    if (!reached.includes(false)) told.misses = 0
    else {
      told.misses++
      tellLater(told)
    }
  }

  /** Where many nodes start at once, dials fail; and what a keeper does not know is not found where it alone is asked. */
  function tellLater (told: Told): void {
    const waitMs = Math.min(RETELL.mostMs, RETELL.firstMs * 2 ** Math.max(0, told.misses - 1))
    if (isClosed || told.stop !== undefined || agents.get(told.envelope.from) !== told) return
    told.stop = clock.after(waitMs * (0.5 + Math.random()), () => {
      told.stop = undefined
      if (isLarge()) void tellNew(told)
    })
  }

  return {
    async tell (capabilities, envelope, all) {
      const before = agents.get(envelope.from)
      before?.stop?.()
      const told: Told = { capabilities, envelope, keepers: new Set(), misses: 0 }
      agents.set(envelope.from, told)
      if (!isLarge()) return
      const keepers = await keepersOf(envelope.from, capabilities)
      for (const { peer } of keepers) told.keepers.add(peer)
      await send(told, keepers.filter(({ peer, isFirst }) => all || isFirst || before?.keepers.has(peer) !== true))
    },
    keepersOf,
    close () {
      isClosed = true
      stopLooking()
      stopListening()
      for (const { stop } of agents.values()) stop?.()
    }
  }
}
