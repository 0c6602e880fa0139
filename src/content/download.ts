/**
 * Fetches the chunks of a content that are missing, from several sources at once. Each chunk is checked before anybody sees
 * it. A source that breaks off is tried again; one that gives what it should not is dropped, and its chunks come from others.
 */
import { A2aError, messageOf } from '../core/errors.ts'
import type { ContentRef, ContentSource } from '../core/content.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Streams } from '../net/streams.ts'
import type { Bitmap } from './bitmap.ts'
import { FETCH } from './limits.ts'
import { createPlan, type Plan, type Range } from './plan.ts'
import { openSource, type Source } from './source.ts'
import { countOf, digest, holds, lengthOf, type Tree } from './tree.ts'

/** Where the chunks go. */
export interface Sink {
  /** The tree is known; what is there already goes into `have`. Resolves when chunks may come. */
  begin: (tree: Tree) => Promise<{ have: Bitmap, start: number }>
  /** Chunks from here on are not wanted yet. */
  limit: () => number
  /** Memory for a chunk, once there is some. */
  room: () => Promise<Uint8Array>
  /** Takes a chunk that was checked, and its memory with it. */
  put: (index: number, chunk: Uint8Array) => Promise<void>
  /** Takes memory back that was not needed. */
  free: (room: Uint8Array) => void
  /** Addresses at which others may fetch it from us as it comes. */
  keeps?: string[]
}

export interface DownloadParts {
  self: string
  streams: Pick<Streams, 'open'>
  clock: Clock
  logger: Logger
}

export interface Download {
  /** Resolves when every chunk is in the sink. @throws A2aError; the signal's reason */
  done: Promise<void>
  /** The sink may want more than before. */
  more: () => void
}

interface Candidate extends ContentSource {
  state: 'idle' | 'busy' | 'dropped'
  failures: number
  nextAt: number
}

