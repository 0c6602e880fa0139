/** A node in its own process, under attack by strangers; meanwhile and afterwards its user's tasks are done. */
import { randomBytes, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { multiaddr } from '@multiformats/multiaddr'
import type { Connection } from '@libp2p/interface'
import { CHANNEL_PROTOCOL } from '../../src/net/channels.ts'
import { framePrefix } from '../../src/net/frames.ts'
import { hashOf } from '../../src/wire/hash.ts'
import { encodeEnvelope } from '../../src/wire/envelope.ts'
import { messages, type MessageName } from '../../src/wire/messages.ts'
import { startNode, type TestNode } from '../net/support.ts'
import { attack, PROTOCOLS, stranger } from '../support/attacker.ts'
import { createMesh, LOOPBACK, type Mesh, type StartedNode } from '../support/processes.ts'

const FRAMES = 10_000
const MAX_GROWTH = 64 * 1_024 * 1_024
const BIG = 'x'.repeat(60_000)
const EVIL: unknown[] = [
  null, 0, -1, 2 ** 53, 1e308, '', '\0', '\ud800', BIG, [], Array.from({ length: 1_000 }, () => []),
  {}, JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'), { toString: 1 }
]

describe('a node that strangers attack', { timeout: 60_000 }, () => {
  let mesh: Mesh
  let victim: StartedNode
  let askers = 0

  before(async () => {
    mesh = createMesh()
    victim = await mesh.start('victim', ['--module', join(import.meta.dirname, '../support/two-doors.ts')])
  })
  after(() => mesh[Symbol.asyncDispose]())

  const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${victim.pid}/status`, 'utf8'))?.[1]) * 1_024
  const works = async (): Promise<void> => {
    const { code, stdout, stderr } = await mesh.a2a(['run', 'closed.echo', '--input', '"well"', '--home', mesh.home(`asker-${askers++}`), ...LOOPBACK])
    assert.equal(code, 0, stderr)
    assert.equal(stdout, '"well"\n')
  }
  const holds = async (what: () => Promise<unknown>): Promise<void> => {
    await works()
    const before = rss()
    await Promise.all([what(), works()])
    await works()
    const grown = rss() - before
    assert.ok(grown < MAX_GROWTH, `it grew by ${(grown / 2 ** 20).toFixed()} MiB`)
  }
  const connected = async (t: TestContext): Promise<{ node: TestNode, send: (type: MessageName, payload: unknown, more?: object) => Promise<void> }> => {
    const node = await startNode(t)
    const addresses = victim.addresses
    const send = async (type: MessageName, payload: unknown, more: object = {}): Promise<void> => {
      try {
        await node.net.wire.send(victim.peerId, node.envelope(type, payload, { to: victim.agentId, ...more }), { addresses, timeoutMs: 2_000 })
      } catch {
        // Too large for our own encoder, or the victim has hung up: it is dialled again.
      }
    }
    return { node, send }
  }

  it(`outlives ${FRAMES} frames of noise at each of its protocols`, async t => {
    const bad = await stranger(t)
    const author = await startNode(t)
    const good = encodeEnvelope(author.envelope('hello', { credentials: [] }))
    const target = victim.addresses.map(address => multiaddr(address))
    const dial = (): Promise<Connection> => bad.dial(target, { signal: AbortSignal.timeout(2_000) })
    await holds(async () => { for (const protocol of PROTOCOLS) await attack(dial, protocol, good, FRAMES) })
  })

  it('outlives every type of message with payloads that mean harm', async t => {
    const { node, send } = await connected(t)
    const types = Object.keys(messages) as MessageName[]
    const deep = Buffer.from(`${'['.repeat(3_000)}${']'.repeat(3_000)}`)
    const raw = await stranger(t)
    await holds(async () => {
      for (const type of types) {
        for (const payload of [...EVIL, ...EVIL.map(value => ({ agent_id: value, sequence: value, capabilities: value, credentials: value, failure: value, receipt: value, capability: value, round: value, terms: value }))]) {
          await send(type, payload)
        }
        await send(type, {}, { from: victim.agentId })
        await send(type, {}, { content: deep, mediaType: 'application/json' })
      }
      // Nesting that only bytes can carry, as our own encoder refuses to.
      const stream = await (await raw.dial(victim.addresses.map(address => multiaddr(address)))).newStream([CHANNEL_PROTOCOL])
      stream.addEventListener('message', () => {})
      const frame = Buffer.concat([encodeEnvelope(node.envelope('ping', {})), Buffer.from([0x9a, 0x01]), Buffer.from(framePrefix(deep.length)), deep])
      stream.send(Buffer.concat([framePrefix(frame.length), frame]))
    })
  })

  it('outlives floods: queries, hellos, announcements, adverts with endless names, large awards', async t => {
    const { node, send } = await connected(t)
    const call = (capability: string, more: object = {}) => ({ capability, round: randomInt(1, 16), closes_in_ms: 1e300, input_bytes: 2 ** 53 - 1, max_cost: 1e308, peer_id: node.net.peerId, endpoints: [], exclude: [], ...more })
    const content = randomBytes(1_024 * 1_024)
    const name = Array.from({ length: 120 }, () => 'a').join('.')
    const advert = (sequence: number) => ({ agent_id: node.signer.agentId, sequence, capabilities: Array.from({ length: 64 }, (_, i) => ({ name: `${name}.${i}`, version: 1 })), protocols: [], peer_id: node.net.peerId, endpoints: [], load: 0, ttl: 300 })
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) void send('advert.query', { limit: 256 })
      for (let i = 0; i < 600; i++) await send('task.announce', call('open.echo'), { correlationId: `flood-${i}`, remainingMs: 0xffff_ffff })
      for (let i = 0; i < 50; i++) await send('advert', advert(2 ** 53 - 100 + i))
      for (let i = 0; i < 100; i++) {
        const terms = { cost: 1, lease_ms: 1, fallback: 'next-bidder' }
        await send('task.award', { capability: 'open.echo', bid_id: 'none', input_hash: hashOf(content), requester_peer: node.net.peerId, endpoints: [], terms }, { correlationId: `flood-${i}`, epoch: 1, content })
      }
    }
    // The heap grows to its working size once; what would fill up, fills up again the second time.
    await flood()
    await holds(flood)
  })

  it('lets a stranger in where it is public, and nowhere else', async () => {
    const env = { XDG_RUNTIME_DIR: join(mesh.folder, 'elsewhere') }
    const ask = (capability: string) => mesh.a2a(['run', capability, '--input', '"hi"', '--home', mesh.home('stranger'), ...LOOPBACK, '--bootstrap', victim.addresses[0] ?? ''], { env })
    const closed = await ask('closed.echo')
    assert.equal(closed.code, 5, closed.stderr)
    assert.match(closed.stderr, /not allowed/)
    const open = await ask('open.echo')
    assert.equal(open.code, 0, open.stderr)
  })

  it('has counted what it refused, and has nothing on stderr that is a bug', async () => {
    const { stdout } = await mesh.a2a(['status', '--json', '--home', victim.home])
    const { refused } = JSON.parse(stdout)
    assert.ok(refused.MESSAGE_MALFORMED > 10 && refused.CREDENTIAL_INVALID > 0 && refused.OVERLOADED > 0, stdout)
    const { code, stderr } = await victim.stop()
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stderr, /\n?\s+at |\\n +at |handler failed|polluted/)
  })
})
