import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { randomBytes, randomInt } from 'node:crypto'
import { test } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { CHANNEL_PROTOCOL } from '../../src/net/channels.ts'
import { framePrefix } from '../../src/net/frames.ts'
import { didOfPeer } from '../../src/net/hello.ts'
import { encodeEnvelope } from '../../src/wire/envelope.ts'
import { attack, PROTOCOLS, stranger } from '../support/attacker.ts'
import { startNode, until, type TestNode } from './support.ts'

const FRAMES = 10_000

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
    const streams = await attack(() => bad.dial(target, { signal: AbortSignal.timeout(2_000) }), protocol, good, FRAMES)
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
