/** A second attempt when the first takes long: the first result counts, the other is cancelled. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { CAPABILITY, fail, forever, setScene, type Scene, type Worker } from './support.ts'
import { nodeApi, type A2aError, type DelegateOptions, type TaskEvent, type Work } from '../../src/index.ts'

describe('a hedged task', () => {
  let scene: Scene
  let cheap: Worker
  let dear: Worker

  before(async () => {
    scene = await setScene(['cheap', 'dear'])
    ;[cheap, dear] = scene.workers as [Worker, Worker]
  })
  after(() => scene[Symbol.asyncDispose]())
  afterEach(() => scene.mend())

  const ask = (options: DelegateOptions = {}): Work => {
    cheap.cost = 1
    dear.cost = 50
    return scene.asker.delegate(CAPABILITY, null, { maxDurationMs: 10_000, hedge: { afterMs: 100 }, ...options })
  }
  const codeOf = (work: Work): Promise<string> => work.result.then(() => 'done', (error: A2aError) => error.code)

  it('is one task while the first attempt is quick', async () => {
    const work = ask({ hedge: { afterMs: 5_000 } })
    assert.equal((await work.result).output, 'cheap')
    assert.equal(dear.begun, 0)
  })

  it('is tried with another agent when the first is slow, whose work is cancelled', async () => {
    cheap.play = forever
    const work = ask()
    const events: TaskEvent[] = []
    for await (const event of work) events.push(event)
    const { output, provider } = await work.result
    assert.deepEqual([output, provider], ['dear', dear.agent.id])
    await scene.until(() => cheap.aborted === 1)
    assert.equal(new Set(events.map(({ taskId }) => taskId)).size, 2)
    assert.deepEqual(events.filter(({ event }) => event === 'result' || event === 'failed').map(({ event }) => event), ['result'])
  })

  it('takes the first attempt\'s result when it is the first after all', async () => {
    const slow = Promise.withResolvers<string>()
    cheap.play = () => slow.promise
    dear.play = forever
    const work = ask()
    await scene.until(() => dear.begun === 1)
    slow.resolve('late, and first')
    assert.equal((await work.result).output, 'late, and first')
    await scene.until(() => dear.aborted === 1)
  })

  it('goes on with one when the other fails, and fails when both have', async () => {
    cheap.play = forever
    dear.play = fail
    const work = ask({ maxDurationMs: 2_000 })
    assert.equal(await codeOf(work), 'DEADLINE_EXCEEDED')
  })

  it('makes no second attempt when the first has failed before it', async () => {
    cheap.play = fail
    const work = ask({ to: cheap.agent.id, hedge: { afterMs: 3_000 } })
    assert.equal(await codeOf(work), 'ALL_PROVIDERS_FAILED')
    assert.equal(cheap.begun, 1)
  })

  it('keeps both attempts within one budget', async () => {
    cheap.play = forever
    const poor = ask({ maxCostTokens: 50, maxDurationMs: 1_500 })
    assert.equal(await codeOf(poor), 'DEADLINE_EXCEEDED')
    assert.equal(dear.begun, 0, 'the first attempt has taken 1 of the 50')
    assert.equal((await ask({ maxCostTokens: 51 }).result).output, 'dear')
  })

  it('is cancelled with both attempts when its client leaves', async () => {
    cheap.play = forever
    dear.play = forever
    dear.cost = 50
    for await (const event of nodeApi(scene.node).run({ capability: CAPABILITY, input: null, hedge: { afterMs: 50 } })) {
      if (event.event !== 'accepted' || event.provider !== dear.agent.id) continue
      await scene.until(() => cheap.begun + dear.begun === 2)
      break
    }
    await scene.until(() => cheap.aborted === 1 && dear.aborted === 1)
  })

  it('is cancelled with both attempts', async () => {
    cheap.play = forever
    dear.play = forever
    const work = ask()
    await scene.until(() => cheap.begun + dear.begun === 2)
    await work.cancel('enough')
    assert.equal(await codeOf(work), 'CANCELLED')
    await scene.until(() => cheap.aborted === 1 && dear.aborted === 1)
  })
})