export function startDownload (ref: ContentRef, sink: Sink, { self, streams, clock, logger }: DownloadParts, caller: AbortSignal): Download {
  const ending = new AbortController()
  const signal = AbortSignal.any([caller, ending.signal])
  const candidates = new Map<string, Candidate>()
  const sources = new Set<Source>()
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => {})
  let tree: Tree | undefined
  let plan: Plan<Source> | undefined
  let have: Bitmap | undefined
  /** Chunks that were here when it broke last. */
  let brokenAt: number | undefined
  let working = 0
  let movedAt = clock.now()
  let last: A2aError | undefined
  let changed = Promise.withResolvers<void>()
  const count = countOf(ref)

  function change (): void {
    changed.resolve()
    changed = Promise.withResolvers()
  }

  /** Until something changes, or so long. */
  async function wait (ms: number): Promise<void> {
    const cancel = clock.after(ms, change)
    await changed.promise
    cancel()
  }

  function learn (found: ContentSource[]): void {
    for (const { peer, addresses } of found) {
      if (candidates.size >= FETCH.known || candidates.has(peer) || (peer === self && sink.keeps !== undefined)) continue
      candidates.set(peer, { peer, addresses, state: 'idle', failures: 0, nextAt: 0 })
    }
  }

  async function run (): Promise<void> {
    learn(ref.sources)
    for (;;) {
      caller.throwIfAborted()
      if (plan?.left() === 0 && working === 0) return
      const now = clock.now()
      const busy = [...candidates.values()].filter(({ state }) => state === 'busy').length
      // One alone until the tree is known, so that it is asked for once.
      const wanted = plan === undefined ? 1 : FETCH.sources
      const ready = [...candidates.values()].filter(({ state, nextAt }) => state === 'idle' && nextAt <= now).slice(0, wanted - busy)
      for (const candidate of ready) void use(candidate)
      if ([...candidates.values()].every(({ state }) => state === 'dropped') && working === 0) throw last ?? new A2aError({ code: 'CONTENT_UNAVAILABLE', hash: ref.hash, why: 'the ref names no source' })
      // Nothing wanted is nothing missed.
      if (plan !== undefined && sink.limit() < count && working === 0 && ![...sources].some(source => (plan?.open(source) ?? 0) > 0)) movedAt = now
      if (now - movedAt > FETCH.giveUpMs) throw new A2aError({ code: 'CONTENT_UNAVAILABLE', hash: ref.hash, why: `nothing has come for ${FETCH.giveUpMs} ms; ${last?.message ?? 'no source has what is missing'}` }, { cause: last })
      await Promise.race([wait(FETCH.retryMs), broken.promise])
    }
  }

  async function use (candidate: Candidate): Promise<void> {
    candidate.state = 'busy'
    let source: Source | undefined
    const before = plan?.left() ?? count
    try {
      source = await openSource(candidate, { streams, clock, ref, tree, keeps: sink.keeps, signal })
      sources.add(source)
      learn(source.others())
      if (plan === undefined) await prepare(source.tree)
      await fetchFrom(source)
      candidate.state = 'idle'
      candidate.nextAt = clock.now() + FETCH.lookMs
    } catch (error) {
      // Also what is being written still has come from it.
      if ((plan?.left() ?? count) < before) {
        candidate.failures = 0
        brokenAt = have?.count()
      }
      fail(candidate, error)
    } finally {
      if (source !== undefined) {
        source.close('done')
        sources.delete(source)
        plan?.giveBack(source)
      }
      change()
    }
  }

  async function prepare (known: Tree): Promise<void> {
    tree = known
    const begun = await sink.begin(known)
    have = begun.have
    brokenAt = have.count() > 0 ? have.count() : undefined
    plan = createPlan(count, have, begun.start, sink.limit)
    movedAt = clock.now()
    change()
  }

  function fail (candidate: Candidate, error: unknown): void {
    if (signal.aborted) return
    last = error instanceof A2aError ? error : new A2aError({ code: 'PEER_UNREACHABLE', peer: candidate.peer, why: messageOf(error) }, { cause: error })
    if (last.code === 'NO_SPACE') broken.reject(last)
    const isOver = ['CONTENT_UNKNOWN', 'CONTENT_CHANGED', 'MESSAGE_MALFORMED', 'MESSAGE_TOO_LARGE', 'NOT_ALLOWED', 'INTERNAL'].includes(last.code)
    candidate.failures++
    candidate.state = isOver ? 'dropped' : 'idle'
    candidate.nextAt = clock.now() + Math.min(FETCH.retryMaxMs, FETCH.retryMs * 2 ** Math.min(candidate.failures, 10)) * (0.5 + Math.random() / 2)
    logger.debug('a source of content failed', { peer: candidate.peer, hash: ref.hash, dropped: isOver, why: last.message })
  }

  const mostAhead = Math.max(2, Math.floor(FETCH.aheadBytes / ref.chunkBytes))

  /** Chunks asked of a source ahead of what has come: what a break loses. After one, a small part of what has come since. */
  const ahead = (): number => brokenAt === undefined ? mostAhead : Math.min(mostAhead, Math.max(1, Math.floor(((have?.count() ?? 0) - brokenAt) / FETCH.carefulPart)))

  /** Keeps a source busy until nothing is left that it has. */
  async function fetchFrom (source: Source): Promise<void> {
    const active = plan as Plan<Source>
    const wrong = Promise.withResolvers<never>()
    wrong.promise.catch(() => {})
    let looked = clock.now()
    let open = 0

    async function ask (): Promise<void> {
      for (;;) {
        const atOnce = Math.max(1, Math.floor(ahead() / FETCH.requests))
        // What one takes that has been dropped nobody would give back.
        if (!sources.has(source) || open > ahead() - atOnce) return
        const range = active.take(source, source.has, atOnce) ?? (open === 0 ? takeOver(source) : undefined)
        if (range === undefined) return
        open += range.count
        await source.ask(range)
      }
    }

    async function look (): Promise<void> {
      looked = clock.now()
      await source.look()
    }

    /** Reads the chunks of a range. Each is verified and written while the next is read, unless it must be expected to break. */
    async function readRange (range: Range): Promise<void> {
      for (let index = range.from; index < range.from + range.count; index++) {
        if (index >= count || open === 0) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'a source sent what nobody asked for' })
        const room = await sink.room()
        open--
        try {
          await source.take(room.subarray(0, lengthOf(ref, index)))
        } catch (error) {
          sink.free(room)
          throw error
        }
        const taking = take(source, index, room).catch((error: unknown) => {
          if (error instanceof A2aError && error.code === 'MESSAGE_MALFORMED') wrong.reject(error)
          else broken.reject(error)
          source.close('a chunk was not taken')
        })
        if (ahead() < mostAhead) await taking
      }
    }

    async function keepBusy (): Promise<void> {
      while (active.left() > 0 || open > 0) {
        signal.throwIfAborted()
        await ask()
        if (sources.size < FETCH.sources && clock.now() - looked > FETCH.lookMs) await look()
        else if (open === 0) {
          if (active.left() === 0) return
          await wait(FETCH.lookMs)
          if (clock.now() - looked < FETCH.lookMs) continue
          await look()
        }
        const range = await source.next()
        if (range === 'news') learn(source.others())
        else await readRange(range)
      }
    }

    // What is wrong comes before what came of it.
    await Promise.race([wrong.promise, keepBusy().catch(async (error: unknown) => await Promise.race([wrong.promise, Promise.reject(error)]))])
  }

  /** One that is done helps one that would take much longer. */
  function takeOver (source: Source): ReturnType<Plan<Source>['take']> {
    const others = [...sources].filter(other => other !== source).sort((a, b) => (plan?.open(b) ?? 0) - (plan?.open(a) ?? 0))
    for (const other of others) {
      if ((plan?.open(other) ?? 0) === 0 || clock.now() - movedAt < FETCH.stealMs && (plan?.open(other) ?? 0) < 2) continue
      const range = plan?.takeOver(source, other, source.has)
      if (range !== undefined) return range
    }
    return undefined
  }

  async function take (source: Source, index: number, room: Uint8Array): Promise<void> {
    working++
    let isTaken = false
    try {
      const isGood = holds(source.tree, index, await digest(room.subarray(0, lengthOf(ref, index))))
      if (!isGood) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `${source.peer} sent a chunk ${index} that is not that of the content` })
      if (plan?.done(index) !== true) return
      isTaken = true
      await sink.put(index, room)
      have?.add(index)
      movedAt = clock.now()
    } finally {
      if (!isTaken) sink.free(room)
      working--
      if (plan?.left() === 0) change()
    }
  }

  const done = run().finally(() => {
    ending.abort(new Error('the transfer has ended'))
    change()
  })
  return { done, more: change }
}
