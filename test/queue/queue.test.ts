/** The background queue in the library: agents of real nodes in this process, over real connections. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { A2aError, createNode, type Agent, type HostedNode, type TaskEvent } from '../../src/index.ts'

const DO = 'work.thing.do'

describe('the queue of an agent', () => {
  let folder: string
  let nodes: HostedNode[]
  let asker: Agent
  let worker: Agent

  const start = async (name: string): Promise<Agent> => {
    const node = await createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: SILENT })
    nodes.push(node)
    return node.agents[0] as Agent
  }
  const failsWith = async (work: Promise<unknown>, code: string): Promise<A2aError> => {
    const error = await work.then(() => undefined, (thrown: unknown) => thrown)
    assert.ok(error instanceof A2aError, `fails with ${code}`)
    assert.equal(error.code, code, error.message)
    return error
  }

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'a2a-queue-'))
    nodes = []
    asker = await start('asker')
    worker = await start('worker')
    await Promise.all(nodes.map(node => node.joined()))
  })
  afterEach(async () => {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
    rmSync(folder, { recursive: true, force: true })
  })

  it('does what was put into it, and tells of it from the beginning to whoever asks', async () => {
    const job = await asker.enqueue(DO, 'a')
    // Nobody offers it yet: it waits.
    await worker.provide(DO, { run: (text: string) => text.toUpperCase() })
    assert.equal((await job.result).output, 'A')
    for (const _ of [1, 2]) {
      const events: TaskEvent[] = []
      for await (const event of job) events.push(event)
      assert.deepEqual(events.map(({ event }) => event), ['announced', 'bid', 'awarded', 'accepted', 'result'])
      assert.ok(events.every(({ taskId }) => taskId === job.id))
    }
  })

  it('gives one job for a key, also to several who ask at once and after it is done, and runs it once', async () => {
    let runs = 0
    await worker.provide(DO, { run: () => ++runs })
    const [one, two] = await Promise.all([asker.enqueue(DO, 1, { idempotencyKey: 'k' }), asker.enqueue(DO, 1, { idempotencyKey: 'k' })])
    assert.equal(one.id, two.id)
    assert.deepEqual([(await one.result).output, (await two.result).output], [1, 1])
    const late = await asker.enqueue(DO, 1, { idempotencyKey: 'k' })
    assert.deepEqual([late.id, (await late.result).output, runs], [one.id, 1, 1])
    await failsWith(asker.enqueue(DO, 2, { idempotencyKey: 'k' }), 'BAD_USAGE')
    assert.notEqual((await asker.enqueue(DO, 1, { idempotencyKey: 'other' })).id, one.id)
  })

  it('tries again what failed, at another provider if there is one, and tells of each attempt', async () => {
    await worker.provide(DO, { bid: () => ({ cost: 0, confidence: 1 }), run: () => { throw new Error('not today') } })
    await asker.provide(DO, { bid: () => ({ cost: 50, confidence: 0.1 }), run: () => 'done' })
    const job = await asker.enqueue(DO, null)
    const { output, provider } = await job.result
    assert.deepEqual([output, provider], ['done', asker.id])
    const retries: Array<TaskEvent & { event: 'retrying' }> = []
    for await (const event of job) if (event.event === 'retrying') retries.push(event)
    assert.deepEqual(retries.map(({ attempt, most, failure }) => [attempt, most, failure.code]), [[1, 5, 'HANDLER_FAILED']])
  })

  it('gives up after as many attempts as were asked for, and does it all the same once it is mended', async () => {
    const seen: Array<string | undefined> = []
    let mended = false
    await worker.provide(DO, {
      run: (_input, { idempotencyKey }) => {
        seen.push(idempotencyKey)
        if (!mended) throw new Error('not today')
        return 'done'
      }
    })
    const job = await asker.enqueue(DO, { n: 1 }, { maxAttempts: 2, maxCostTokens: 9 })
    const error = await failsWith(job.result, 'DEAD_LETTER')
    assert.match(error.message, /attempts: 2.*not today.*dead replay/)
    assert.deepEqual(seen, [job.id, job.id])
    const [letter] = asker.dead.list()
    assert.deepEqual([letter?.jobId, letter?.failure.code, letter?.attempts.map(({ provider }) => provider)], [job.id, 'HANDLER_FAILED', [worker.id, worker.id]])
    const { input, options } = asker.dead.show(job.id)
    assert.deepEqual([input, options.maxCostTokens, options.maxAttempts], [{ n: 1 }, 9, 2])
    mended = true
    assert.equal((await (await asker.dead.replay(job.id)).result).output, 'done')
    assert.deepEqual([asker.dead.list(), seen.length], [[], 3])
    await failsWith(asker.dead.replay(job.id), 'REFUSED')
    await failsWith(asker.dead.drop('01ABC'), 'TASK_UNKNOWN')
  })

  it('gives up at once what another attempt would only repeat', async () => {
    let runs = 0
    await worker.provide(DO, { input: { type: 'object' }, run: () => { runs++ } })
    await failsWith((await asker.enqueue(DO, 'no object')).result, 'DEAD_LETTER')
    const { jobId, capability, failure } = await asker.dead.drop(asker.dead.list()[0]?.jobId ?? '')
    assert.deepEqual([capability, failure.code, runs], [DO, 'INPUT_INVALID', 0])
    assert.deepEqual(asker.dead.list(), [])
    await failsWith(asker.dead.drop(jobId), 'REFUSED')
  })

  it('does nothing before its time, and ends what expires with its reason, no dead letter', async () => {
    await worker.provide(DO, { run: () => Date.now() })
    const notBefore = Date.now() + 400
    const later = await asker.enqueue(DO, null, { notBefore })
    assert.deepEqual(asker.node.status().queue, { waiting: 1, running: 0, dead: 0 })
    assert.ok((await later.result).output as number >= notBefore)
    const never = await asker.enqueue('work.nobody.does', null, { expiresAt: Date.now() + 300 })
    await failsWith(never.result, 'EXPIRED')
    assert.deepEqual(asker.dead.list(), [])
    await failsWith(asker.enqueue(DO, null, { expiresAt: Date.now() - 1 }), 'BAD_USAGE')
    await failsWith(asker.enqueue(DO, null, { maxAttempts: 0 }), 'BAD_USAGE')
    await failsWith(asker.enqueue('No Name', null), 'CAPABILITY_INVALID')
  })

  it('does not let jobs that nobody can do hold up the others', async () => {
    await worker.provide(DO, { run: (n: number) => n })
    await Promise.all(Array.from({ length: 100 }, () => asker.enqueue('work.nobody.does', null)))
    const job = await asker.enqueue(DO, 7)
    assert.equal((await job.result).output, 7)
    assert.deepEqual(asker.node.status().queue, { waiting: 100, running: 0, dead: 0 })
  })

  it('is cancelled by its owner, with the attempt under way', async () => {
    const aborted = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    await worker.provide(DO, {
      run: (_input, { signal }) => new Promise((_resolve, reject) => {
        begun.resolve()
        signal.addEventListener('abort', () => {
          aborted.resolve()
          reject(signal.reason)
        })
      })
    })
    const job = await asker.enqueue(DO, null)
    await begun.promise
    await job.cancel('enough')
    await failsWith(job.result, 'CANCELLED')
    await aborted.promise
    await failsWith(job.cancel(), 'REFUSED')
  })

  it('goes on after a restart with what waits, and knows what is done and dead', async () => {
    await worker.provide(DO, { run: (text: string) => text === 'bad' ? Promise.reject(new Error('no')) : text })
    const done = await asker.enqueue(DO, 'done', { idempotencyKey: 'done' })
    const bad = await asker.enqueue(DO, 'bad', { maxAttempts: 1 })
    await Promise.all([done.result, failsWith(bad.result, 'DEAD_LETTER')])
    await asker.enqueue(DO, 'later', { notBefore: Date.now() + 300, idempotencyKey: 'later' })
    await nodes.shift()?.[Symbol.asyncDispose]()
    asker = await start('asker')
    assert.deepEqual([asker.node.status().queue.dead, asker.dead.list()[0]?.jobId], [1, bad.id])
    const results = await Promise.all([asker.enqueue(DO, 'later', { idempotencyKey: 'later' }), asker.enqueue(DO, 'done', { idempotencyKey: 'done' })].map(async job => (await (await job).result).output))
    assert.deepEqual(results, ['later', 'done'])
  })

  it('has an outcome that was kept delivered again to a second attempt with the same key, and does not run it twice', async () => {
    let runs = 0
    await worker.provide(DO, { run: () => ++runs })
    const [node] = nodes
    const requester = node?.hosted[0]?.requester
    const attempt = async (taskId: string, idempotencyKey: string): Promise<unknown> =>
      (await requester?.delegate(DO, null, {}, { depth: 0, visited: [] }, { attempt: { taskId, jobId: 'J', idempotencyKey } }).result)?.output
    assert.equal(await attempt('T1', 'k'), 1)
    assert.equal(await attempt('T2', 'k'), 1)
    assert.equal(await attempt('T3', 'other'), 2)
    // What the requester did not accept is done anew.
    await requester?.delegate(DO, null, { output: { type: 'string' } }, { depth: 0, visited: [] }, { attempt: { taskId: 'T4', jobId: 'J', idempotencyKey: 'wrong' } }).result.catch(() => {})
    assert.equal(runs, 3)
    assert.equal(await attempt('T5', 'wrong'), 4)
  })
})

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
