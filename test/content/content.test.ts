import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { open, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, test } from 'node:test'
import { createContent } from '../../src/content/content.ts'
import { parseRef } from '../../src/content/tree.ts'
import type { ContentProgress, ContentRef } from '../../src/core/content.ts'
import { withCode } from '../identity/support.ts'
import { clock, startNode } from '../net/support.ts'
import { at, CHUNK, digestOf, digestOfFile, digestOfStream, fileOf, MB, roadTo, startPeer } from './support.ts'

describe('what was sent is received', () => {
  for (const bytes of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * MB + 7]) {
    it(`of ${bytes} bytes, as a file and as a stream`, async t => {
      const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
      const file = await fileOf(a.folder, bytes)
      const ref = JSON.parse(JSON.stringify(await a.content.send(file, { mediaType: 'text/csv' }))) as ContentRef
      assert.deepEqual([ref.bytes, ref.name, ref.mediaType, ref.sources[0]?.peer], [bytes, 'data', 'text/csv', a.net.peerId])
      const expected = await digestOfFile(file)
      assert.equal(await digestOfStream(b.content.receive(ref)), expected)
      const received = await b.content.receive(ref, { file: join(b.folder, 'sub', 'copy') })
      assert.deepEqual(received, { file: join(b.folder, 'sub', 'copy'), bytes, resumedBytes: 0 })
      assert.equal(await digestOfFile(received.file), expected)
      assert.deepEqual(readdirSync(join(b.folder, 'sub')), ['copy'])
      // Once more is no work: it is there.
      assert.equal((await b.content.receive(ref, { file: received.file })).resumedBytes, bytes)
      assert.deepEqual(readdirSync(join(b.folder, 'sub')), ['copy'])
    })
  }

  it('of bytes and of streams, which are kept in the home until they are dropped', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const bytes = randomBytes(2 * MB)
    const pieces = async function * (): AsyncGenerator<Uint8Array> { for (let from = 0; from < bytes.length; from += 70_001) yield bytes.subarray(from, from + 70_001) }
    const [one, other] = [await a.content.send(bytes, { name: 'x' }), await a.content.send(pieces())]
    assert.deepEqual([one.hash, one.key], [other.hash, other.key])
    assert.equal(await digestOfStream(b.content.receive(one)), digestOf(bytes))
    assert.deepEqual((await a.content.list()).map(({ hash, kind, bytes: size, servedBytes }) => [hash, kind, size, servedBytes]), [[one.hash, 'spool', bytes.length, bytes.length]])
    assert.equal(await a.content.drop(one.hash.slice(0, 10)), one.hash)
    assert.deepEqual(readdirSync(join(a.folder, 'content')), [])
    await assert.rejects(digestOfStream(b.content.receive(one)), withCode('CONTENT_UNKNOWN'))
    await assert.rejects(a.content.drop(one.hash), withCode('CONTENT_UNKNOWN'))
  })

  it('by the node that sent it, too', async t => {
    const a = await startPeer(t)
    const bytes = randomBytes(MB)
    assert.equal(await digestOfStream(a.content.receive(await a.content.send(bytes))), digestOf(bytes))
  })

  it('after the sender was started again', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const file = await fileOf(a.folder, MB)
    const ref = await a.content.send(file)
    a.content.close()
    await a.stop()
    const node = await startNode(t, { seed: a.seed })
    const again = await createContent({ net: node.net, folder: join(a.folder, 'content'), clock, logger: node.logger })
    t.after(() => { again.close() })
    assert.equal(await digestOfStream(b.content.receive(at(ref, ...node.address()))), await digestOfFile(file))
    const { hash, key } = await again.send(file)
    assert.deepEqual([hash, key], [ref.hash, ref.key])
  })

  it('with progress, rate and time left', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const told: ContentProgress[] = []
    const ref = await a.content.send(await fileOf(a.folder, 40 * MB))
    for await (const piece of b.content.receive(ref, { lend: true, onProgress: progress => { told.push(progress) } })) assert.ok(piece.length > 0)
    assert.deepEqual([told.at(-1)?.bytes, told.at(-1)?.total, told.at(-1)?.leftMs], [40 * MB, 40 * MB, 0])
    assert.ok(told.every(({ bytes }, index) => bytes >= (told[index - 1]?.bytes ?? 0)))
    assert.ok((told.at(-1)?.bytesPerSecond ?? 0) > 0)
  })
})

