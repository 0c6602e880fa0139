/**
 * The end of a content stream that has it. The fetcher speaks first:
 *
 *   { hash, key, tree, keeps?, addresses? }  →  { whole, map?, sources } and, when `tree`, the hashes of all chunks
 *   { from, count }                          →  for each run of chunks { from, count } and their bytes; or { failure } for the rest
 *   { look: true }                           →  { whole, map?, sources }
 */
import { timingSafeEqual } from 'node:crypto'
import * as z from 'zod/mini'
import { A2aError, messageOf, toFailure, type Failure } from '../core/errors.ts'
import type { ContentSource } from '../core/content.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { createBudget } from '../net/budget.ts'
import { createSpare } from '../net/memory.ts'
import type { ByteStream } from '../net/streams.ts'
import { createBitmap } from './bitmap.ts'
import type { Holding, Keeper } from './keep.ts'
import { FETCH, SERVE } from './limits.ts'
import { createReader, frameOf } from './reader.ts'
import { Addresses, countOf, lengthOf } from './tree.ts'

const text = z.string().check(z.maxLength(64))
const Open = z.object({ hash: text, key: text, tree: z.boolean(), keeps: z.optional(z.boolean()), addresses: z.optional(Addresses) })
const Ask = z.union([z.object({ look: z.literal(true) }), z.object({ from: z.int().check(z.gte(0)), count: z.int().check(z.gte(1), z.lte(SERVE.chunksPerRequest)) })])

export interface ServerParts {
  keeper: Pick<Keeper, 'holding'>
  clock: Clock
  logger: Logger
}

/** Those who fetch a content, and keep it for others. */
interface Fetcher extends ContentSource { until: number }

/** Buffers that are kept to read into. */
const SPARE = 8

