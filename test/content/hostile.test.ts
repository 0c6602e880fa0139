/** Sources and fetchers that mean harm: whatever they do, nothing wrong is taken, and the node lives on. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, test, type TestContext } from 'node:test'
import { CONTENT_PROTOCOL } from '../../src/content/limits.ts'
import { frameOf } from '../../src/content/reader.ts'
import { digest, HASH_BYTES } from '../../src/content/tree.ts'
import type { ContentRef } from '../../src/core/content.ts'
import type { ByteStream } from '../../src/net/streams.ts'
import { withCode } from '../identity/support.ts'
import { startNode, until } from '../net/support.ts'
import { CHUNK, digestOf, digestOfFile, fileOf, hurried, MB, startPeer, type Peer } from './support.ts'

const SIZE = 3 * MB

/** What a source says; `good` is the content it should have. */
type Malice = (stream: ByteStream, frames: AsyncIterator<any>, good: { bytes: Buffer, tree: Uint8Array }) => Promise<void>

function treeOf (bytes: Buffer): Uint8Array {
  const parts: Uint8Array[] = []
  for (let from = 0; from < bytes.length; from += CHUNK) parts.push(digest(bytes.subarray(from, from + CHUNK)))
  assert.equal(parts.length * HASH_BYTES, Buffer.concat(parts).length)
  return Buffer.concat(parts)
}

async function * framesOf (stream: ByteStream): AsyncGenerator<any> {
  let buffer = Buffer.alloc(0)
  for await (const piece of stream) {
    buffer = Buffer.concat([buffer, piece.subarray()])
    while (buffer.length >= 4 && buffer.length >= 4 + buffer.readUInt32BE()) {
      const length = buffer.readUInt32BE()
      yield JSON.parse(buffer.subarray(4, 4 + length).toString())
      buffer = buffer.subarray(4 + length)
    }
  }
}

/** A node that serves content in its own way, and the ref under which it claims to have it. */
async function startLiar (t: TestContext, honest: Peer, malice: Malice): Promise<{ alone: ContentRef, withHonest: ContentRef, expected: string, visits: () => number }> {
  const file = await fileOf(honest.folder, SIZE)
  const ref = await honest.content.send(file)
  const bytes = await readFile(file)
  const liar = await startNode(t)
  let visits = 0
  await liar.net.streams.handle(CONTENT_PROTOCOL, stream => {
    visits++
    malice(stream, framesOf(stream), { bytes, tree: treeOf(bytes) }).catch(() => {})
  }, { inboundPerPeer: 4 })
  const source = { peer: liar.net.peerId, addresses: liar.address() }
  return { alone: { ...ref, sources: [source] }, withHonest: { ...ref, sources: [source, ...ref.sources] }, expected: digestOf(bytes), visits: () => visits }
}

const open = async (stream: ByteStream, frames: AsyncIterator<any>, tree: Uint8Array, state: object = { whole: true, sources: [] }): Promise<void> => {
  const { value } = await frames.next()
  await stream.write(frameOf(state))
  if (value.tree === true) await stream.write(tree)
}

