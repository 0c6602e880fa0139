import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { test, type TestContext } from 'node:test'
import type { Stream } from '@libp2p/interface'
import { systemClock } from '../../src/core/clock.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import { createChannel, type Channel } from '../../src/net/channel.ts'
import { createHost, stopHost } from '../../src/net/libp2p.ts'
import { CHANNEL } from '../../src/net/limits.ts'
import { decodeEnvelope } from '../../src/wire/envelope.ts'
import { until } from './support.ts'

const PROTOCOL = '/a2a-node/test/1'

const message = (number: number): Envelope => ({ version: 1, messageId: `m${number}`, correlationId: `m${number}`, from: 'did:key:z', timestamp: 0, type: 'tell', payload: {}, content: Buffer.alloc(300) })

/** A channel to a node of its own: what it writes, and what is heard there. */
async function open (t: TestContext): Promise<{ channel: Channel, writes: () => number, heard: string[] }> {
  const host = async () => {
    const started = await createHost(randomBytes(32), ['/ip4/127.0.0.1/tcp/0'], { isServer: true }, () => 0)
    t.after(() => stopHost(started, 250))
    return started
  }
  const [a, b] = await Promise.all([host(), host()])
  const heard: string[] = []
  const over = (stream: Stream): Channel => createChannel({
    stream, peer: 'peer', mayRead: () => true, clock: systemClock, onClosed () {}, onGarbage: assert.ifError,
    onFrame: frame => { heard.push(decodeEnvelope(frame).messageId) }
  })
  await b.handle(PROTOCOL, stream => { over(stream) })
  const connection = await a.dial(b.getMultiaddrs())
  const stream = await connection.newStream(PROTOCOL)
  let writes = 0
  const send = stream.send.bind(stream)
  stream.send = bytes => {
    writes++
    return send(bytes)
  }
  return { channel: over(stream), writes: () => writes, heard }
}

test('what is worth a write does not wait for the rest of its turn, and all of it comes in order', async t => {
  const { channel, writes, heard } = await open(t)
  const say = (from: number, count: number): void => { for (let i = 0; i < count; i++) channel.send(message(from + i)) }

  // The first of a quiet channel leaves at once; then a channel where several leave in a turn gathers them.
  say(0, 2)
  assert.equal(writes(), 1)
  await turn()
  assert.equal(writes(), 2)

  say(2, CHANNEL.worthAWrite - 1)
  assert.equal(writes(), 2)
  say(1 + CHANNEL.worthAWrite, 1)
  assert.equal(writes(), 3)
  say(2 + CHANNEL.worthAWrite, 2 * CHANNEL.worthAWrite + 1)
  assert.equal(writes(), 5)
  await turn()
  assert.equal(writes(), 6)

  const all = 3 + 3 * CHANNEL.worthAWrite
  await until(() => heard.length === all, 'all of them')
  assert.deepEqual(heard, Array.from({ length: all }, (_, i) => `m${i}`))
})
