/** The library: agents of real nodes in this process, over real connections. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { A2aError, createNode, rankByCost, type Agent, type HostedNode, type Provided, type TaskEvent } from '../src/index.ts'

const CASE = 'text.case.upper'

describe('agents', () => {
  let folder: string
  let nodes: HostedNode[]
  let asker: Agent
  let worker: Agent

  const start = async (name: string): Promise<HostedNode> =>
    await createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
  const failsWith = async (work: Promise<unknown>, code: string): Promise<A2aError> => {
    const error = await work.then(() => undefined, (thrown: unknown) => thrown)
    assert.ok(error instanceof A2aError, `fails with ${code}`)
    assert.equal(error.code, code, error.message)
    return error
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'a2a-node-'))
    nodes = [await start('asker'), await start('worker')]
    asker = nodes[0]?.agents[0] as Agent
    worker = nodes[1]?.agents[0] as Agent
    await Promise.all(nodes.map(node => node.joined()))
  })
  after(async () => {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
    rmSync(folder, { recursive: true, force: true })
  })

  it('send partial results, progress and a question, and get the answer', async () => {
    await using _ = await worker.provide('story.line.write', {
      run: async (_input, { progress, artifact, requireInput }) => {
        progress(0.5, 'thinking')
        await artifact('draft.txt', 'once upon a time')
        await artifact('facts.json', { words: 4 })
        return { colour: await requireInput('Which colour?', { type: 'string' }) }
      }
    })
    const work = asker.delegate('story.line.write', {}, { onInputRequired: prompt => `${prompt} Blue.` })
    const events: TaskEvent[] = []
    for await (const event of work) events.push(event)
    assert.deepEqual((await work.result).output, { colour: 'Which colour? Blue.' })
    assert.deepEqual(events.map(({ event }) => event), ['announced', 'bid', 'awarded', 'accepted', 'progress', 'artifact', 'artifact', 'input-required', 'result'])
    const artifacts = events.filter(event => event.event === 'artifact')
    assert.deepEqual(artifacts.map(({ mediaType, data }) => [mediaType, Buffer.from(data).toString()]), [['text/plain', 'once upon a time'], ['application/json', '{"words":4}']])
    const again: string[] = []
    for await (const { event } of work) again.push(event)
    assert.equal(again.length, events.length, 'a later reader begins at the beginning')
  })

  it('are found as soon as they offer something, and not any more when they stop', async () => {
    const provided = await worker.provide(CASE, { run: (text: string) => text.toUpperCase() })
    assert.equal((await asker.delegate(CASE, 'a').result).output, 'A')
    assert.deepEqual((await asker.node.find('text.*')).map(({ agentId }) => agentId), [worker.id])
    await provided[Symbol.asyncDispose]()
    while ((await asker.node.find(CASE, { timeoutMs: 1 })).length > 0) await new Promise(setImmediate)
    await failsWith(asker.delegate(CASE, 'a').result, 'NO_CAPABLE_AGENT')
  })

  it('do work for themselves, and for agents of their own node', async () => {
    await using _ = await asker.provide(CASE, { run: (text: string) => text.toUpperCase() })
    const sibling = await asker.node.createAgent({ name: 'sibling' })
    assert.equal((await asker.delegate(CASE, 'me').result).output, 'ME')
    assert.equal((await sibling.delegate(CASE, 'us').result).output, 'US')
    assert.deepEqual(asker.metrics().map(({ role }) => role).sort(), ['provider', 'requester'])
  })

  it('hand on what is left of the deadline and the budget, and stop a loop', async () => {
    const seen: Array<{ remainingMs: number, budget?: number }> = []
    await using _outer = await worker.provide('chain.outer.run', {
      run: async (_input, { delegate }) => (await delegate('chain.inner.run', {}, { maxDurationMs: 60_000, maxCostTokens: 1_000 }).result).output
    })
    const inner = await asker.node.createAgent({ name: 'inner' })
    await using _inner = await inner.provide('chain.inner.run', {
      run: (_input, { remainingMs, budget }) => {
        seen.push({ remainingMs: remainingMs(), budget })
        return 'deep'
      }
    })
    assert.equal((await asker.delegate('chain.outer.run', {}, { maxDurationMs: 5_000, maxCostTokens: 7 }).result).output, 'deep')
    assert.ok((seen[0]?.remainingMs ?? Infinity) < 5_000)
    assert.equal(seen[0]?.budget, 7)

    await using _loop = await worker.provide('chain.loop.run', { run: async (_input, { delegate }) => (await delegate('chain.loop.run', {}).result).output })
    const { failure } = await failsWith(asker.delegate('chain.loop.run', {}, { maxDurationMs: 8_000 }).result, 'LOOP')
    assert.deepEqual(failure, { code: 'LOOP', path: [asker.id, worker.id, worker.id] })
  })

  it('are cancelled by their owner, and the handler hears of it', async () => {
    const aborted = Promise.withResolvers<unknown>()
    await using _ = await worker.provide('wait.for.ever', {
      run: (_input, { signal, progress }) => new Promise((_resolve, reject) => {
        progress(0)
        signal.addEventListener('abort', () => {
          aborted.resolve(signal.reason)
          reject(signal.reason)
        })
      })
    })
    const owner = new AbortController()
    const work = asker.delegate('wait.for.ever', {}, { signal: owner.signal })
    for await (const { event } of work) if (event === 'progress') owner.abort(new Error('enough'))
    await failsWith(work.result, 'CANCELLED')
    assert.equal((await aborted.promise as A2aError).code, 'CANCELLED')
  })

  it('choose by the policy that is asked for, and pass over an output that does not fit', async () => {
    const offers: Provided[] = [
      await worker.provide('price.quote.make', { bid: () => ({ cost: 1, confidence: 0.1 }), run: () => ({ price: 'cheap' }) }),
      await asker.provide('price.quote.make', { bid: () => ({ cost: 9, durationMs: 1, confidence: 1 }), run: () => ({ price: 9 }) })
    ]
    const cheapest = await asker.delegate('price.quote.make', {}, { policy: rankByCost }).result
    assert.equal(cheapest.provider, worker.id)
    const fits = await asker.delegate('price.quote.make', {}, { policy: rankByCost, output: { type: 'object', properties: { price: { type: 'number' } } } }).result
    assert.deepEqual([fits.provider, fits.epoch, fits.output], [asker.id, 2, { price: 9 }])
    await Promise.all(offers.map(offer => offer[Symbol.asyncDispose]()))
  })

  it('do not take more at once than they said, and others wait for nobody', async () => {
    let now = 0
    let most = 0
    await using _ = await worker.provide('slow.thing.do', {
      maxConcurrent: 2,
      run: async () => {
        most = Math.max(most, ++now)
        await new Promise(resolve => { setTimeout(resolve, 50) })
        now--
        return 'done'
      }
    })
    const works = Array.from({ length: 4 }, () => asker.delegate('slow.thing.do', {}).result)
    assert.deepEqual((await Promise.all(works)).map(({ output }) => output), ['done', 'done', 'done', 'done'])
    assert.ok(most <= 2, `${most} at once`)
  })

  it('refuse what cannot be', async () => {
    await failsWith(worker.provide('No Name', { run: () => 1 }), 'CAPABILITY_INVALID')
    await failsWith(worker.provide('a.b.c', { input: { type: 'nonsense' }, run: () => 1 }), 'BAD_USAGE')
    const endless = { type: 'object', description: 'x'.repeat(70_000) }
    await failsWith(worker.provide('a.b.c', { input: endless, run: () => 1 }), 'MESSAGE_TOO_LARGE')
    await using _ = await worker.provide('a.b.c', { run: () => 1 })
    await failsWith(worker.provide('a.b.c', { run: () => 1 }), 'BAD_USAGE')
    assert.throws(() => asker.delegate('a.b.c', 1n), (error: A2aError) => error.code === 'BAD_USAGE')
    assert.throws(() => asker.delegate('a.b.c', 'x'.repeat(5 * 1024 * 1024)), (error: A2aError) => error.code === 'MESSAGE_TOO_LARGE')
    await failsWith(start('asker'), 'HOME_IN_USE')
  })

  it('keep a chain of receipts that holds', async () => {
    const { verifyChain } = await import('../src/settle/chain.ts')
    for (const node of nodes) {
      for (const { id } of node.agents) assert.deepEqual(verifyChain(node.log.chain.list(id)), { ok: true })
    }
    assert.ok(asker.interactions().length > 5)
  })
})
