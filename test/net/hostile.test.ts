import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { randomBytes, randomInt } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Connection, Stream } from '@libp2p/interface'
import { CHANNEL_PROTOCOL } from '../../src/net/channels.ts'
import { framePrefix } from '../../src/net/frames.ts'
import { didOfPeer } from '../../src/net/hello.ts'
import { DHT_PROTOCOL } from '../../src/net/libp2p.ts'
import { encodeEnvelope } from '../../src/wire/envelope.ts'
import { startNode, until, type TestNode } from './support.ts'

const FRAMES = 10_000
const PROTOCOLS = [CHANNEL_PROTOCOL, DHT_PROTOCOL, '/meshsub/1.2.0', '/meshsub/1.1.0', '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0']

async function stranger (t: TestContext) {
  const node = await createLibp2p({ transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux({ enableKeepAlive: false })], connectionMonitor: { enabled: false } })
  t.after(() => node.stop())
  return node
}

/** A frame that somebody who means harm could send: noise, a cut or bent message, a false length. */
function badFrame (good: Uint8Array): Uint8Array {
  const framed = (bytes: Uint8Array): Uint8Array => Buffer.concat([framePrefix(bytes.length), bytes])
  switch (randomInt(7)) {
    case 0: return randomBytes(randomInt(1, 300))
    case 1: return framed(randomBytes(randomInt(1, 300)))
    case 2: return framed(good.subarray(0, randomInt(1, good.length)))
    case 3: {
      const bent = Uint8Array.from(good)
      bent[randomInt(bent.length)] = randomInt(256)
      return framed(bent)
    }
    case 4: return Buffer.concat([framePrefix(randomInt(2 ** 21, 2 ** 27)), randomBytes(50)])
    case 5: return Uint8Array.of(0)
    default: return framed(Buffer.concat([good, randomBytes(20)]))
  }
}

/** Sends until all are sent; whenever the stream is reset, or the connection is ended, begins anew. */
async function attack (dial: () => Promise<Connection>, protocol: string, good: Uint8Array): Promise<number> {
  let sent = 0
  let stream: Stream | undefined
  let streams = 0
  while (sent < FRAMES) {
    try {
      if (stream?.status !== 'open') {
        stream = await (await dial()).newStream([protocol], { signal: AbortSignal.timeout(2_000), maxOutboundStreams: 1_000 })
        stream.addEventListener('message', () => {})
        streams++
      }
      for (let i = 0; i < 50 && sent < FRAMES; i++, sent++) stream.send(badFrame(good))
    } catch {
      sent += 50
    }
    await new Promise(resolve => { setImmediate(resolve) })
    if (streams % 20 === 19) stream?.abort(new Error('enough'))
  }
  return streams
}

async function answers (victim: TestNode, honest: TestNode): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const reply = await honest.net.wire.request(victim.net.peerId, honest.envelope('advert.query', { limit: 1 }), { addresses: victim.address(), timeoutMs: 10_000 })
    assert.equal(reply.type, 'advert.list')
  }
}

for (const protocol of PROTOCOLS) {
  test(`${FRAMES} bad frames at ${protocol} do an honest peer no harm`, { timeout: 60_000 }, async t => {
    const [victim, honest, bad] = await Promise.all([startNode(t), startNode(t), stranger(t)])
    victim.net.handle('advert.query', query => victim.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
    victim.net.gossip.join('a2a/test')
    await answers(victim, honest)
    const target = victim.address().map(address => multiaddr(address))
    globalThis.gc?.()
    const before = process.memoryUsage()
    const good = encodeEnvelope(honest.envelope('hello', { credentials: [] }))
    const streams = await attack(() => bad.dial(target, { signal: AbortSignal.timeout(2_000) }), protocol, good)
    assert.ok(streams > 0, 'not one stream was opened')
    await answers(victim, honest)
    globalThis.gc?.()
    const after = process.memoryUsage()
    const grown = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 1e6
    assert.ok(grown < 100, `memory grew by ${grown.toFixed()} MB`)
    assert.equal(honest.net.peers().length, 1)
  })
}

test('garbage at the port itself does no harm', async t => {
  const [victim, honest] = await Promise.all([startNode(t), startNode(t)])
  victim.net.handle('advert.query', query => victim.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
  const port = Number(/tcp\/(\d+)/.exec(victim.address()[0] ?? '')?.[1])
  await Promise.all(Array.from({ length: 50 }, async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.end(randomBytes(randomInt(1, 5_000)))
    socket.resume()
    await new Promise(resolve => { socket.once('close', resolve) })
  }))
  await answers(victim, honest)
})

test('who does not say hello is not heard, and is let go', async t => {
  const [victim, honest, bad] = await Promise.all([startNode(t), startNode(t), stranger(t)])
  victim.net.handle('advert', () => assert.fail('it reached the handler'))
  const advert = encodeEnvelope(honest.envelope('advert', { agent_id: honest.signer.agentId, sequence: 1, capabilities: [], protocols: [], peer_id: honest.net.peerId, endpoints: [], load: 0, ttl: 60 }))
  const connection = await bad.dial(victim.address().map(address => multiaddr(address)))
  const stream = await connection.newStream([CHANNEL_PROTOCOL])
  stream.addEventListener('message', () => {})
  stream.send(Buffer.concat([framePrefix(advert.length), advert]))
  await until(() => stream.status !== 'open', 'the reset')
  assert.equal(victim.net.refused.MESSAGE_MALFORMED, 1)
  assert.deepEqual(victim.net.peers(), [])
})

test('who asks and does not read is not read, and fills no memory', { timeout: 30_000 }, async t => {
  const [victim, honest] = await Promise.all([startNode(t), startNode(t)])
  const bad = await stranger(t)
  victim.net.handle('advert.query', query => victim.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
  const from = didOfPeer(bad.peerId.toString()) ?? ''
  const ping = (): Uint8Array => encodeEnvelope({ ...honest.envelope('ping', {}), from })
  const hello = encodeEnvelope({ ...honest.envelope('hello', { credentials: [] }), from })
  const connection = await bad.dial(victim.address().map(address => multiaddr(address)))
  const stream = await connection.newStream([CHANNEL_PROTOCOL])
  stream.pause()
  stream.send(Buffer.concat([framePrefix(hello.length), hello]))
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 40_000; i++) {
    const frame = ping()
    stream.send(Buffer.concat([framePrefix(frame.length), frame]))
    if (i % 500 === 0) await new Promise(resolve => { setImmediate(resolve) })
  }
  await answers(victim, honest)
  // What waits is in the sender's memory, which is this process too: 40,000 frames of about 150 bytes.
  assert.ok(process.memoryUsage().heapUsed - before < 150_000_000)
})
