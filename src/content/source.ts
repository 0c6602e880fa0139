/** The end of a content stream that fetches: one source, and what it says. serve.ts has what is spoken. */
import { A2aError, readFailure } from '../core/errors.ts'
import type { ContentRef, ContentSource } from '../core/content.ts'
import type { Clock } from '../core/ports.ts'
import type { Streams } from '../net/streams.ts'
import { createBitmap, type Bitmap } from './bitmap.ts'
import { CONTENT_PROTOCOL, FETCH } from './limits.ts'
import type { Range } from './plan.ts'
import { createReader, frameOf } from './reader.ts'
import { countOf, HASH_BYTES, parseSources, rootOf, type Tree } from './tree.ts'

export interface Source {
  readonly peer: string
  readonly tree: Tree
  /** Whether it says that it has a chunk. */
  has: (index: number) => boolean
  whole: () => boolean
  /** Others that it knows of. */
  others: () => ContentSource[]
  ask: (range: Range) => Promise<void>
  /** Asks what it has by now, and who else. */
  look: () => Promise<void>
  /** What comes next: chunks, whose bytes must then be taken with `take`; or news. @throws the failure that it states; PEER_UNREACHABLE at its end */
  next: () => Promise<Range | 'news'>
  take: (target: Uint8Array) => Promise<void>
  close: (why: string) => void
}

export interface SourceParts {
  streams: Pick<Streams, 'open'>
  clock: Clock
  ref: ContentRef
  /** What is known of the content; else it is asked for. */
  tree?: Tree
  /** Addresses at which others may fetch it from us. */
  keeps?: string[]
  signal: AbortSignal
}

/** @throws A2aError PEER_UNREACHABLE, NO_REPLY, MESSAGE_MALFORMED, CONTENT_UNKNOWN, CONTENT_CHANGED */
export async function openSource ({ peer, addresses }: ContentSource, { streams, clock, ref, tree: known, keeps, signal }: SourceParts): Promise<Source> {
  const stream = await streams.open(peer, CONTENT_PROTOCOL, { addresses, timeoutMs: FETCH.connectMs, signal })
  const reader = createReader(stream, clock)
  const abort = (): void => { stream.abort('it is not wanted any more') }
  const count = countOf(ref)
  let map: Bitmap | undefined
  let others: ContentSource[] = []

  async function frame (withinMs: number): Promise<Record<string, unknown>> {
    const value = await reader.frame(withinMs)
    if (value === undefined) throw new A2aError({ code: 'PEER_UNREACHABLE', peer, why: 'it ended the transfer' })
    if (value.failure === undefined) return value
    const failure = readFailure(value.failure)
    throw new A2aError(failure ?? { code: 'INTERNAL', why: 'the source failed in a way that is not known here' })
  }

  function hear (news: Record<string, unknown>): void {
    map = news.whole === true ? undefined : createBitmap(count, typeof news.map === 'string' ? news.map : '')
    others = parseSources(news.sources)
  }

  async function readTree (): Promise<Tree> {
    const { hash, bytes, chunkBytes } = ref
    const hashes = new Uint8Array(count * HASH_BYTES)
    if (count > 0) await reader.take(hashes, FETCH.chunkMs)
    if (rootOf({ bytes, chunkBytes, hashes }) !== hash) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'its list of hashes is not that of the content' })
    return { hash, bytes, chunkBytes, hashes }
  }

  signal.addEventListener('abort', abort, { once: true })
  stream.closed.addEventListener('abort', () => { signal.removeEventListener('abort', abort) }, { once: true })
  try {
    await stream.write(frameOf({ hash: ref.hash, key: ref.key, tree: known === undefined, keeps: keeps !== undefined, addresses: keeps?.slice(0, FETCH.addresses) }))
    hear(await frame(FETCH.answerMs))
    const tree = known ?? await readTree()
    return {
      peer, tree,
      has: index => map?.has(index) ?? true,
      whole: () => map === undefined,
      others: () => others,
      ask: range => stream.write(frameOf(range)),
      look: () => stream.write(frameOf({ look: true })),
      next: async () => {
        const value = await frame(FETCH.chunkMs)
        const { from, count: size } = value
        if (typeof from === 'number' && typeof size === 'number') return { from, count: size }
        hear(value)
        return 'news'
      },
      take: target => reader.take(target, FETCH.chunkMs),
      close: why => { stream.abort(why) }
    }
  } catch (error) {
    stream.abort('it is no good')
    throw error
  }
}
