/**
 * Keeping in touch: a node with few connections meets some of those it knows of, so that nobody hangs on the one node that
 * it joined by, and a mesh whose nodes were all restarted comes together again.
 */
import { compose, type Author } from '../wire/compose.ts'
import type { Entry, Index } from './agent-index.ts'
import type { Clock } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

export interface Mingling {
  /** Meets others, if there are too few. What was begun is not begun again. */
  mingle: () => void
  close: () => void
}

/** With so many connections a node is left alone, and so many are dialled at once. */
const ENOUGH = 4
/** How long one may take, in ms. */
const MEET_MS = 5_000
/** How often it is looked after, in ms; spread by half. */
const LOOK_MS = 10_000
/** One that could not be met is not tried again for so long, in ms. */
const AVOID_MS = 60_000
const MAX_AVOIDED = 1_000

export interface MinglingParts {
  net: Net
  index: Index
  clock: Clock
  anyAuthor: () => Author | undefined
  /** It is met in another way, or its address may be that of an earlier run. */
  isSpared: (entry: Entry) => boolean
  /** Nothing answers there. */
  unreachable: (agentId: string, sequence: number) => void
}

export function createMingling ({ net, index, clock, anyAuthor, isSpared, unreachable }: MinglingParts): Mingling {
  const busy = new Set<string>()
  const avoided = new Map<string, number>()
  let stop = (): void => {}
  look()

  function look (): void {
    stop = clock.after(LOOK_MS * (0.5 + Math.random()), () => {
      mingle()
      look()
    })
  }

  function mingle (): void {
    const connected = new Set(net.connected())
    const wanted = ENOUGH - connected.size - busy.size
    if (wanted <= 0) return
    const now = clock.now()
    const strangers = new Map(index.all()
      .filter(entry => entry.endpoints.length > 0 && entry.peerId !== net.peerId && !connected.has(entry.peerId) && !busy.has(entry.peerId) && (avoided.get(entry.peerId) ?? 0) < now && !isSpared(entry))
      .map(entry => [entry.peerId, entry]))
    for (const [, stranger] of sample([...strangers], wanted)) void meet(stranger)
  }

  async function meet ({ peerId, agentId, endpoints: addresses, sequence }: Entry): Promise<void> {
    const author = anyAuthor()
    if (author === undefined) return
    busy.add(peerId)
    try {
      await net.wire.request(peerId, compose('ping', {}, author, { correlationId: author.newId() }), { addresses, timeoutMs: MEET_MS })
    } catch {
      if (avoided.size >= MAX_AVOIDED) avoided.clear()
      avoided.set(peerId, clock.now() + AVOID_MS)
      unreachable(agentId, sequence)
    } finally {
      busy.delete(peerId)
    }
  }

  return { mingle, close: () => { stop() } }
}

/** So many of them, at random. */
function sample<T> (from: T[], count: number): T[] {
  const left = [...from]
  return Array.from({ length: Math.min(count, left.length) }, () => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T)
}
