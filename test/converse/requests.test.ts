/** Requests and messages between agents of real nodes, over real connections. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createNode, type Agent, type HostedNode, type NodeOptions } from '../../src/index.ts'
import { withCode } from '../identity/support.ts'

describe('requests', () => {
  let folder: string
  const nodes: HostedNode[] = []
  let asker: Agent
  let worker: Agent
  let neighbour: Agent

  const start = async (name: string, options: NodeOptions = {}): Promise<HostedNode> => {
    const node = await createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, ...options })
    nodes.push(node)
    return node
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'a2a-requests-'))
    const here = await start('asker')
    asker = here.agents[0] as Agent
    neighbour = await here.createAgent({ name: 'neighbour' })
    worker = (await start('worker')).agents[0] as Agent
    await Promise.all(nodes.map(node => node.joined()))
  })
  after(async () => {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
    rmSync(folder, { recursive: true, force: true })
  })

  it('are answered, with JSON and with bytes, by an agent elsewhere and by one of the same node', async () => {
    for (const answerer of [worker, neighbour]) {
      using _json = answerer.onRequest('price.quote', ({ units }: { units: number }, { from }) => ({ price: units * 14, from }))
      using _bytes = answerer.onRequest('bytes.reverse', (bytes: Uint8Array) => bytes.toReversed())
      using _nothing = answerer.onRequest('nothing', () => {})
      assert.deepEqual(await asker.request(answerer.id, 'price.quote', { units: 3 }), { price: 42, from: asker.id })
      assert.deepEqual([...await asker.request<Uint8Array>(answerer.id, 'bytes.reverse', Uint8Array.of(1, 2, 3))], [3, 2, 1])
      assert.equal(await asker.request(answerer.id, 'nothing'), undefined)
    }
  })

  it('keep to their own replies when thousands are under way', async () => {
    using _ = worker.onRequest('number.double', async (n: number) => {
      if (n % 7 === 0) await new Promise(resolve => { setImmediate(resolve) })
      return n * 2
    })
    const answers = await Promise.all(Array.from({ length: 5_000 }, (_, n) => asker.request<number>(worker.id, 'number.double', n)))
    assert.ok(answers.every((answer, n) => answer === n * 2))
  })

  it('that waited for a place are taken one after the other, however many they are', async () => {
    const held = Promise.withResolvers<void>()
    const waited = Promise.withResolvers<void>()
    let heard = 0
    using _held = worker.onRequest('held', () => held.promise)
    using _heard = worker.onRequest('heard', () => { heard++ })
    using _waited = asker.onRequest('waited', () => waited.promise)
    // While the worker waits for the asker it reads on, and keeps what finds no place.
    const waiting = worker.request(asker.id, 'waited')
    const holding = Array.from({ length: 256 }, () => asker.request(worker.id, 'held'))
    for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 1_000 }, () => asker.tell(worker.id, 'heard', 'a message')))
    held.resolve()
    await Promise.all(holding)
    await asker.request(worker.id, 'held')
    assert.equal(heard, 10_000)
    waited.resolve()
    await waiting
  })

  it('fail with what the handler threw, and with what went wrong before it', async () => {
    using _thrown = worker.onRequest('fails', () => { throw new Error('no such price') })
    await assert.rejects(asker.request(worker.id, 'fails'), (error: Error) => withCode('HANDLER_FAILED')(error) && /no such price/.test(error.message))
    await assert.rejects(asker.request(worker.id, 'unheard.of'), (error: Error) => withCode('REFUSED')(error) && /unheard\.of/.test(error.message))
    await assert.rejects(asker.request(`${worker.id.slice(0, -1)}${worker.id.endsWith('x') ? 'y' : 'x'}`, 'price.quote', undefined, { timeoutMs: 1_000 }), withCode('PEER_UNREACHABLE'))
    await assert.rejects(asker.request(worker.id, 'price.quote', 1n), withCode('BAD_USAGE'))
    await assert.rejects(asker.request(worker.id, 'price.quote', new Uint8Array(5 * 1_024 * 1_024)), withCode('MESSAGE_TOO_LARGE'))
    assert.throws(() => worker.onRequest('fails', () => {}), withCode('BAD_USAGE'))
  })

  it('wait no longer than they were told, and tell the handler when nobody waits any more', async () => {
    const given = Promise.withResolvers<unknown>()
    let waiting = Promise.withResolvers<void>()
    using _ = worker.onRequest('slow', async (_body, { signal, remainingMs }) => {
      assert.ok(remainingMs() > 0)
      waiting.resolve()
      await new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve() }) })
      given.resolve(signal.reason)
    })
    await assert.rejects(asker.request(worker.id, 'slow', undefined, { timeoutMs: 100 }), withCode('NO_REPLY'))
    await given.promise
    waiting = Promise.withResolvers()
    const stop = new AbortController()
    const asked = asker.request(worker.id, 'slow', undefined, { signal: stop.signal })
    await waiting.promise
    stop.abort(new Error('enough'))
    await assert.rejects(asked, /enough/)
    await given.promise
  })

  it('are for the same user only, unless their name is public', async () => {
    const stranger = (await start('stranger', { rendezvous: join(folder, 'elsewhere'), bootstrap: (nodes[1] as HostedNode).addresses() })).agents[0] as Agent
    await stranger.node.joined()
    using _private = worker.onRequest('private', () => 'secret')
    using _public = worker.onRequest('public', () => 'hello', { public: true })
    assert.equal(await stranger.request(worker.id, 'public'), 'hello')
    await assert.rejects(stranger.request(worker.id, 'private'), withCode('NOT_ALLOWED'))
  })

  it('that may be repeated survive a broken connection, others do not', async () => {
    let calls = 0
    let stopped = Promise.resolve()
    let called = Promise.withResolvers<void>()
    /** Its first call takes the node away; what begins it again answers. */
    const begin = async (): Promise<Agent> => {
      const node = await start('fragile')
      node.agents[0]?.onRequest('work', async () => {
        calls++
        if (calls > 1) return calls
        stopped = Promise.resolve(node[Symbol.asyncDispose]())
        called.resolve()
        return await new Promise(() => {})
      })
      await node.joined()
      return node.agents[0] as Agent
    }
    const { id } = await begin()
    await assert.rejects(asker.request(id, 'work', undefined, { timeoutMs: 10_000 }), withCode('PEER_UNREACHABLE'))
    await stopped
    calls = 0
    called = Promise.withResolvers()
    await begin()
    const asked = asker.request(id, 'work', undefined, { timeoutMs: 20_000, idempotent: true })
    await called.promise
    await stopped
    await begin()
    assert.equal(await asked, 2)
  })

  it('are not needed to tell somebody something', async () => {
    const told: unknown[] = []
    const all = Promise.withResolvers<void>()
    using _ = worker.onRequest('price.changed', (body, { from }) => {
      told.push([body, from])
      if (told.length === 2_000) all.resolve()
    })
    await asker.tell(worker.id, 'unheard.of', 1)
    for (let n = 0; n < 2_000; n++) await asker.tell(worker.id, 'price.changed', n)
    await all.promise
    assert.deepEqual(told, Array.from({ length: 2_000 }, (_, n) => [n, asker.id]))
  })
})
