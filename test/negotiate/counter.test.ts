import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setScene, type Scene } from './scene.ts'
import { payloadOf } from '../../src/wire/compose.ts'
import type { CounterCall, DelegateOptions, Offer } from '../../src/core/agent.ts'

const ASK = { maxDurationMs: 20_000, leaseMs: 2_000, bidWindowMs: 200 }
const ask = (options: DelegateOptions) => ['sim.work', { ask: 1 }, { ...ASK, ...options }, true] as const
/** Bids 10, and goes down when it is asked, as far as it says. */
const bidder = (least: number, heard: CounterCall[] = []) => ({
  bid: (): Offer => ({ cost: 10, confidence: 0.5 }),
  onCounter: (_call: unknown, counter: CounterCall): Offer | undefined => {
    heard.push(counter)
    const { offered, asked: { cost = offered.cost } } = counter
    return Math.max(cost, least) < offered.cost ? { ...offered, cost: Math.max(cost, least) } : undefined
  }
})
const story = ({ seen }: Scene) => seen('told').map(({ event }) => event)
const told = <K extends ReturnType<typeof story>[0]['event']>(scene: Scene, kind: K) => story(scene).filter((event): event is Extract<ReturnType<typeof story>[0], { event: K }> => event.event === kind)

describe('a counter-offer to a bidder', () => {
  it('leads to a new bid, which is awarded by its own id and paid at its own price', async () => {
    const scene = setScene()
    const heard: CounterCall[] = []
    const [ada, bob] = [scene.host('ada'), scene.host('bob', bidder(4, heard))]
    ada.delegate(...ask({ counter: bid => ({ cost: bid.cost / 2 }) }))
    await scene.pass(3_000)
    assert.deepEqual(told(scene, 'countered').map(({ turn, cost }) => [turn, cost]), [[1, 5], [2, 2.5]])
    assert.deepEqual(told(scene, 'answered').map(({ revised, cost }) => [revised, cost]), [[true, 5], [true, 4]])
    assert.deepEqual(heard.map(({ offered, asked, turn }) => [offered.cost, asked.cost, turn]), [[10, 5, 1], [5, 2.5, 2]])
    const [result] = told(scene, 'result')
    assert.deepEqual([result?.provider, result?.cost, result?.receipt.verified], [bob.agentId, 4, true])
  })

  it('may bring who was too dear into the budget, while nobody asks a bid that is fine', async () => {
    const scene = setScene()
    const [ada, bob] = [scene.host('ada'), scene.host('bob', bidder(5))]
    scene.host('cyd', { bid: () => ({ cost: 7, confidence: 0.5 }) })
    ada.delegate(...ask({ maxCostTokens: 6, counter: (bid, _bids, { maxCost = 0 }) => bid.cost > 9 ? { cost: maxCost } : undefined }))
    await scene.pass(3_000)
    assert.deepEqual(told(scene, 'countered').map(({ provider }) => provider), [bob.agentId])
    assert.deepEqual(told(scene, 'result').map(({ provider, cost }) => [provider, cost]), [[bob.agentId, 6]])
  })

  it('without a handler for it a bidder keeps its bid', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    scene.host('bob', { bid: () => ({ cost: 3, confidence: 0.5 }) })
    ada.delegate(...ask({ counter: () => ({ cost: 1 }) }))
    await scene.pass(3_000)
    assert.deepEqual(told(scene, 'answered').map(({ revised, cost }) => [revised, cost]), [[false, 3]])
    assert.equal(told(scene, 'result')[0]?.cost, 3)
  })

  it('who does not know of it, is silent or answers something else is awarded by its bid, within the window once more', async () => {
    for (const answer of ['silence', 'nonsense', 'unknown'] as const) {
      const scene = setScene()
      const ada = scene.host('ada')
      const old = scene.actor('old', (envelope, self) => {
        if (envelope.type === 'task.announce') self.bid(envelope)
        if (envelope.type === 'task.award') return self.accept(envelope)
        if (envelope.type !== 'task.counter' || answer === 'silence') return undefined
        return { ...envelope, messageId: 'reply', causationId: envelope.messageId, from: self.author.agentId, to: envelope.from, type: answer === 'unknown' ? 'error' : 'ack', payload: answer === 'unknown' ? { failure: { code: 'MESSAGE_UNKNOWN', type: 'task.counter' } } : {}, auth: undefined }
      })
      ada.delegate(...ask({ counter: () => ({ cost: 0, durationMs: 10 }) }))
      await scene.pass(450)
      const [bid] = old.heard.filter(({ type }) => type === 'task.counter')
      const [award] = old.heard.filter(({ type }) => type === 'task.award')
      assert.ok(bid !== undefined && award !== undefined, answer)
      assert.equal(payloadOf(award, 'task.award').bid_id, payloadOf(bid, 'task.counter').bid_id)
      assert.deepEqual(told(scene, 'answered').map(({ revised }) => revised), answer === 'silence' ? [] : [false])
    }
  })

  it('what its owner throws or says that is no offer is none', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    scene.host('bob')
    let asked = 0
    ada.delegate(...ask({ counter: () => { if (++asked === 1) throw new Error('no idea'); return { cost: NaN } } }))
    ada.delegate(...ask({ counter: () => ({ cost: -1, durationMs: Infinity }) }))
    await scene.pass(3_000)
    assert.equal(told(scene, 'countered').length, 0)
    assert.equal(told(scene, 'result').length, 2)
  })

  it('a restart while it is under way ranks the bids that there are', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    const old = scene.actor('old', (envelope, self) => {
      if (envelope.type === 'task.announce') self.bid(envelope)
      return envelope.type === 'task.award' ? self.accept(envelope) : undefined
    })
    ada.delegate(...ask({ bidWindowMs: 1_000, counter: () => ({ cost: 0, durationMs: 1 }) }))
    while (!old.heard.some(({ type }) => type === 'task.counter')) await scene.pass(10)
    ada.crash()
    ada.boot()
    await scene.pass(100)
    assert.ok(old.heard.some(({ type }) => type === 'task.award'))
  })
})

describe('a bid beyond what was asked for', () => {
  it('is taken when its owner says so, and its cost is what may be spent', async () => {
    const scene = setScene()
    const ada = scene.host('ada')
    scene.host('bob', { bid: () => ({ cost: 9, durationMs: 30_000, confidence: 0.5 }) })
    const asked: unknown[] = []
    ada.delegate(...ask({ maxCostTokens: 6, acceptCounter: ({ cost, durationMs, counter }) => { asked.push([cost, durationMs, counter]); return cost < 10 } }))
    await scene.pass(3_000)
    assert.deepEqual(asked, [[9, 30_000, true]])
    assert.deepEqual(told(scene, 'bid').map(({ counter }) => counter), [true])
    assert.equal(told(scene, 'result')[0]?.cost, 9)
  })

  it('is declined otherwise, as ever', async () => {
    for (const acceptCounter of [undefined, () => false, () => { throw new Error('no idea') }]) {
      const scene = setScene()
      const ada = scene.host('ada')
      scene.host('bob', { bid: () => ({ cost: 9, confidence: 0.5 }) })
      ada.delegate(...ask({ maxCostTokens: 6, acceptCounter }))
      await scene.pass(20_000)
      const end = told(scene, 'failed')[0]
      assert.equal(end?.failure.code, 'OVER_BUDGET')
    }
  })
})
