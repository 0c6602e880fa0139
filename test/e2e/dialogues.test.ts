/** Dialogues between processes: one that is killed, and one that is attacked by who opens them. */
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { multiaddr } from '@multiformats/multiaddr'
import { createNode, type Agent, type HostedNode } from '../../src/index.ts'
import { DIALOGUE_PROTOCOL } from '../../src/converse/dialogues.ts'
import { encodeFailure, encodeMessage, encodeMore, encodeSign, KIND } from '../../src/converse/frames.ts'
import { readFrames } from '../../src/converse/frame-stream.ts'
import { DIALOGUE } from '../../src/converse/limits.ts'
import { framePrefix } from '../../src/net/frames.ts'
import type { ByteStream } from '../../src/net/streams.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/wire/envelope.ts'
import { withCode } from '../identity/support.ts'
import { startNode, until, type TestNode } from '../net/support.ts'
import { attack, stranger } from '../support/attacker.ts'
import { createMesh, type Mesh, type StartedNode } from '../support/processes.ts'

const TALKER = ['--module', join(import.meta.dirname, '../support/talker.ts')]
const MiB = 1_024 * 1_024
const MAX_GROWTH = 96 * MiB

describe('dialogues between processes', { timeout: 120_000 }, () => {
  let mesh: Mesh
  let talker: StartedNode
  let node: HostedNode
  let agent: Agent

  before(async () => {
    mesh = createMesh()
    talker = await mesh.start('talker', TALKER)
    const logger = { debug () {}, info () {}, warn () {}, error: console.error }
    node = await createNode({ name: 'asker', home: mesh.home('asker'), rendezvous: join(mesh.folder, 'elsewhere'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap: talker.addresses, logger })
    agent = node.agents[0] as Agent
    await node.joined()
  })
  after(async () => {
    await node[Symbol.asyncDispose]()
    await mesh[Symbol.asyncDispose]()
  })

  const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${talker.pid}/status`, 'utf8'))?.[1]) * 1_024

  async function talks (): Promise<void> {
    await using dialogue = await agent.dialogue<string, string>(talker.agentId, 'quote')
    await dialogue.send('well?')
    assert.equal((await dialogue[Symbol.asyncIterator]().next()).value, '> well?')
  }

  async function holds (what: () => Promise<unknown>): Promise<void> {
    await talks()
    const before = rss()
    await what()
    await talks()
    const grown = rss() - before
    assert.ok(grown < MAX_GROWTH, `it grew by ${(grown / MiB).toFixed()} MiB`)
  }

  /** A node that greets well, and writes what it likes on the streams of dialogues. */
  async function guest (t: TestContext): Promise<{ node: TestNode, open: () => Promise<ByteStream>, taken: (name: string) => Promise<ByteStream> }> {
    const bad = await startNode(t)
    const open = (): Promise<ByteStream> => bad.net.streams.open(talker.peerId, DIALOGUE_PROTOCOL, { addresses: talker.addresses })
    return {
      node: bad,
      open,
      async taken (name) {
        const stream = await open()
        const bytes = encodeEnvelope(bad.envelope('dialogue.open', {}, { task: name, to: talker.agentId }))
        await stream.write(Buffer.concat([framePrefix(bytes.length), bytes]))
        const frames = readFrames(stream)
        await frames.more()
        assert.equal(decodeEnvelope(frames.take(DIALOGUE.openingBytes) ?? new Uint8Array()).type, 'ack')
        return stream
      }
    }
  }

  /** Reads to the end, and gives the code of the failure that was told, if any. */
  async function endOf (stream: ByteStream): Promise<string | undefined> {
    const frames = readFrames(stream)
    try {
      do {
        for (let frame = frames.take(DIALOGUE.frameBytes); frame !== undefined; frame = frames.take(DIALOGUE.frameBytes)) {
          if (frame[0] === KIND.failed || frame[0] === KIND.cancel) return JSON.parse(Buffer.from(frame.subarray(1)).toString()).code
        }
      } while (await frames.more())
    } catch {
      // It was reset: nothing was told.
    }
    return undefined
  }

  it('outlive noise instead of an opening', async t => {
    const bad = await stranger(t)
    const { node: guestNode, open } = await guest(t)
    const good = encodeEnvelope(guestNode.envelope('dialogue.open', {}, { task: 'quote', to: talker.agentId }))
    const target = talker.addresses.map(address => multiaddr(address))
    await holds(async () => {
      await attack(() => bad.dial(target, { signal: AbortSignal.timeout(2_000) }), DIALOGUE_PROTOCOL, good, 3_000)
      for (let i = 0; i < 200; i++) {
        const stream = await open()
        await stream.write(randomBytes(randomInt(1, 2_000))).catch(() => {})
        stream.abort('next')
      }
      // Larger than an opening may be: refused by its length alone.
      const stream = await open()
      await stream.write(Buffer.concat([framePrefix(DIALOGUE.openingBytes + 1), randomBytes(100)]))
      const frames = readFrames(stream)
      await frames.more()
      assert.match(JSON.stringify(decodeEnvelope(frames.take(DIALOGUE.openingBytes) ?? new Uint8Array()).payload), /MESSAGE_TOO_LARGE/)
    })
  })

  it('are refused to who does not say who it is, and to who is somebody else', async t => {
    const { node: bad, open } = await guest(t)
    for (const [more, code] of [[{ from: talker.agentId }, 'CREDENTIAL_INVALID'], [{ to: bad.signer.agentId }, 'REFUSED'], [{ to: undefined }, 'REFUSED']] as const) {
      const stream = await open()
      const bytes = encodeEnvelope(bad.envelope('dialogue.open', {}, { task: 'quote', to: talker.agentId, ...more }))
      await stream.write(Buffer.concat([framePrefix(bytes.length), bytes]))
      const frames = readFrames(stream)
      await frames.more()
      const { type, payload } = decodeEnvelope(frames.take(DIALOGUE.openingBytes) ?? new Uint8Array())
      assert.deepEqual([type, (payload as { failure: { code: string } }).failure.code], ['error', code])
    }
  })

  it('end, and tell why, for who breaks their rules', async t => {
    const { taken } = await guest(t)
    const framed = (...bytes: number[]): Uint8Array => Buffer.concat([framePrefix(bytes.length), Uint8Array.from(bytes)])
    const large = encodeMessage(new Uint8Array(4 * MiB)).frame
    for (const [what, name, frames, code] of [
      ['a kind that is none', 'quote', [framed(99)], 'MESSAGE_MALFORMED'],
      ['a frame without content', 'quote', [Uint8Array.of(0)], 'MESSAGE_MALFORMED'],
      ['a frame that is too large', 'quote', [framePrefix(DIALOGUE.frameBytes + 1)], 'MESSAGE_TOO_LARGE'],
      ['what is no JSON', 'quote', [framed(KIND.json, 0x7b)], 'MESSAGE_MALFORMED'],
      ['JSON that is nested too deeply', 'quote', [encodeMessage(JSON.parse('['.repeat(500) + ']'.repeat(500))).frame], 'MESSAGE_MALFORMED'],
      ['a message after the end', 'ignore', [encodeSign(KIND.end), encodeMessage('x').frame], 'MESSAGE_MALFORMED'],
      ['a second end', 'ignore', [encodeSign(KIND.end), encodeSign(KIND.end)], 'MESSAGE_MALFORMED'],
      ['a second stop', 'ignore', [encodeSign(KIND.stop), encodeSign(KIND.stop)], 'MESSAGE_MALFORMED'],
      ['a grant of what was not taken', 'quote', [encodeMore(1)], 'MESSAGE_MALFORMED'],
      ['a grant of nothing', 'count', [encodeMore(0)], 'MESSAGE_MALFORMED'],
      ['a grant that is cut', 'quote', [framed(KIND.more, 1)], 'MESSAGE_MALFORMED'],
      ['a failure that is none', 'quote', [framed(KIND.failed, 0x5b)], 'MESSAGE_MALFORMED'],
      ['more than was granted', 'ignore', [large, encodeMessage('x').frame], 'MESSAGE_MALFORMED'],
      ['endless empty messages', 'ignore', Array.from({ length: 20_000 }, () => encodeMessage(new Uint8Array()).frame), 'MESSAGE_MALFORMED']
    ] as const) {
      const stream = await taken(name)
      stream.write(Buffer.concat(frames)).catch(() => {})
      assert.equal(await endOf(stream), code, what)
    }
    // A failure that is not known is one all the same.
    const stream = await taken('ignore')
    await stream.write(encodeFailure(KIND.cancel, { code: 'NEVER_HEARD_OF' } as never))
    assert.equal(await endOf(stream), undefined)
    await talks()
  })

  it('keep their place until who opened them has ended too, and read nothing of who does not stop', async t => {
    const { taken } = await guest(t)
    const open = await Promise.all(Array.from({ length: DIALOGUE.inboundPerPeer }, () => taken('brief')))
    await assert.rejects(taken('brief'))
    const [first] = open
    assert.ok(first !== undefined)
    for (let i = 0; i < 30; i++) first.write(encodeMessage(new Uint8Array(100_000)).frame).catch(() => {})
    assert.equal(await endOf(first), 'MESSAGE_MALFORMED')
    for (const stream of open) stream.abort('enough')
  })

  it('hold nothing but their window for who never reads, and fill no memory for who writes for ever', async t => {
    const { taken, open } = await guest(t)
    await holds(async () => {
      const unread = await Promise.all(Array.from({ length: 8 }, () => taken('count')))
      const flooding = await Promise.all(Array.from({ length: 8 }, () => taken('ignore')))
      await Promise.all(flooding.map(async stream => {
        const piece = encodeMessage(new Uint8Array(50_000)).frame
        for (let i = 0; i < 2_000 && !stream.closed.aborted; i++) await stream.write(piece).catch(() => { stream.abort('over') })
      }))
      // And those who say nothing have a moment only.
      const silent = await open()
      await until(() => silent.closed.aborted, 'the end of who says nothing')
      for (const stream of unread) stream.abort('enough')
    })
  })

  it('fail, and do not end well, when the other process is killed', async () => {
    const reading = await agent.dialogue<never, number>(talker.agentId, 'count')
    const idle = await agent.dialogue(talker.agentId, 'ignore')
    let heard = 0
    await assert.rejects(async () => {
      for await (const number of reading) {
        assert.equal(number, heard++)
        if (heard === 10_000) talker.signal('SIGKILL')
      }
    }, withCode('PEER_UNREACHABLE'))
    assert.ok(heard >= 10_000)
    await assert.rejects(idle[Symbol.asyncIterator]().next(), withCode('PEER_UNREACHABLE'))
    await assert.rejects(idle.send('x'), withCode('PEER_UNREACHABLE'))
    assert.ok(reading.signal.aborted && idle.signal.aborted)
  })
})
