/**
 * Content: bytes of any length, handed from node to node beside the messages.
 *
 *   send:    file or stream → hash tree → ref ─────────────── in a task, a message, by hand ──▶ receive
 *   serve:   ◀── the ref's hash and key ── tree, then ranges of chunks ──▶  checked one by one → file, or stream in order
 */
import { resolve } from 'node:path'
import { A2aError } from '../core/errors.ts'
import type { ContentInput, ContentRef, ContentRow, ReceiveContent, ReceivedFile, ReceiveOptions, SendContent, SendContentOptions } from '../core/content.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Net } from '../net/net.ts'
import { createBitmap } from './bitmap.ts'
import { startDownload, type Sink } from './download.ts'
import { fingerprintOf } from './files.ts'
import { createKeeper, type Entry } from './keep.ts'
import { CONTENT_PROTOCOL, FETCH, SERVE } from './limits.ts'
import { createMeter } from './meter.ts'
import { createServer } from './serve.ts'
import { createFileSink } from './to-file.ts'
import { countOf, lengthOf, parseRef } from './tree.ts'

export interface Content {
  send: SendContent
  receive: ReceiveContent
  list: () => Promise<ContentRow[]>
  /** Forgets a content, by its hash or the beginning of it; its bytes too where they are in the home. @throws A2aError CONTENT_UNKNOWN, BAD_USAGE when several begin so */
  drop: (hash: string) => Promise<string>
  /** Ends every transfer. */
  close: () => void
}

export interface ContentParts {
  net: Pick<Net, 'peerId' | 'addresses' | 'streams'>
  /** Where streams that were sent are kept. */
  folder: string
  /** How many bytes of them. Default 10 GiB. */
  quotaBytes?: number
  clock: Clock
  logger: Logger
}

export async function createContent ({ net, folder, quotaBytes, clock, logger }: ContentParts): Promise<Content> {
  const keeper = createKeeper({ folder, quotaBytes, clock, logger })
  const closing = new AbortController()
  const parts = { self: net.peerId, streams: net.streams, clock, logger }
  await net.streams.handle(CONTENT_PROTOCOL, createServer({ keeper, clock, logger }), { inboundPerPeer: SERVE.perPeer })

  const until = (signal: AbortSignal | undefined): AbortSignal => AbortSignal.any([closing.signal, ...(signal === undefined ? [] : [signal])])

  async function send (source: ContentInput, options: SendContentOptions = {}): Promise<ContentRef> {
    const signal = until(options.signal)
    const total = typeof source === 'string' ? (await fingerprintOf(source)).bytes : source instanceof Uint8Array ? source.length : undefined
    const meter = createMeter(clock, options.onProgress, total)
    const added = { ...options, signal, onBytes: meter.add }
    const entry = typeof source === 'string' ? await keeper.addFile(source, added) : await keeper.addStream(source instanceof Uint8Array ? once(source) : source, added)
    meter.end()
    return refOf(entry)
  }

  const refOf = ({ hash, key, bytes, chunkBytes, name, mediaType }: Entry): ContentRef => ({
    hash, key, bytes, chunkBytes, name, mediaType, sources: [{ peer: net.peerId, addresses: net.addresses().slice(0, FETCH.addresses) }]
  })

  async function receiveFile (ref: ContentRef, path: string, { signal, onProgress }: ReceiveOptions): Promise<ReceivedFile> {
    const file = resolve(path)
    let meter = createMeter(clock, undefined)
    const sink = await createFileSink(file, ref, {
      keeper,
      addresses: net.addresses(),
      onBegun: resumed => { meter = createMeter(clock, onProgress, ref.bytes, resumed) },
      onBytes: bytes => { meter.add(bytes) }
    })
    try {
      await startDownload(ref, sink, parts, until(signal)).done
      await sink.finish()
      meter.end()
      return { file, bytes: ref.bytes, resumedBytes: sink.resumedBytes() }
    } finally {
      await sink.close()
    }
  }

  async function * receiveStream (ref: ContentRef, { signal, onProgress, lend = false }: ReceiveOptions): AsyncGenerator<Uint8Array> {
    const count = countOf(ref)
    const ahead = Math.max(2, Math.floor(FETCH.windowBytes / ref.chunkBytes))
    const chunks = new Map<number, Uint8Array>()
    const spare: Uint8Array[] = []
    const meter = createMeter(clock, onProgress, ref.bytes)
    const leaving = new AbortController()
    let taken = 0
    let arrived = Promise.withResolvers<void>()
    const sink: Sink = {
      begin: async () => ({ have: createBitmap(count), start: 0 }),
      limit: () => Math.min(count, taken + ahead),
      room: async () => spare.pop() ?? Buffer.allocUnsafeSlow(ref.chunkBytes),
      free: room => { spare.push(room) },
      put: async (index, room) => {
        chunks.set(index, room)
        if (index === taken) arrived.resolve()
      }
    }
    const { done, more } = startDownload(ref, sink, parts, AbortSignal.any([until(signal), leaving.signal]))
    let failure: { error: unknown } | undefined
    done.catch((error: unknown) => {
      failure = { error }
      arrived.resolve()
    })
    try {
      while (taken < count) {
        const room = chunks.get(taken)
        if (room === undefined) {
          if (failure !== undefined) throw failure.error
          arrived = Promise.withResolvers()
          await arrived.promise
          continue
        }
        const chunk = room.subarray(0, lengthOf(ref, taken))
        chunks.delete(taken)
        taken++
        more()
        meter.add(chunk.length)
        yield chunk
        // Else whoever iterates has them for good.
        if (lend) spare.push(room)
      }
      await done
      meter.end()
    } finally {
      leaving.abort(new Error('it is not read any more'))
    }
  }

  function receive (ref: ContentRef, options: ReceiveOptions & { file: string }): Promise<ReceivedFile>
  function receive (ref: ContentRef, options?: ReceiveOptions): AsyncIterable<Uint8Array>
  function receive (ref: ContentRef, options: ReceiveOptions & { file?: string } = {}): Promise<ReceivedFile> | AsyncIterable<Uint8Array> {
    const checked = parseRef(ref)
    return options.file === undefined ? receiveStream(checked, options) : receiveFile(checked, options.file, options)
  }

  return {
    send,
    receive,
    list: keeper.rows,
    async drop (text) {
      const found = (await keeper.rows()).filter(({ hash }) => hash.startsWith(text))
      const [row] = found
      if (row === undefined || text === '') throw new A2aError({ code: 'CONTENT_UNKNOWN', hash: text, peer: 'this node' })
      if (found.length > 1) throw new A2aError({ code: 'BAD_USAGE', why: `${found.length} contents begin with ${text}` })
      await keeper.drop(row.hash)
      return row.hash
    },
    close () { closing.abort(new A2aError({ code: 'PEER_UNREACHABLE', peer: net.peerId, why: 'this node stops' })) }
  }
}

async function * once (bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
