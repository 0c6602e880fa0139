/**
 * A node checks what it knows now and then: an agent that was not heard of for longer than it should is asked itself, so that
 * a dead one is gone before its time to live is over; and the DHT is compared with the index.
 */
import { HEARTBEAT_MS } from './advert.ts'
import { domainsOf } from './interests.ts'
import { messageOf } from '../core/errors.ts'
import { parsePattern } from '../core/capability.ts'
import type { Entry, Index } from './agent-index.ts'
import type { AskOptions, Told } from './ask.ts'
import type { Hints } from './hints.ts'
import type { Measure } from './measure.ts'
import type { Clock, Logger } from '../core/ports.ts'

export interface CheckParts {
  peerId: string
  index: Index
  clock: Clock
  logger: Logger
  hints: Hints
  interests: () => Set<string>
  measure: Measure
  ask: (peer: string, options: AskOptions) => Promise<Told>
  unreachable: (agentId: string, sequence: number) => void
  /** Whether the agents of this peer live, its keepers tell. */
  isSpared: (peer: string) => boolean
}

/** How often, in ms, spread by half; the DHT every fourth time. */
const EVERY_MS = 30_000
const DHT_EACH = 4
/** Not heard of for so many heartbeats, an agent may be dead. */
const OVERDUE = 2.5
/** The DHT may take so long, in ms, and name so many. */
const DHT_MS = 3_000
const DHT_NAMED = 16

/** Checks until it is closed. */
export function createSelfCheck ({ peerId, index, clock, logger, hints, interests, measure, ask, unreachable, isSpared }: CheckParts): { close: () => void } {
  const ended = new AbortController()
  let stop = (): void => {}
  let turn = 0
  again()

  function again (): void {
    stop = clock.after(EVERY_MS * (0.5 + Math.random()), () => {
      check().catch((error: unknown) => { logger.debug('a check of what is known ended early', { why: messageOf(error) }) })
      again()
    })
  }

  async function check (): Promise<void> {
    const domains = interests()
    const entries = index.all().filter(({ source, peerId: peer, capabilities }) => source !== 'local' && !isSpared(peer) && [...domainsOf(capabilities)].some(domain => domains.has(domain)))
    const overdue = oneOf(entries.filter(({ heardAt }) => clock.now() - heardAt > OVERDUE * HEARTBEAT_MS))
    if (overdue !== undefined) await askItself(overdue)
    const one = oneOf(entries)
    if (one !== undefined && ++turn % DHT_EACH === 0) await compareDht(one)
  }

  async function askItself ({ agentId, peerId: peer, endpoints, sequence }: Entry): Promise<void> {
    try {
      await ask(peer, { agentId, addresses: endpoints, signal: ended.signal })
    } catch {
      if (ended.signal.aborted) return
      unreachable(agentId, sequence)
    }
  }

  async function compareDht ({ capabilities }: Entry): Promise<void> {
    const name = oneOf(capabilities)?.name
    if (name === undefined) return
    const known = new Set(index.match(parsePattern(name)).filter(({ source }) => source !== 'local').map(entry => entry.peerId))
    let named = 0
    let missed = 0
    for await (const { peer, addresses } of hints.providers(name, AbortSignal.any([ended.signal, AbortSignal.timeout(DHT_MS)]))) {
      if (peer === peerId) continue
      if (known.has(peer)) named++
      // Only what its own node says counts: the record may be of yesterday.
      else if (await ask(peer, { pattern: name, addresses, source: 'dht', signal: ended.signal }).then(({ news }) => news > 0, () => false)) missed++
      if (named + missed >= DHT_NAMED) break
    }
    measure.looked({ known: Math.min(known.size, DHT_NAMED), named, missed })
  }

  return {
    close: () => {
      ended.abort()
      stop()
    }
  }
}

const oneOf = <T>(list: T[]): T | undefined => list[Math.floor(Math.random() * list.length)]