describe('a file that changes', () => {
  it('is told from what was sent: its old content is no longer to be had, the new one is', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const file = await fileOf(a.folder, MB)
    const before = await a.content.send(file)
    await writeFile(file, randomBytes(MB))
    assert.deepEqual((await a.content.list()).map(({ changed }) => changed), [true])
    await assert.rejects(digestOfStream(b.content.receive(before)), withCode('CONTENT_CHANGED'))
    const after = await a.content.send(file)
    assert.notEqual(after.hash, before.hash)
    assert.ok(a.logger.lines.some(({ level, what }) => level === 'warn' && what.includes('has changed')))
    assert.equal(await digestOfStream(b.content.receive(after)), await digestOfFile(file))
    await assert.rejects(digestOfStream(b.content.receive(before)), withCode('CONTENT_UNKNOWN'))
  })

  it('while it is fetched yields nothing that was not sent', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const file = await fileOf(a.folder, 60 * MB)
    const good = await readFile(file)
    const ref = await a.content.send(file)
    let taken = 0
    await assert.rejects(async () => {
      for await (const piece of b.content.receive(ref)) {
        assert.equal(Buffer.compare(piece, good.subarray(taken, taken + piece.length)), 0)
        if (taken === 0) await writeFile(file, randomBytes(60 * MB))
        taken += piece.length
      }
    }, withCode('CONTENT_CHANGED'))
    assert.ok(taken > 0 && taken < 60 * MB)
  })

  it('and is made to look as before is found out by its receiver', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const file = await fileOf(a.folder, 3 * MB)
    await utimes(file, 1_000, 1_000)
    const ref = await a.content.send(file)
    const handle = await open(file, 'r+')
    await handle.write(Buffer.from([1, 2, 3]), 0, 3, 2 * MB)
    await handle.close()
    await utimes(file, 1_000, 1_000)
    assert.deepEqual((await a.content.list()).map(({ changed }) => changed), [false])
    await assert.rejects(b.content.receive(ref, { file: join(b.folder, 'copy') }), withCode('MESSAGE_MALFORMED'))
    assert.deepEqual(readdirSync(b.folder), ['copy.partial'])
  })
})

describe('a ref', () => {
  it('is what it takes to fetch a content: its hash alone is not', async t => {
    const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
    const ref = await a.content.send(Buffer.from('yes'))
    const guessed = await b.content.send(Buffer.from('yes'))
    assert.equal(guessed.hash, ref.hash)
    await assert.rejects(digestOfStream(b.content.receive({ ...ref, key: guessed.key })), withCode('CONTENT_UNKNOWN'))
    assert.equal(await digestOfStream(b.content.receive(ref)), digestOf(Buffer.from('yes')))
  })

  const good = { hash: 'A'.repeat(43), key: 'B'.repeat(22), bytes: 10, chunkBytes: CHUNK, sources: [] }
  for (const [what, change] of [
    ['a hash that is a path', { hash: '../'.repeat(14) + 'x' }], ['no key', { key: undefined }], ['less than nothing', { bytes: -1 }], ['more than 1 TiB', { bytes: 2 ** 41 }],
    ['chunks of a byte', { chunkBytes: 1 }], ['chunks of a gigabyte', { chunkBytes: 2 ** 30 }], ['too many chunks', { bytes: 2 ** 40 }],
    ['too many sources', { sources: Array.from({ length: 65 }, () => ({ peer: '12D3KooWpeer', addresses: [] })) }], ['a name of a megabyte', { name: 'x'.repeat(MB) }]
  ] as const) {
    it(`with ${what} is none`, () => { assert.throws(() => parseRef({ ...good, ...change }), withCode('BAD_USAGE')) })
  }
  it('may have fields of a later version', () => { assert.deepEqual(parseRef({ ...good, more: 1 }), good) })
})

describe('space', () => {
  it('for streams is bounded, and what did not fit leaves nothing behind', async t => {
    const a = await startPeer(t, { quotaBytes: 3 * MB })
    const kept = await a.content.send(randomBytes(2 * MB))
    const endless = async function * (): AsyncGenerator<Uint8Array> { for (;;) yield randomBytes(100_000) }
    await assert.rejects(a.content.send(endless()), withCode('NO_SPACE'))
    assert.deepEqual((await a.content.list()).map(({ hash }) => hash), [kept.hash])
    assert.equal(readdirSync(join(a.folder, 'content')).filter(name => !name.startsWith(kept.hash)).length, 0)
    await a.content.send(randomBytes(MB - 1))
  })

  it('that a source of bytes fails to fill is given back', async t => {
    const a = await startPeer(t, { quotaBytes: 3 * MB })
    for (let i = 0; i < 3; i++) {
      await assert.rejects(a.content.send((async function * () {
        yield randomBytes(2 * MB)
        throw new Error('the source broke')
      })()), /the source broke/)
    }
    await a.content.send(randomBytes(2 * MB))
  })
})

test('whoever stops reading ends the transfer', async t => {
  const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
  const ref = await a.content.send(await fileOf(a.folder, 60 * MB))
  for await (const piece of b.content.receive(ref)) {
    assert.ok(piece.length > 0)
    break
  }
  const { servedBytes } = (await a.content.list())[0] ?? {}
  assert.ok(servedBytes !== undefined && servedBytes < 20 * MB, `${servedBytes} bytes were sent`)
})

