import assert from 'node:assert/strict'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { createServer, connect, Socket } from 'node:net'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { Uint8ArrayList } from 'uint8arraylist'
import { createHost, stopHost } from '../../src/net/libp2p.ts'
import { createFlow } from '../../src/net/flow.ts'
import { createSpare, release, releaseReceived, sent } from '../../src/net/memory.ts'
import { narrow } from '../../src/net/windows.ts'
import { until } from './support.ts'

/** A record with one window update: 2 bytes length, 12 of the update, 16 of the tag. */
const WINDOW_UPDATE = 30
const PROTOCOL = '/a2a-node/test/1'
const LISTEN = ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws']

type Side = 'ours' | 'stock'

async function start (t: TestContext, side: Side): Promise<Libp2p> {
  if (side === 'ours') {
    const host = await createHost(randomBytes(32), LISTEN, { isServer: true }, () => 0)
    t.after(() => stopHost(host, 250))
    return host as unknown as Libp2p
  }
  const host = await createLibp2p({ addresses: { listen: LISTEN }, transports: [tcp(), webSockets()], connectionEncrypters: [noise()], streamMuxers: [yamux()] })
  t.after(() => host.stop())
  return host
}

const addressOf = (host: Libp2p, kind: 'tcp' | 'ws'): string => host.getMultiaddrs().map(String).find(address => address.includes('/ws') === (kind === 'ws')) ?? ''

interface End { hash: () => string, received: () => number, send: (bytes: Uint8Array) => Promise<void> }

function endOf (stream: Stream): End {
  const hash = createHash('sha256')
  const flow = createFlow(stream, () => true)
  let received = 0
  stream.addEventListener('message', ({ data }) => {
    for (const piece of data instanceof Uint8Array ? [data] : data) hash.update(piece)
    received += data.byteLength
  })
  return { hash: () => hash.copy().digest('hex'), received: () => received, send: async bytes => { if (!stream.send(bytes)) await flow.drained() } }
}

async function join (t: TestContext, dialer: Side, listener: Side, kind: 'tcp' | 'ws', through = async (address: string): Promise<string> => address, accept: (stream: Stream) => void = () => {}): Promise<[End, End, Libp2p, Libp2p]> {
  const [a, b] = await Promise.all([start(t, dialer), start(t, listener)])
  const accepted = Promise.withResolvers<Stream>()
  await b.handle(PROTOCOL, stream => {
    accept(stream)
    accepted.resolve(stream)
  })
  const connection = await a.dial(multiaddr(await through(addressOf(b, kind))))
  return [endOf(await connection.newStream(PROTOCOL)), endOf(await accepted.promise), a, b]
}

/** Pieces of all sizes around the bounds of a record, a window and a write. */
async function sendAll (from: End, total: number): Promise<string> {
  const hash = createHash('sha256')
  const sizes = [1, 11, 12, 13, 511, 512, 513, 16_384, 65_506, 65_507, 65_508, 65_519, 65_536, 131_038, 262_144, 1_048_576]
  for (let sent = 0; sent < total;) {
    const piece = randomBytes(Math.min(total - sent, sizes[randomInt(sizes.length)] ?? 1))
    hash.update(piece)
    sent += piece.length
    await from.send(piece)
  }
  return hash.digest('hex')
}

const TOTAL = 12_000_000

for (const [dialer, listener, kind] of [['ours', 'ours', 'tcp'], ['ours', 'stock', 'tcp'], ['stock', 'ours', 'tcp'], ['ours', 'stock', 'ws'], ['stock', 'ours', 'ws']] as const) {
  test(`${dialer} node dials ${listener} node by ${kind}: every byte arrives, both ways at once`, async t => {
    const [a, b] = await join(t, dialer, listener, kind)
    const [hashA, hashB] = await Promise.all([sendAll(a, TOTAL), sendAll(b, TOTAL)])
    await until(() => a.received() === TOTAL && b.received() === TOTAL, 'all bytes')
    assert.equal(b.hash(), hashA)
    assert.equal(a.hash(), hashB)
  })
}