/** Answers content streams. */
export function createServer ({ keeper, clock, logger }: ServerParts): (stream: ByteStream) => void {
  const fetchers = new Map<string, Map<string, Fetcher>>()
  const take = createSpare(SPARE)
  let streams = 0

  async function serve (stream: ByteStream): Promise<void> {
    const reader = createReader(stream, clock)
    const first = await reader.frame(FETCH.answerMs)
    if (first === undefined) return
    if (streams > SERVE.streams) throw new A2aError({ code: 'OVERLOADED', what: 'transfers of content', limit: SERVE.streams })
    const { hash, key, tree, keeps = false, addresses = [] } = read(Open, first)
    const holding = await keeper.holding(hash)
    if (holding === undefined || !isKey(holding.key, key)) throw new A2aError({ code: 'CONTENT_UNKNOWN', hash, peer: stream.peer })
    const leave = keeps ? remember(hash, { peer: stream.peer, addresses }) : () => {}
    try {
      await write(stream, frameOf(state(holding, stream.peer)))
      if (tree && holding.tree.hashes.length > 0) await write(stream, holding.tree.hashes)
      await answer(stream, reader, holding)
    } finally {
      leave()
    }
  }

  async function answer (stream: ByteStream, reader: ReturnType<typeof createReader>, holding: Holding): Promise<void> {
    const reading = await holding.read()
    const budget = createBudget(SERVE.asksPerSecond, SERVE.asksAtOnce, clock.now)
    let writing: Promise<void> = Promise.resolve()

    /** One answer after the other; the next run is read while one is written. */
    async function say (answer: () => Promise<void>): Promise<void> {
      await writing
      writing = answer()
      // It is awaited before the next; one that fails before that is no accident.
      writing.catch(() => {})
    }

    async function send ({ from, count }: { from: number, count: number }): Promise<void> {
      const { tree } = holding
      const end = from + count
      if (end > countOf(tree)) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'there are not so many chunks' })
      for (let at = from; at < end;) {
        const run = runOf(holding, at, end)
        if (run.count === 0) {
          const failure: Failure = { code: 'CONTENT_UNAVAILABLE', hash: tree.hash, why: `chunk ${at} is not here yet` }
          return await say(() => write(stream, frameOf({ from: at, count: end - at, failure })))
        }
        const bytes = take(run.bytes)
        await reading.take(bytes, at * tree.chunkBytes)
        await say(() => write(stream, frameOf({ from: run.from, count: run.count })).then(() => pour(stream, bytes, holding)))
        at += run.count
      }
    }

    try {
      for (;;) {
        const frame = await reader.frame(SERVE.idleMs)
        if (frame === undefined) break
        while (!budget.take()) await new Promise<void>(resolve => { clock.after(budget.waitMs(1), resolve) })
        const ask = read(Ask, frame)
        if ('look' in ask) await say(() => write(stream, frameOf(state(holding, stream.peer))))
        else await send(ask)
      }
    } finally {
      // What was promised comes before what went wrong.
      await writing.catch(() => {})
      await reading.close()
    }
    await writing
    await stream.end()
  }

  /** Chunks from `at` on that are here, as many as are read at once. */
  function runOf ({ tree, has }: Holding, at: number, end: number): { from: number, count: number, bytes: number } {
    let bytes = 0
    let next = at
    for (; next < end && has(next) && (bytes === 0 || bytes + lengthOf(tree, next) <= SERVE.runBytes); next++) bytes += lengthOf(tree, next)
    return { from: at, count: next - at, bytes }
  }

  /** In parts, so that what is counted as served is what has left. */
  async function pour (stream: ByteStream, bytes: Uint8Array, holding: Holding): Promise<void> {
    for (let from = 0; from < bytes.length; from += SERVE.partBytes) {
      const part = bytes.subarray(from, from + SERVE.partBytes)
      await write(stream, part)
      holding.servedBytes += part.length
    }
  }

  const state = (holding: Holding, to: string): object => ({
    whole: holding.whole(),
    map: holding.whole() ? undefined : mapOf(holding),
    sources: others(holding.tree.hash, to)
  })

  function remember (hash: string, source: ContentSource): () => void {
    const known = fetchers.get(hash) ?? new Map<string, Fetcher>()
    fetchers.set(hash, known)
    const [oldest] = known.keys()
    if (known.size >= SERVE.fetchers && oldest !== undefined) known.delete(oldest)
    const fetcher = { ...source, until: Infinity }
    known.delete(source.peer)
    known.set(source.peer, fetcher)
    return () => { fetcher.until = clock.now() + SERVE.rememberMs }
  }

  function others (hash: string, to: string): ContentSource[] {
    const known = fetchers.get(hash)
    if (known === undefined) return []
    for (const [peer, { until }] of known) if (until < clock.now()) known.delete(peer)
    if (known.size === 0) fetchers.delete(hash)
    return [...known.values()].filter(({ peer }) => peer !== to).slice(-SERVE.told).map(({ peer, addresses }) => ({ peer, addresses }))
  }

  /** A peer that does not read for too long is left: it holds memory here. */
  async function write (stream: ByteStream, bytes: Uint8Array): Promise<void> {
    const cancel = clock.after(SERVE.idleMs, () => { stream.abort('it does not read') })
    await stream.write(bytes).finally(cancel)
  }

  return stream => {
    streams++
    serve(stream).catch(async (error: unknown) => {
      logger.debug('a content stream ended', { peer: stream.peer, why: messageOf(error) })
      await write(stream, frameOf({ failure: tellable(error) })).then(() => stream.end()).catch(() => {})
      // Time for it to be read; then whatever the other end still says is not heard.
      clock.after(FETCH.answerMs, () => { stream.abort('it was refused') })
    }).finally(() => { streams-- })
  }
}

function read<T> (schema: z.ZodMiniType<T>, frame: unknown): T {
  const parsed = schema.safeParse(frame)
  if (parsed.success) return parsed.data
  throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'a content request does not fit its schema' })
}

function isKey (expected: string, given: string): boolean {
  const [one, other] = [Buffer.from(expected), Buffer.from(given)]
  return one.length === other.length && timingSafeEqual(one, other)
}

function mapOf ({ tree, has }: Holding): string {
  const map = createBitmap(countOf(tree))
  for (let index = 0; index < countOf(tree); index++) if (has(index)) map.add(index)
  return map.toText()
}

/** Where files are on this machine is nobody else's business. */
function tellable (error: unknown): Failure {
  const failure = toFailure(error)
  return failure.code === 'INTERNAL' || 'file' in failure ? { code: 'INTERNAL', why: 'the content could not be read; the log of its node says why' } : failure
}