test('a reader that pauses holds its sender up, and goes on', async t => {
  const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
  const file = await fileOf(a.folder, 60 * MB)
  const ref = await a.content.send(file)
  const pieces = b.content.receive(ref)[Symbol.asyncIterator]()
  const first = await pieces.next()
  const served = async (): Promise<number> => (await a.content.list())[0]?.servedBytes ?? 0
  let before = -1
  for (let i = 0; i < 50 && before !== await served(); i++) {
    before = await served()
    await new Promise(resolve => { setTimeout(resolve, 200) })
  }
  assert.ok(await served() < 12 * MB, `${await served()} bytes were sent to nobody`)
  const rest = async function * (): AsyncGenerator<Uint8Array> {
    yield first.value as Uint8Array
    for (let step = await pieces.next(); step.done !== true; step = await pieces.next()) yield step.value
  }
  assert.equal(await digestOfStream(rest()), await digestOfFile(file))
})

test('a receiver that is told to stop keeps what it has, and goes on from there', async t => {
  const [a, b] = await Promise.all([startPeer(t), startPeer(t)])
  const source = await fileOf(a.folder, 50 * MB)
  const ref = await a.content.send(source)
  const file = join(b.folder, 'copy')
  const stop = new AbortController()
  let seen = 0
  await assert.rejects(b.content.receive(ref, {
    file,
    signal: stop.signal,
    onProgress: ({ bytes }) => {
      seen = bytes
      if (bytes > 5 * MB) stop.abort(new Error('enough'))
    }
  }), /enough/)
  assert.ok(!existsSync(file))
  // A chunk of what is there is spoiled: it is fetched again.
  const handle = await open(`${file}.partial`, 'r+')
  const { size } = await handle.stat()
  await handle.write(randomBytes(10), 0, 10, size - 20)
  await handle.close()
  const { resumedBytes } = await b.content.receive(ref, { file })
  assert.ok(resumedBytes >= seen - 2 * CHUNK && resumedBytes < 50 * MB, `${resumedBytes} of ${seen} bytes were kept`)
  assert.equal(await digestOfFile(file), await digestOfFile(source))
  assert.equal((await stat(file)).size, 50 * MB)
})

test('a connection that is cut at any point costs at most one per cent', { timeout: 120_000 }, async t => {
  const total = 200 * MB
  const a = await startPeer(t)
  const source = await fileOf(a.folder, total)
  const expected = await digestOfFile(source)
  const ref = await a.content.send(source)
  const served = async (): Promise<number> => (await a.content.list())[0]?.servedBytes ?? 0
  for (let round = 0; round < 3; round++) {
    const [b, road] = await Promise.all([startPeer(t), roadTo(t, a.address()[0] ?? '')])
    const file = join(b.folder, 'copy')
    const before = await served()
    const where = randomInt(total / 20, total)
    let cuts = 0
    await b.content.receive(at(ref, road.address), {
      file,
      onProgress: ({ bytes }) => {
        if (bytes < where || cuts > 0) return
        cuts++
        road.cut()
      }
    })
    const doubled = await served() - before - total
    assert.equal(await digestOfFile(file), expected)
    t.diagnostic(`cut after ${where} bytes: ${(100 * doubled / total).toFixed(2)} % was sent twice`)
    assert.ok(doubled <= total / 100, `${doubled} bytes were sent twice`)
    assert.equal(cuts, 1)
    await b.stop()
    await rm(file)
  }
})

test('three that fetch at once fetch from each other, too', { timeout: 120_000 }, async t => {
  const total = 120 * MB
  const [a, ...others] = await Promise.all([startPeer(t), startPeer(t), startPeer(t), startPeer(t)])
  const source = await fileOf(a.folder, total)
  const expected = await digestOfFile(source)
  const ref = await a.content.send(source)
  await Promise.all(others.map(async ({ content, folder }) => {
    assert.equal(await digestOfFile((await content.receive(ref, { file: join(folder, 'copy') })).file), expected)
  }))
  const byOrigin = (await a.content.list())[0]?.servedBytes ?? 0
  const byOthers = (await Promise.all(others.map(async ({ content }) => (await content.list())[0]?.servedBytes ?? 0))).reduce((sum, bytes) => sum + bytes, 0)
  t.diagnostic(`the origin sent ${(byOrigin / total).toFixed(2)} copies, the others ${(byOthers / total).toFixed(2)}`)
  // How much depends on who is fast when: the origin alone could send all of it before they hear of each other.
  assert.ok(byOthers > 0.1 * total, `others sent ${byOthers} bytes`)
  // Once they have it, nobody needs the origin.
  a.content.close()
  await a.stop()
  const late = await startPeer(t)
  const known = { ...ref, sources: others.map(({ net, address }) => ({ peer: net.peerId, addresses: address() })) }
  assert.equal(await digestOfStream(late.content.receive(known)), expected)
})
