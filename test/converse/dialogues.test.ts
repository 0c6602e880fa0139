/** Dialogues between agents of real nodes, over real connections, and between two of one node. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { A2aError, createNode, type Agent, type Dialogue, type HostedNode, type NodeOptions } from '../../src/index.ts'
import { DIALOGUE } from '../../src/converse/limits.ts'
import { withCode } from '../identity/support.ts'
import { until } from '../net/support.ts'

const MiB = 1_024 * 1_024
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function all<Message> (dialogue: AsyncIterable<Message>): Promise<Message[]> {
  const messages: Message[] = []
  for await (const message of dialogue) messages.push(message)
  return messages
}

describe('dialogues', { timeout: 120_000 }, () => {
  let folder: string
  const nodes: HostedNode[] = []
  let near: Agent
  let far: Agent
  let neighbour: Agent

  const start = async (name: string, options: NodeOptions = {}): Promise<HostedNode> => {
    const logger = { debug () {}, info () {}, warn () {}, error: console.error }
    const node = await createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger, ...options })
    nodes.push(node)
    return node
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'a2a-dialogues-'))
    const here = await start('near')
    near = here.agents[0] as Agent
    neighbour = await here.createAgent({ name: 'neighbour' })
    far = (await start('far')).agents[0] as Agent
    await Promise.all(nodes.map(node => node.joined()))
  })
  after(async () => {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
    rmSync(folder, { recursive: true, force: true })
  })

  for (const [where, other] of [['of another node', () => far], ['of the same node', () => neighbour]] as const) {
    describe(`with an agent ${where}`, () => {
      /** Both ends of one dialogue. The handler goes on until the test calls `leave`. */
      async function pair (name: string, options: Parameters<Agent['onDialogue']>[2] = {}): Promise<{ ours: Dialogue<any, any>, theirs: Dialogue<any, any>, leave: (error?: Error) => void }> {
        const taken = Promise.withResolvers<Dialogue<any, any>>()
        const left = Promise.withResolvers<void>()
        const offered = await other().onDialogue(name, dialogue => {
          taken.resolve(dialogue)
          return left.promise
        }, options)
        const ours = await near.dialogue<any, any>(other().id, name)
        await offered[Symbol.asyncDispose]()
        return { ours, theirs: await taken.promise, leave: error => { if (error === undefined) left.resolve(); else left.reject(error) } }
      }

      it('carry typed messages both ways at once, in their order', async () => {
        const heard: unknown[] = []
        const met: unknown[] = []
        await using _ = await other().onDialogue<{ units: number }, { price: number }>('price.talk', async dialogue => {
          met.push([dialogue.with, dialogue.name, dialogue.data])
          await dialogue.send({ price: -1 })
          for await (const { units } of dialogue) {
            heard.push(units)
            await dialogue.send({ price: units * 14 })
          }
        })
        await using dialogue = await near.dialogue<{ units: number }, { price: number }>(other().id, 'price.talk', { data: { currency: 'EUR' } })
        const sending = (async () => {
          for (let units = 0; units < 2_000; units++) await dialogue.send({ units })
          await dialogue.end()
        })()
        const prices: number[] = []
        for await (const { price } of dialogue) prices.push(price)
        await sending
        assert.deepEqual(prices, [-1, ...Array.from({ length: 2_000 }, (_, i) => i * 14)])
        assert.deepEqual(heard, Array.from({ length: 2_000 }, (_, i) => i))
        assert.deepEqual(met, [[near.id, 'price.talk', { currency: 'EUR' }]])
        assert.deepEqual([dialogue.with, dialogue.name], [other().id, 'price.talk'])
        assert.ok(dialogue.signal.aborted)
      })

      it('carry bytes and every kind of JSON, up to 4 MiB', async () => {
        await using _ = await other().onDialogue('echo', async dialogue => { for await (const message of dialogue) await dialogue.send(message) })
        await using dialogue = await near.dialogue<unknown, unknown>(other().id, 'echo')
        const messages = [null, false, 0, '', 'ä\ud83d\ude00', [], {}, [{ a: [1] }], new Uint8Array(), Uint8Array.of(1, 2, 255), new Uint8Array(4 * MiB).fill(7), 'x'.repeat(4 * MiB - 2)]
        const reader = dialogue[Symbol.asyncIterator]()
        for (const message of messages) {
          await dialogue.send(message)
          const { value } = await reader.next()
          assert.deepEqual(value, message)
          if (value instanceof Uint8Array) assert.ok(value.byteOffset === 0 && value.buffer.byteLength <= value.byteLength + 1, 'it is nobody else\'s memory')
        }
        await assert.rejects(dialogue.send(new Uint8Array(4 * MiB + 1)), withCode('MESSAGE_TOO_LARGE'))
        await assert.rejects(dialogue.send('x'.repeat(4 * MiB)), withCode('MESSAGE_TOO_LARGE'))
        await assert.rejects(dialogue.send(1n), withCode('BAD_USAGE'))
        await assert.rejects(dialogue.send(() => {}), withCode('BAD_USAGE'))
        await dialogue.send('it goes on')
        assert.equal((await reader.next()).value, 'it goes on')
      })

      it('carry large messages as they were when they were sent, in two dialogues at once', async () => {
        await using _ = await other().onDialogue('hash', async dialogue => { for await (const bytes of dialogue) await dialogue.send(sha256(bytes as Uint8Array)) })
        const sizes = [16_000, 16_384, 65_506, 65_536, 65_540, 131_072, 200_000]
        await Promise.all([0, 1].map(async seed => {
          await using dialogue = await near.dialogue<Uint8Array, string>(other().id, 'hash')
          const place = new Uint8Array(200_000)
          const sent: string[] = []
          const sending = (async () => {
            for (let i = 0; i < 300; i++) {
              const bytes = place.subarray(0, sizes[(i + seed) % sizes.length]).fill(i)
              bytes.set(randomBytes(1_000))
              sent.push(sha256(bytes))
              await dialogue.send(bytes)
            }
            await dialogue.end()
          })()
          const heard = await all(dialogue)
          await sending
          assert.deepEqual(heard, sent)
        }))
      })

      it('hold up who sends while the other does not read, and lose nothing', async () => {
        const { ours, theirs, leave } = await pair('slow')
        const piece = new Uint8Array(100_000)
        let taken = 0
        const sending = (async () => {
          for (let i = 0; i < 1_000; i++) {
            await ours.send(piece.fill(i))
            taken++
          }
          await ours.end()
        })()
        for (let before = -1; before !== taken; await sleep(100)) before = taken
        assert.ok(taken * piece.length <= DIALOGUE.windowBytes + piece.length, `${taken} messages were taken`)
        // Backwards, nobody is held up.
        await theirs.send('still here')
        assert.equal((await ours[Symbol.asyncIterator]().next()).value, 'still here')
        let read = 0
        for await (const bytes of theirs) {
          assert.equal(bytes.length, piece.length)
          assert.equal(bytes[0], read++ % 256)
        }
        await sending
        assert.equal(read, 1_000)
        leave()
      })

      it('end in each direction by itself', async () => {
        const first = await pair('half')
        await first.ours.send('question')
        await first.ours.end()
        await assert.rejects(first.ours.send('more'), withCode('BAD_USAGE'))
        assert.deepEqual(await all(first.theirs), ['question'])
        await first.theirs.send('a long answer')
        assert.equal(first.ours.signal.aborted || first.theirs.signal.aborted, false)
        await first.theirs.end()
        assert.deepEqual(await all(first.ours), ['a long answer'])
        assert.ok(first.ours.signal.aborted && first.theirs.signal.aborted)
        first.leave()

        const second = await pair('half')
        await second.theirs.end()
        assert.deepEqual(await all(second.ours), [])
        await second.ours.send('we go on')
        await second.ours.end()
        assert.deepEqual(await all(second.theirs), ['we go on'])
        second.leave()
      })

      it('are cancelled from either side at once, however much waits to be read, and say why', async () => {
        for (const by of ['ours', 'theirs'] as const) {
          const both = await pair('cancelled')
          const from = both[by]
          const to = both[by === 'ours' ? 'theirs' : 'ours']
          const heard = once(to.signal, 'abort')
          const sent = Array.from({ length: 20 }, () => from.send(new Uint8Array(100_000)))
          await sent[0]
          await from.cancel('the price is too high')
          await heard
          for (const end of [to, from]) {
            await assert.rejects(end[Symbol.asyncIterator]().next(), (error: A2aError) => {
              assert.deepEqual(error.failure, { code: 'CANCELLED', dialogue: 'cancelled', why: 'the price is too high' })
              return true
            })
            await assert.rejects(end.send('x'), withCode('CANCELLED'))
            assert.equal((end.signal.reason as A2aError).code, 'CANCELLED')
          }
          await assert.rejects(sent.at(-1) as Promise<void>, withCode('CANCELLED'))
          both.leave()
        }
      })

      it('tell the other side when the handler throws, after all that it said', async () => {
        const broken = await pair('broken')
        for (const i of [1, 2, 3]) await broken.theirs.send(i)
        broken.leave(new TypeError('cannot divide by zero'))
        const heard: unknown[] = []
        await assert.rejects(async () => { for await (const message of broken.ours) heard.push(message) }, (error: A2aError) => {
          assert.deepEqual(error.failure, { code: 'HANDLER_FAILED', capability: 'broken', why: 'cannot divide by zero', retryable: false })
          return true
        })
        assert.deepEqual(heard, [1, 2, 3])
        await assert.rejects(broken.ours.send('x'), withCode('HANDLER_FAILED'))
        await assert.rejects(all(broken.ours), withCode('HANDLER_FAILED'), 'nor does it end well the second time')

        const refusing = await pair('broken')
        refusing.leave(new A2aError({ code: 'REFUSED', why: 'not today' }))
        await assert.rejects(all(refusing.ours), withCode('REFUSED'))
      })

      it('end when the handler returns: what it said arrives, and it takes no more', async () => {
        const { ours, theirs, leave } = await pair('short')
        await theirs.send('all I know')
        leave()
        assert.deepEqual(await all(ours), ['all I know'])
        await until(() => theirs.signal.aborted, 'its end')
        await assert.rejects(ours.send('and now?'), withCode('CANCELLED'))
        await ours.end()
        await until(() => ours.signal.aborted, 'the end')
      })

      it('go on for who sends when it reads no more', async () => {
        const { ours, theirs, leave } = await pair('left')
        await theirs.send('first')
        for await (const message of ours) {
          assert.equal(message, 'first')
          break
        }
        await assert.rejects(async () => { for (;;) await theirs.send('more').then(() => new Promise(setImmediate)) }, withCode('CANCELLED'))
        await ours.send('what I wanted to say')
        await ours.end()
        assert.deepEqual(await all(theirs), ['what I wanted to say'])
        leave()
      })

      it('end with a message that does not fit, at both sides', async () => {
        const terms = { receives: { type: 'object', required: ['units'], properties: { units: { type: 'integer' } } }, sends: { type: 'number' } } as const
        const { ours, theirs, leave } = await pair('typed', terms)
        await assert.rejects(theirs.send('a word'), withCode('OUTPUT_INVALID'))
        await theirs.send(42)
        await ours.send({ units: 1 })
        await ours.send({ units: 'many' })
        await ours.send({ units: 2 })
        const heard: unknown[] = []
        await assert.rejects(async () => { for await (const message of theirs) heard.push(message) }, withCode('INPUT_INVALID'))
        assert.deepEqual(heard, [{ units: 1 }])
        await assert.rejects(theirs[Symbol.asyncIterator]().next(), withCode('INPUT_INVALID'))
        const reader = ours[Symbol.asyncIterator]()
        assert.equal((await reader.next()).value, 42)
        await assert.rejects(reader.next(), (error: A2aError) => error.code === 'INPUT_INVALID' && /units/.test(error.message))
        leave()
      })

      it('end when more waits than may, rather than lose a message', async () => {
        const { ours, theirs, leave } = await pair('flood')
        const sent = Array.from({ length: 200 }, () => ours.send(new Uint8Array(100_000)))
        const results = await Promise.allSettled(sent)
        assert.ok(results.slice(0, 10).every(({ status }) => status === 'fulfilled'))
        assert.equal((results.at(-1) as PromiseRejectedResult).reason.code, 'OVERLOADED')
        await assert.rejects(all(theirs), withCode('OVERLOADED'))
        leave()
      })

      it('wait at their disposal until all was taken', async () => {
        const { ours, theirs, leave } = await pair('disposed')
        const heard = all(theirs)
        for (let i = 0; i < 100; i++) void ours.send(new Uint8Array(50_000))
        await ours[Symbol.asyncDispose]()
        assert.equal((await heard).length, 100)
        leave()
      })

      it('are given up with the signal of who opens them, before and after', async () => {
        await assert.rejects(near.dialogue(other().id, 'never', { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
        const taken = Promise.withResolvers<Dialogue<any, any>>()
        await using _ = await other().onDialogue('given.up', dialogue => {
          taken.resolve(dialogue)
          return all(dialogue).then(() => {})
        })
        const caller = new AbortController()
        const ours = await near.dialogue(other().id, 'given.up', { signal: caller.signal })
        const theirs = await taken.promise
        const heard = once(theirs.signal, 'abort')
        caller.abort(new Error('it takes too long'))
        await assert.rejects(all(ours), withCode('CANCELLED'))
        await heard
        assert.match(String(theirs.signal.reason), /it takes too long/)
      })

      it('are refused where nobody takes them, and not twice taken', async () => {
        await assert.rejects(near.dialogue(other().id, 'nobody.knows'), (error: A2aError) => error.code === 'REFUSED' && /nobody\.knows/.test(error.message))
        const offered = await other().onDialogue('once', () => {})
        await assert.rejects(other().onDialogue('once', () => {}), withCode('BAD_USAGE'))
        await offered[Symbol.asyncDispose]()
        await assert.rejects(near.dialogue(other().id, 'once'), withCode('REFUSED'))
        await assert.rejects(other().onDialogue('', () => {}), withCode('BAD_USAGE'))
        await assert.rejects(other().onDialogue('typed', () => {}, { sends: { type: 'nonsense' } }), withCode('BAD_USAGE'))
        await assert.rejects(near.dialogue(other().id, 'once', { data: 'x'.repeat(70_000) }), withCode('MESSAGE_TOO_LARGE'))
      })

      it('are bounded in number, and give their places back', async () => {
        const over = Promise.withResolvers<void>()
        let running = 0
        await using _ = await other().onDialogue('many', async dialogue => {
          running++
          try {
            for await (const message of dialogue) if (message === 'stay') await over.promise
          } finally {
            running--
          }
        })
        const open = await Promise.all(Array.from({ length: DIALOGUE.inboundPerPeer }, () => near.dialogue<string>(other().id, 'many')))
        await assert.rejects(near.dialogue(other().id, 'many'), withCode('OVERLOADED'))
        const [stubborn] = open
        await stubborn?.send('stay')
        await Promise.all(open.map(dialogue => dialogue[Symbol.asyncDispose]()))
        await until(() => running === 1, 'the end of all handlers but one')
        const again = await Promise.all(Array.from({ length: DIALOGUE.inboundPerPeer - 1 }, () => near.dialogue(other().id, 'many')))
        await assert.rejects(near.dialogue(other().id, 'many'), withCode('OVERLOADED'), 'a handler that has not returned keeps its place')
        over.resolve()
        await Promise.all(again.map(dialogue => dialogue.cancel()))
        await until(() => running === 0, 'the end of all handlers')
      })
    })
  }

  it('go on while keys are rotated', async () => {
    await using _ = await far.onDialogue('echo', async dialogue => { for await (const message of dialogue) await dialogue.send(message) })
    await using dialogue = await near.dialogue<number, number>(far.id, 'echo')
    const reader = dialogue[Symbol.asyncIterator]()
    for (let i = 0; i < 4; i++) {
      for (const node of nodes) node.rotate()
      await dialogue.send(i)
      assert.equal((await reader.next()).value, i)
    }
    await using later = await near.dialogue(far.id, 'echo')
    assert.equal(later.with, far.id)
  })

  it('are for the same user on the same machine, unless they are public', async () => {
    const stranger = (await start('stranger', { rendezvous: join(folder, 'elsewhere'), bootstrap: far.node.addresses() })).agents[0] as Agent
    await stranger.node.joined()
    await using _closed = await far.onDialogue('closed', () => {})
    await using _open = await far.onDialogue('open', async dialogue => { await dialogue.send('welcome') }, { public: true })
    await assert.rejects(stranger.dialogue(far.id, 'closed'), (error: A2aError) => error.code === 'NOT_ALLOWED' && /closed/.test(error.message))
    const dialogue = await stranger.dialogue(far.id, 'open')
    assert.deepEqual(await all(dialogue), ['welcome'])
  })

  it('are not opened with an agent that nobody knows', async () => {
    const nobody = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
    await assert.rejects(near.dialogue(nobody, 'x', { timeoutMs: 1_000 }), withCode('PEER_UNREACHABLE'))
  })

  it('are cancelled with a reason when their agent stops', async () => {
    const node = await start('short-lived')
    const agent = node.agents[0] as Agent
    await node.joined()
    await agent.onDialogue('stay', async dialogue => { await all(dialogue) })
    const dialogue = await near.dialogue(agent.id, 'stay')
    const reading = assert.rejects(all(dialogue), (error: A2aError) => error.code === 'CANCELLED' && /the agent stops/.test(error.message))
    await node[Symbol.asyncDispose]()
    await reading
  })

  it('leave nothing behind, two thousand of them', { timeout: 60_000 }, async () => {
    await using _ = await far.onDialogue('echo', async dialogue => { for await (const message of dialogue) await dialogue.send(message) })
    const { default: v8 } = await import('node:v8')
    const { runInNewContext } = await import('node:vm')
    v8.setFlagsFromString('--expose-gc')
    const gc: () => void = runInNewContext('gc')
    const round = async (i: number): Promise<void> => {
      const dialogue = await near.dialogue<number, number>(far.id, 'echo')
      await dialogue.send(i)
      if (i % 3 === 0) {
        await dialogue.end()
        assert.deepEqual(await all(dialogue), [i])
        await dialogue[Symbol.asyncDispose]()
      } else if (i % 3 === 1) await dialogue.cancel()
      else await dialogue[Symbol.asyncDispose]()
    }
    const used = (): number => {
      gc()
      return process.memoryUsage().heapUsed
    }
    const heaps: number[] = []
    for (let batch = 0; batch < 8; batch++) {
      for (let i = 0; i < 250; i++) await round(i)
      heaps.push(used())
    }
    // What is left behind is left by each; compiled code and the like by some.
    const grown = Math.min(...heaps.slice(1).map((heap, batch) => heap - (heaps[batch] as number)))
    assert.ok(grown < 0.25 * MiB, `the heap grew by ${grown} bytes for every 250: ${heaps.join(', ')}`)
  })
})
