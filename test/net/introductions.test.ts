/** Whom a node speaks for, told bit by bit, and to nodes of the first version all at once. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { keyOfSeed } from '../../src/identity/keys.ts'
import { createSigner } from '../../src/identity/signer.ts'
import { CHANNEL_PROTOCOL } from '../../src/net/channels.ts'
import { createFrameReader, framePrefix } from '../../src/net/frames.ts'
import { didOfPeer } from '../../src/net/hello.ts'
import { CHANNEL } from '../../src/net/limits.ts'
import { decodeEnvelope, encodeEnvelope, MAX_ENVELOPE } from '../../src/wire/envelope.ts'
import { stranger } from '../support/attacker.ts'
import { clock, peerIdOf, startNode, until, type TestNode } from './support.ts'

/** A node with as many agents as are put into `credentials`. */
async function crowd (t: TestContext): Promise<{ node: TestNode, credentials: Uint8Array[], ids: string[], more: (count: number) => void }> {
  const seed = randomBytes(32)
  const peerId = await peerIdOf(seed)
  const credentials: Uint8Array[] = []
  const ids: string[] = []
  const node = await startNode(t, { seed, credentials: () => credentials })
  const more = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const signer = createSigner({ root: keyOfSeed(randomBytes(32)), peerId, clock })
      t.after(() => { signer.close() })
      credentials.push(signer.credential())
      ids.push(signer.agentId)
    }
  }
  return { node, credentials, ids, more }
}

const speakers = (node: TestNode, peer: string): string[] => node.net.speakers(peer).map(({ agentId }) => agentId).sort()

test('more agents than one hello holds are all known, and none speaks before it is checked', async t => {
  const { node: many, ids, more } = await crowd(t)
  const other = await startNode(t)
  more(300)
  const events: string[] = []
  other.net.onPeer(({ type }) => { events.push(type) })
  const heard: number[] = []
  other.net.handle('advert.query', () => { heard.push(other.net.speakers(many.net.peerId).length); return undefined })
  await many.net.wire.send(other.net.peerId, many.envelope('advert.query', { limit: 1 }, { from: ids[0] }), { addresses: other.address() })
  await until(() => other.net.speakers(many.net.peerId).length === 300, 'all of them')
  assert.deepEqual(speakers(other, many.net.peerId), ids.toSorted())
  await until(() => heard.length === 1, 'the query')
  assert.ok((heard[0] ?? 0) >= 100, `${heard[0]} were known when the first of them spoke`)
  assert.equal(events.filter(type => type === 'opened').length, 1)
  assert.deepEqual(other.net.refused, {})
})

test('an agent that comes later is told by itself, before it speaks, and peers do not meet anew', async t => {
  const { node: many, ids, more } = await crowd(t)
  const other = await startNode(t)
  more(40)
  await many.net.wire.send(other.net.peerId, many.envelope('ack', {}, { from: ids[0] }), { addresses: other.address() })
  await until(() => other.net.speakers(many.net.peerId).length === 40 && many.net.peers().length === 1, 'both hellos')
  const events: string[] = []
  other.net.onPeer(({ type }) => { events.push(type) })
  const asked: string[] = []
  other.net.handle('advert.query', ({ from }) => { asked.push(from); return undefined })
  for (let i = 0; i < 20; i++) {
    more(1)
    many.net.greet()
    await many.net.wire.send(other.net.peerId, many.envelope('advert.query', { limit: 1 }, { from: ids.at(-1) }))
  }
  await until(() => asked.length === 20, 'all questions')
  assert.deepEqual(asked, ids.slice(40))
  assert.deepEqual([...new Set(events)], ['changed'])
  assert.equal(other.net.speakers(many.net.peerId).length, 60)
  assert.deepEqual(other.net.refused, {})
})

test('a node of the first version is told whole hellos only, as it knows them', async t => {
  const { node: many, more, credentials } = await crowd(t)
  more(2)
  const old = await stranger(t)
  const connection = await old.dial(many.address().map(address => multiaddr(address)))
  const stream = await connection.newStream([CHANNEL_PROTOCOL])
  const reader = createFrameReader(MAX_ENVELOPE)
  const got: Array<{ type: string, credentials: string[] }> = []
  stream.addEventListener('message', ({ data }) => {
    reader.push(data)
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      const { type, payload } = decodeEnvelope(frame)
      got.push({ type, credentials: (payload as { credentials: string[] }).credentials })
    }
  })
  const hello = encodeEnvelope({ ...many.envelope('hello', { credentials: [] }), from: didOfPeer(old.peerId.toString()) ?? '' })
  stream.send(Buffer.concat([framePrefix(hello.length), hello]))
  await until(() => many.net.peers().length === 1, 'its hello')
  more(1)
  many.net.greet()
  await until(() => got.length >= 2, 'the second hello')
  assert.deepEqual(got.map(({ type, credentials: { length } }) => [type, length]), [['hello', 2], ['hello', 3]])
  assert.deepEqual(got[1]?.credentials, credentials.map(bytes => Buffer.from(bytes).toString('base64url')))
})

test('one channel speaks for a bounded number of agents', async t => {
  const { node: many, ids, more } = await crowd(t)
  const other = await startNode(t)
  more(CHANNEL.speakers + 10)
  await many.net.wire.send(other.net.peerId, many.envelope('ack', {}, { from: ids[0] }), { addresses: other.address() })
  await until(() => (other.net.refused.OVERLOADED ?? 0) === 10, 'the refusal of those beyond it', 30_000)
  assert.equal(other.net.speakers(many.net.peerId).length, CHANNEL.speakers)
  assert.equal(many.net.peers().length, 1, 'they are still connected')
})
