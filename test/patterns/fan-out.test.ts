/** One task for many agents: what each policy gives when some of them fail. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { CAPABILITY, fail, forever, setScene, type Play, type Scene } from './support.ts'
import type { FanOutEvent } from '../../src/control/api.ts'
import { A2aError, fanOut, nodeApi, type FanOutOptions, type FanOutOutcome, type TaskEvent } from '../../src/index.ts'

describe('a fan-out', () => {
  let scene: Scene
  let to: string[]

  before(async () => {
    scene = await setScene(['ann', 'bob', 'cid'])
    to = scene.workers.map(({ agent }) => agent.id)
  })
  after(() => scene[Symbol.asyncDispose]())
  afterEach(() => scene.mend())

  const play = (...plays: Array<Play | undefined>): void => plays.forEach((how, i) => { if (how !== undefined) (scene.workers[i] as { play: Play }).play = how })
  const ask = (options: FanOutOptions = {}): ReturnType<typeof fanOut> => fanOut(scene.asker, CAPABILITY, 'why?', { to, maxDurationMs: 10_000, ...options })
  const states = (outcomes: FanOutOutcome[]): string[] => outcomes.map(({ state }) => state)
  const failure = async (result: Promise<unknown>): Promise<A2aError> => {
    const error = await result.then(() => undefined, (thrown: unknown) => thrown)
    assert.ok(error instanceof A2aError)
    return error
  }

  it('of all gives the outcome of each, in order', async () => {
    const outcomes = await ask().result
    assert.deepEqual(outcomes.map(outcome => outcome.state === 'completed' ? [outcome.agent, outcome.output, outcome.receipt.verified] : outcome), scene.workers.map(({ agent }) => [agent.id, agent.name, true]))
  })

  it('of all fails with the first that fails, and the others are cancelled at once', async () => {
    play(fail, forever, forever)
    const asked = ask()
    const error = await failure(asked.result)
    assert.equal(error.code, 'FAN_OUT_FAILED')
    assert.match(error.message, /0 of 3 agents and 3 were needed.*it has no opinion/)
    assert.deepEqual(states(asked.outcomes()), ['failed', 'cancelled', 'cancelled'])
    await scene.until(() => scene.workers.every(({ begun, aborted }, i) => i === 0 || aborted === begun))
  })

  it('of a quorum is satisfied by so many, and the surplus is cancelled', async () => {
    play(forever)
    assert.deepEqual(states(await ask({ policy: { quorum: 2 } }).result), ['cancelled', 'completed', 'completed'])
    await scene.until(() => scene.workers[0]?.aborted === scene.workers[0]?.begun)
  })

  it('of a quorum ends when it cannot be reached any more', async () => {
    play(fail, fail, forever)
    const asked = ask({ policy: { quorum: 2 } })
    assert.equal((await failure(asked.result)).code, 'FAN_OUT_FAILED')
    assert.deepEqual(states(asked.outcomes()), ['failed', 'failed', 'cancelled'])
  })

  it('of the first takes one, and the surplus is cancelled at once', async () => {
    play(forever, undefined, forever)
    assert.deepEqual(states(await ask({ policy: 'first' }).result), ['cancelled', 'completed', 'cancelled'])
    await scene.until(() => scene.workers.every(({ begun, aborted }, i) => i === 1 || aborted === begun))
  })

  it('of the first fails when all have failed', async () => {
    play(fail, fail, fail)
    assert.equal((await failure(ask({ policy: 'first' }).result)).code, 'FAN_OUT_FAILED')
  })

  it('of the best effort waits for all, and gives what there is', async () => {
    play(fail, undefined, fail)
    assert.deepEqual(states(await ask({ policy: 'best-effort' }).result), ['failed', 'completed', 'failed'])
    play(fail, fail, fail)
    assert.equal((await failure(ask({ policy: 'best-effort' }).result)).code, 'FAN_OUT_FAILED')
  })

  it('gives the best effort what is there when the time is over', async () => {
    play(forever)
    const outcomes = await ask({ policy: 'best-effort', maxDurationMs: 1_500 }).result
    assert.deepEqual(states(outcomes), ['failed', 'completed', 'completed'])
    assert.equal(outcomes[0]?.state === 'failed' && outcomes[0].failure.code, 'DEADLINE_EXCEEDED')
  })

  it('shares one budget among all', async () => {
    for (const worker of scene.workers) worker.cost = 3
    assert.deepEqual(states(await ask({ maxCostTokens: 9 }).result), ['completed', 'completed', 'completed'])
    const asked = ask({ maxCostTokens: 8, policy: 'best-effort' })
    await failure(asked.result)
    assert.deepEqual(asked.outcomes().map(outcome => outcome.state === 'failed' && outcome.failure.code), ['OVER_BUDGET', 'OVER_BUDGET', 'OVER_BUDGET'])
  })

  it('without agents named asks who offers it, and so many at most', async () => {
    assert.deepEqual((await ask({ to: undefined }).result).map(({ agent }) => agent).toSorted(), to.toSorted())
    assert.equal((await ask({ to: undefined, count: 2 }).result).length, 2)
  })

  it('asks nobody when there are too few', async () => {
    const asked = ask({ policy: { quorum: 4 } })
    assert.equal((await failure(asked.result)).code, 'FAN_OUT_FAILED')
    assert.deepEqual(asked.outcomes(), [])
    assert.equal((await failure(ask({ to: [] }).result)).code, 'NO_CAPABLE_AGENT')
    assert.equal((await failure(ask({ policy: { quorum: 0 } }).result)).code, 'BAD_USAGE')
  })

  it('tells all events as they come, and ends with the last task', async () => {
    play(fail)
    const asked = ask({ policy: 'best-effort' })
    const events: TaskEvent[] = []
    for await (const event of asked) events.push(event)
    const taskOf = new Map(asked.outcomes().map(({ agent, taskId }) => [agent, taskId]))
    const ends = events.filter(({ event }) => event === 'result' || event === 'failed')
    assert.deepEqual(new Map(ends.map(({ taskId, event }) => [taskId, event])), new Map(to.map((agent, i) => [taskOf.get(agent) ?? '', i === 0 ? 'failed' : 'result'])))
    assert.equal(events.filter(({ event }) => event === 'announced').length >= 3, true)
  })

  it('is cancelled as a whole when its client leaves', async () => {
    play(forever, forever, forever)
    for await (const event of nodeApi(scene.node).fanOut({ capability: CAPABILITY, input: null, policy: 'all' })) {
      if (event.event !== 'accepted') continue
      await scene.until(() => scene.workers.every(({ begun }) => begun === 1))
      break
    }
    await scene.until(() => scene.workers.every(({ aborted }) => aborted === 1))
  })

  it('ends for its client with what became of each', async () => {
    play(fail)
    const events: FanOutEvent[] = []
    for await (const event of nodeApi(scene.node).fanOut({ capability: CAPABILITY, input: null, policy: { quorum: 3 } })) events.push(event)
    const last = events.at(-1)
    assert.ok(last?.event === 'fanned-out')
    assert.equal(last.failure?.code, 'FAN_OUT_FAILED')
    assert.deepEqual(states(last.outcomes).toSorted(), ['completed', 'completed', 'failed'])
  })

  it('is cancelled as a whole, by its owner or by its signal', async () => {
    play(forever, forever, forever)
    const asked = ask()
    await scene.until(() => scene.workers.every(({ begun }) => begun === 1))
    await asked.cancel('enough')
    assert.equal((await failure(asked.result)).code, 'CANCELLED')
    await scene.until(() => scene.workers.every(({ aborted }) => aborted === 1))
    assert.deepEqual(states(asked.outcomes()), ['cancelled', 'cancelled', 'cancelled'])

    const controller = new AbortController()
    const other = ask({ signal: controller.signal })
    await scene.until(() => scene.workers.every(({ begun }) => begun === 2))
    controller.abort(new Error('gone home'))
    assert.match((await failure(other.result)).message, /gone home/)
    await scene.until(() => scene.workers.every(({ aborted }) => aborted === 2))
    assert.equal((await failure(ask({ signal: controller.signal }).result)).code, 'CANCELLED')
  })
})