const LIES: Array<[what: string, code: string, malice: Malice]> = [
  ['gives a tree of another content', 'MESSAGE_MALFORMED', async (stream, frames, { tree }) => { await open(stream, frames, randomBytes(tree.length)) }],
  ['gives wrong bytes', 'MESSAGE_MALFORMED', async (stream, frames, { tree }) => {
    await open(stream, frames, tree)
    for (;;) {
      const { value: { from, count } } = await frames.next()
      await stream.write(frameOf({ from, count }))
      for (let i = 0; i < count; i++) await stream.write(randomBytes(CHUNK))
    }
  }],
  ['changes one bit of one chunk', 'MESSAGE_MALFORMED', async (stream, frames, { bytes, tree }) => {
    await open(stream, frames, tree)
    for (;;) {
      const { value: { from, count } } = await frames.next()
      const part = Buffer.from(bytes.subarray(from * CHUNK, (from + count) * CHUNK))
      part[part.length - 1] = (part[part.length - 1] ?? 0) ^ 1
      await stream.write(frameOf({ from, count }))
      await stream.write(part)
    }
  }],
  ['gives more than was asked for, without end', 'MESSAGE_MALFORMED', async (stream, frames, { bytes, tree }) => {
    await open(stream, frames, tree)
    for (let from = 0; ; from = (from + 1) % 11) {
      await stream.write(frameOf({ from, count: 1 }))
      await stream.write(bytes.subarray(from * CHUNK, (from + 1) * CHUNK))
    }
  }],
  ['gives chunks beyond the end', 'MESSAGE_MALFORMED', async (stream, frames, { tree }) => {
    await open(stream, frames, tree)
    await stream.write(frameOf({ from: 1_000_000, count: 5 }))
    await stream.write(randomBytes(CHUNK))
  }],
  ['gives a negative chunk', 'MESSAGE_MALFORMED', async (stream, frames, { tree }) => {
    await open(stream, frames, tree)
    await stream.write(frameOf({ from: -3, count: 2 }))
    await stream.write(randomBytes(2 * CHUNK))
  }],
  ['claims a frame of a gigabyte', 'MESSAGE_TOO_LARGE', async (stream, frames) => {
    await frames.next()
    await stream.write(Buffer.from([0x40, 0, 0, 0]))
    for (;;) await stream.write(randomBytes(100_000))
  }],
  ['answers what is no JSON', 'MESSAGE_MALFORMED', async (stream, frames) => {
    await frames.next()
    await stream.write(Buffer.from([0, 0, 0, 4, 1, 2, 3, 4]))
  }],
  ['states a failure that is none', 'INTERNAL', async (stream, frames) => {
    await frames.next()
    await stream.write(frameOf({ failure: { code: 'x', why: { deep: true } } }))
  }],
  ['never answers', 'CONTENT_UNAVAILABLE', async () => {}],
  ['gives a byte now and then', 'CONTENT_UNAVAILABLE', async (stream, frames, { bytes, tree }) => {
    await open(stream, frames, tree)
    const { value: { from, count } } = await frames.next()
    await stream.write(frameOf({ from, count }))
    for (let at = from * CHUNK; ; at++) {
      await stream.write(bytes.subarray(at, at + 1))
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
  }],
  ['ends each time it is asked', 'CONTENT_UNAVAILABLE', async (stream, frames, { tree }) => {
    await open(stream, frames, tree)
    await frames.next()
    stream.abort('no')
  }],
  ['claims to have it all, and has nothing', 'CONTENT_UNAVAILABLE', async (stream, frames, { tree }) => {
    await open(stream, frames, tree)
    for (;;) {
      const { value: { from, count } } = await frames.next()
      await stream.write(frameOf({ from, count, failure: { code: 'CONTENT_UNAVAILABLE', hash: 'x', why: 'later' } }))
    }
  }],
  ['has a map of nothing, and names itself and others a thousand times', 'CONTENT_UNAVAILABLE', async (stream, frames, { tree }) => {
    const state = { whole: false, map: '', sources: Array.from({ length: 60 }, (_, i) => ({ peer: `12D3KooWnobody${i}`, addresses: ['/ip4/127.0.0.1/tcp/1'] })) }
    await open(stream, frames, tree, state)
    for (;;) {
      await frames.next()
      await stream.write(frameOf(state))
    }
  }]
]

describe('a source that', () => {
  for (const [what, code, malice] of LIES) {
    it(`${what} ends alone in ${code}, and beside an honest one in the content`, { timeout: 60_000 }, async t => {
      // Only who is waited for is hurried: a busy machine may take longer than a hurried deadline to fetch what is honest.
      const [alonePace, bothPace] = code === 'CONTENT_UNAVAILABLE' ? [15, 4] : [1, 1]
      const [a, b, c] = await Promise.all([startPeer(t), startPeer(t, { clock: hurried(alonePace) }), startPeer(t, { clock: hurried(bothPace) })])
      const { alone, withHonest, expected, visits } = await startLiar(t, a, malice)
      await assert.rejects(b.content.receive(alone, { file: join(b.folder, 'alone') }), withCode(code))
      assert.ok(visits() > 0)
      const { file } = await c.content.receive(withHonest, { file: join(c.folder, 'both') })
      assert.equal(await digestOfFile(file), expected)
    })
  }
})

test('a source that is dropped takes no chunks with it, whatever it was doing', { timeout: 60_000 }, async t => {
  const [a, b] = await Promise.all([startPeer(t), startPeer(t, { clock: hurried(4) })])
  // All at once: while the first is found to be wrong, the next are there already.
  const { withHonest, expected } = await startLiar(t, a, async (stream, frames, { tree }) => {
    await open(stream, frames, tree)
    await stream.write(Buffer.concat([frameOf({ from: -4, count: 4 }), Buffer.alloc(4 * CHUNK)]))
  })
  for (let round = 0; round < 8; round++) {
    const { file } = await b.content.receive(withHonest, { file: join(b.folder, `copy-${round}`) })
    assert.equal(await digestOfFile(file), expected)
  }
})

test('a source that breaks off is asked for one chunk at a time from then on', { timeout: 30_000 }, async t => {
  const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
  const visits: number[][] = []
  const { alone, expected } = await startLiar(t, a, async (stream, frames, { bytes, tree }) => {
    const asked: number[] = []
    visits.push(asked)
    const isFirst = visits.length === 1
    await open(stream, frames, tree)
    for (;;) {
      const { value: { from, count, look } } = await frames.next()
      if (look === true) {
        await stream.write(frameOf({ whole: true, sources: [] }))
        continue
      }
      asked.push(count)
      await stream.write(Buffer.concat([frameOf({ from, count }), bytes.subarray(from * CHUNK, (from + count) * CHUNK)]))
      // The first may be a single one, where the place to begin is drawn at the end.
      if (isFirst && asked.length === 2) return await stream.end()
    }
  })
  const { file } = await b.content.receive(alone, { file: join(b.folder, 'copy') })
  assert.equal(await digestOfFile(file), expected)
  const [before = [], after = []] = visits
  assert.ok(before.some(count => count > 1), `${before} chunks were asked for at first`)
  assert.ok(after.length >= 4 && after.every(count => count === 1), `${after} chunks were asked for after the break`)
})

describe('a fetcher that', () => {
  const good = (ref: ContentRef): object => ({ hash: ref.hash, key: ref.key, tree: true })

  async function answer (t: TestContext, ask: (stream: ByteStream, ref: ContentRef) => Promise<void>): Promise<{ frames: any[], a: Peer }> {
    const [a, b] = await Promise.all([startPeer(t), startNode(t)])
    const ref = await a.content.send(await fileOf(a.folder, 100))
    const stream = await b.net.streams.open(a.net.peerId, CONTENT_PROTOCOL, { addresses: a.address() })
    await ask(stream, ref)
    await stream.end()
    const frames: any[] = []
    for await (const frame of framesOf(stream)) {
      frames.push(frame)
      if (frame.failure !== undefined) break
    }
    return { frames, a }
  }

  for (const [what, code, ask] of [
    ['sends what is no frame', 'MESSAGE_TOO_LARGE', async stream => { await stream.write(Buffer.alloc(100, 0xff)) }],
    ['sends what is no JSON', 'MESSAGE_MALFORMED', async stream => { await stream.write(Buffer.from([0, 0, 0, 2, 1, 2])) }],
    ['is cut off', 'MESSAGE_MALFORMED', async stream => { await stream.write(Buffer.from([0, 0, 0, 20, 1, 2])) }],
    ['asks for a path', 'CONTENT_UNKNOWN', async stream => { await stream.write(frameOf({ hash: '../../keys/node.pem', key: '', tree: true })) }],
    ['asks with a prototype for a hash', 'CONTENT_UNKNOWN', async stream => { await stream.write(frameOf({ hash: '__proto__', key: 'x', tree: true })) }],
    ['has another key', 'CONTENT_UNKNOWN', async (stream, ref) => { await stream.write(frameOf({ ...good(ref), key: 'x'.repeat(22) })) }],
    ['names a thousand addresses', 'MESSAGE_MALFORMED', async (stream, ref) => { await stream.write(frameOf({ ...good(ref), keeps: true, addresses: Array.from({ length: 1_000 }, () => '/ip4/127.0.0.1') })) }]
  ] as Array<[string, string, (stream: ByteStream, ref: ContentRef) => Promise<void>]>) {
    it(`${what} is told ${code}`, async t => {
      const { frames, a } = await answer(t, ask)
      assert.equal(frames.at(-1)?.failure?.code, code)
      assert.ok(!JSON.stringify(frames).includes(a.folder))
    })
  }

  it('asks for chunks that there are not is told so', async t => {
    const { frames } = await answer(t, async (stream, ref) => {
      await stream.write(frameOf({ ...good(ref), tree: false }))
      await stream.write(frameOf({ from: 5, count: 200 }))
    })
    assert.deepEqual([frames[0]?.whole, frames[1]?.failure?.code], [true, 'MESSAGE_MALFORMED'])
  })

  it('asks and does not read is left after a while, and others are served meanwhile', async t => {
    const [a, b, c] = await Promise.all([startPeer(t, { clock: hurried(50) }), startNode(t), startPeer(t)])
    const ref = await a.content.send(await fileOf(a.folder, 30 * MB))
    const streams = await Promise.all([0, 1, 2].map(async () => {
      const stream = await b.net.streams.open(a.net.peerId, CONTENT_PROTOCOL, { addresses: a.address() })
      await stream.write(frameOf({ ...good(ref), tree: false }))
      await stream.write(frameOf({ from: 0, count: 100 }))
      return stream
    }))
    const begun = process.memoryUsage.rss()
    assert.equal((await c.content.receive(ref, { file: join(c.folder, 'copy') })).bytes, 30 * MB)
    await until(() => streams.every(({ closed }) => closed.aborted), 'the end of those who do not read')
    assert.ok(process.memoryUsage.rss() - begun < 100 * MB)
  })
})
