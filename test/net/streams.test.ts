import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import type { ByteStream } from '../../src/net/streams.ts'
import { YamuxMuxer } from '../../node_modules/@libp2p/yamux/dist/src/muxer.js'
import { withCode } from '../identity/support.ts'
import { startNode, until, type TestNode } from './support.ts'

const PROTOCOL = '/a2a-node/test/1'
const limits = { inboundPerPeer: 4 }

async function pair (t: TestContext, to: 'another' | 'itself'): Promise<{ opener: ByteStream, acceptor: ByteStream, a: TestNode, b: TestNode }> {
  const a = await startNode(t)
  const b = to === 'itself' ? a : await startNode(t)
  const accepted = Promise.withResolvers<ByteStream>()
  await b.net.streams.handle(PROTOCOL, accepted.resolve, limits)
  const opener = await a.net.streams.open(b.net.peerId, PROTOCOL, { addresses: b.address() })
  await opener.write(Buffer.from('hello'))
  return { opener, acceptor: await accepted.promise, a, b }
}

async function all (stream: AsyncIterable<{ subarray: () => Uint8Array }>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const part of stream) parts.push(part.subarray())
  return Buffer.concat(parts)
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

for (const to of ['another', 'itself'] as const) {
  test(`a stream to ${to} carries bytes both ways, each end closed by itself`, async t => {
    const { opener, acceptor, a } = await pair(t, to)
    assert.equal(acceptor.peer, a.net.peerId)
    const sent = randomBytes(3_000_000)
    const echoed = (async () => {
      const heard = await all(acceptor)
      await acceptor.write(heard)
      await acceptor.end()
    })()
    for (let at = 0; at < sent.length; at += 100_000) await opener.write(sent.subarray(at, at + 100_000))
    await opener.end()
    const back = await all(opener)
    await echoed
    assert.equal(digest(back), digest(Buffer.concat([Buffer.from('hello'), sent])))
    await until(() => opener.closed.aborted && acceptor.closed.aborted, 'the end of both')
  })

  test(`a writer to ${to} waits for a reader that does not read, and goes on with it`, async t => {
    const { opener, acceptor } = await pair(t, to)
    const piece = Buffer.alloc(100_000, 1)
    let written = 0
    const writing = (async () => {
      for (let i = 0; i < 200; i++) {
        await opener.write(piece)
        written += piece.length
      }
      await opener.end()
    })()
    let before = -1
    while (written !== before) {
      before = written
      await new Promise(resolve => { setTimeout(resolve, 200) })
    }
    assert.ok(written < 6_000_000, `${written} bytes were taken from the writer`)
    assert.equal((await all(acceptor)).length, 5 + 20_000_000)
    await writing
  })

  test(`an abort ends the reads and writes of both ends of a stream to ${to}`, async t => {
    const { opener, acceptor } = await pair(t, to)
    const reading = assert.rejects(all(acceptor), withCode('PEER_UNREACHABLE'))
    opener.abort('enough')
    await reading
    await until(() => acceptor.closed.aborted && opener.closed.aborted, 'the end of both')
    await assert.rejects(opener.write(Buffer.from('x')), withCode('PEER_UNREACHABLE'))
    await assert.rejects(acceptor.write(Buffer.from('x')), withCode('PEER_UNREACHABLE'))
  })
}

test('a protocol that nobody speaks is an unreachable peer', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await assert.rejects(a.net.streams.open(b.net.peerId, PROTOCOL, { addresses: b.address() }), withCode('PEER_UNREACHABLE'))
  await assert.rejects(a.net.streams.open(a.net.peerId, PROTOCOL), withCode('PEER_UNREACHABLE'))
})

test('the end of a node ends its streams', async t => {
  const { opener, b } = await pair(t, 'another')
  const reading = assert.rejects(all(opener), withCode('PEER_UNREACHABLE'))
  await b.stop()
  await reading
})

test('what had come before the other node ended is read, then the reason', async t => {
  const { opener, acceptor, a } = await pair(t, 'another')
  const piece = Buffer.alloc(100_000, 1)
  let written = 0
  const writing = assert.rejects(async () => {
    for (;;) {
      await opener.write(piece)
      written += piece.length
    }
  }, withCode('PEER_UNREACHABLE'))
  // Until the reader, who does not read, has stopped its end.
  for (let before = -1; written !== before;) {
    before = written
    await new Promise(resolve => { setTimeout(resolve, 200) })
  }
  await a.stop()
  await writing
  await until(() => acceptor.closed.aborted, 'the end of the connection')
  let read = 0
  await assert.rejects(async () => { for await (const part of acceptor) read += part.byteLength }, withCode('PEER_UNREACHABLE'))
  // What is read ahead, and a part of the window.
  assert.ok(read > 800_000, `${read} bytes`)
})

test('the round trip that windows grow by is asked for once bytes move, and not of each connection', async t => {
  const a = await startNode(t)
  const b = await startNode(t)
  const pings: number[] = []
  t.mock.method(YamuxMuxer.prototype, 'ping', function () {
    pings.push(Date.now())
    return Promise.resolve(1)
  })
  const accepted = Promise.withResolvers<ByteStream>()
  await b.net.streams.handle(PROTOCOL, accepted.resolve, limits)
  const opener = await a.net.streams.open(b.net.peerId, PROTOCOL, { addresses: b.address() })
  await opener.write(Buffer.from('hello'))
  const heard = all(await accepted.promise)
  assert.equal(pings.length, 0)
  for (let i = 0; i < 5; i++) await opener.write(Buffer.alloc(100_000))
  await opener.end()
  await heard
  assert.equal(pings.length, 1)
})