/** A way through which bytes go in pieces of any size, changed by `alter`. */
const wire = (t: TestContext, alter: (chunk: Buffer, toServer: boolean) => Buffer[]) => async (address: string): Promise<string> => {
  const port = Number(/\/tcp\/(\d+)/.exec(address)?.[1])
  const sockets = new Set<Socket>()
  const server = createServer(inbound => {
    const outbound = connect(port, '127.0.0.1')
    for (const [from, to, toServer] of [[inbound, outbound, true], [outbound, inbound, false]] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('data', chunk => { for (const part of alter(chunk, toServer)) to.write(part) })
      from.on('close', () => { to.destroy() })
      from.on('error', () => {})
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return address.replace(`/tcp/${port}`, `/tcp/${(server.address() as { port: number }).port}`)
}

test('records that arrive in pieces of any size are put together', async t => {
  const cut = (chunk: Buffer): Buffer[] => {
    const parts: Buffer[] = []
    for (let at = 0; at < chunk.length;) {
      const size = randomInt(3) === 0 ? randomInt(1, 4) : randomInt(1, 30_000)
      parts.push(chunk.subarray(at, at + size))
      at += size
    }
    return parts
  }
  const [a, b] = await join(t, 'ours', 'ours', 'tcp', wire(t, cut))
  const hash = await sendAll(a, 3_000_000)
  await until(() => b.received() === 3_000_000, 'all bytes')
  assert.equal(b.hash(), hash)
})

test('one changed byte on the way ends the connection, and nothing of its record is taken', async t => {
  let seen = 0
  let altered = false
  const [a, b, , hostB] = await join(t, 'ours', 'ours', 'tcp', wire(t, (chunk, toServer) => {
    seen += toServer ? chunk.length : 0
    if (toServer && seen > 1_000_000 && !altered) {
      altered = true
      chunk[chunk.length >>> 1] = (chunk[chunk.length >>> 1] ?? 0) ^ 1
    }
    return [chunk]
  }))
  await assert.rejects((async () => { for (let i = 0; i < 100; i++) await a.send(Buffer.alloc(65_507, 7)) })())
  await until(() => hostB.getConnections().length === 0, 'the end of the connection')
  assert.ok(altered)
  const expected = createHash('sha256').update(Buffer.alloc(b.received(), 7)).digest('hex')
  assert.equal(b.hash(), expected)
})

test('two records leave in one write, and of the small messages of one turn the first at once and the others in one', async t => {
  const [a, b] = await join(t, 'ours', 'ours', 'tcp')
  const writes: number[] = []
  const original = Socket.prototype.write
  t.mock.method(Socket.prototype, 'write', function (this: Socket, ...args: Parameters<typeof original>) {
    writes.push((args[0] as Uint8Array).length)
    return original.apply(this, args)
  })
  // Others on the connection, such as identify, may have put in a word; sooner or later they have none.
  async function writesOf (count: number, size: number): Promise<number[]> {
    const before = b.received()
    writes.length = 0
    for (let i = 0; i < count; i++) void a.send(Buffer.alloc(size))
    await until(() => b.received() === before + count * size, 'all pieces')
    return [...writes]
  }
  const shows = async (count: number, size: number, expected: number[]): Promise<boolean> => {
    for (let i = 0; i < 50; i++) if ((await writesOf(count, size)).slice(0, expected.length).join() === expected.join()) return true
    return false
  }
  assert.ok(await shows(2, 65_507, [2 * 65_537]))
  assert.ok(await shows(50, 100, [1, 49].map(messages => 2 + messages * (12 + 100) + 16)))
})

test('a window is opened again by quarters, not for each piece', async t => {
  const [a, b] = await join(t, 'ours', 'ours', 'tcp')
  let updates = 0
  const original = Socket.prototype.write
  t.mock.method(Socket.prototype, 'write', function (this: Socket, ...args: Parameters<typeof original>) {
    if ((args[0] as Uint8Array).length === WINDOW_UPDATE) updates++
    return original.apply(this, args)
  })
  const pieces = 400
  for (let i = 0; i < pieces; i++) await a.send(Buffer.alloc(65_507))
  await until(() => b.received() === pieces * 65_507, 'all pieces')
  assert.ok(updates > 0 && updates < pieces / 1.8, `${updates} window updates for ${pieces} pieces`)
})

test('the window of a narrow stream is opened with what is sent, and by itself once half is gone', async t => {
  const [a, b] = await join(t, 'ours', 'ours', 'tcp', undefined, stream => { narrow(stream, 262_144) })
  let alone = 0
  const original = Socket.prototype.write
  t.mock.method(Socket.prototype, 'write', function (this: Socket, ...args: Parameters<typeof original>) {
    if ((args[0] as Uint8Array).length === WINDOW_UPDATE) alone++
    return original.apply(this, args)
  })
  const piece = Buffer.alloc(66_000)
  async function exchange (count: number, answers: boolean): Promise<number> {
    alone = 0
    for (let i = 0; i < count; i++) {
      const before = b.received()
      await a.send(piece)
      await until(() => b.received() === before + piece.length, 'a piece')
      if (answers) await b.send(Buffer.alloc(1))
    }
    return alone
  }
  await exchange(4, true)
  assert.equal(await exchange(40, true), 0)
  const silent = await exchange(40, false)
  assert.ok(silent >= 18 && silent <= 20, `${silent} of 40`)
})

test('buffers are used again once all of them was sent', () => {
  const take = createSpare(2)
  const first = take(20_000)
  sent(first.subarray(0, 15_000))
  assert.notEqual(take(20_000), first)
  sent(first.subarray(15_000))
  assert.notEqual(take(20_001), first)
  assert.equal(take(20_000), first)
  assert.notEqual(take(20_000), first)
})

test('memory is given back only where nobody else can look at it', () => {
  const record = (): Uint8Array => new Uint8Array(65_519)
  const alone = record()
  releaseReceived(new Uint8ArrayList(alone.subarray(12)))
  assert.equal(alone.length, 0)
  for (const [from, to] of [[0, 65_519], [24, 65_519], [12, 65_507], [11, 65_519], [13, 65_519]] as const) {
    const shared = record()
    releaseReceived(shared.subarray(from, to))
    assert.equal(shared.length, 65_519, `${from} to ${to}`)
  }
  const part = record()
  release(part.subarray(1))
  assert.equal(part.length, 65_519)
  release(part)
  assert.equal(part.length, 0)
})
