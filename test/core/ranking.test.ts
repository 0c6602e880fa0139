import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { leastLoaded, rankByCost, rankByTime, rankByValue, type RankingPolicy } from '../../src/core/ranking.ts'
import { bidOf, specOf } from './samples.ts'
import type { Bid } from '../../src/core/task.ts'

const order = (policy: RankingPolicy, ...bids: Bid[]): string => policy(bids, specOf()).map(({ bid }) => bid.provider).join('')
const bid = fc.record({
  provider: fc.string(), cost: fc.nat(1_000), confidence: fc.double({ min: 0, max: 1, noNaN: true }), load: fc.double({ min: 0, max: 1, noNaN: true }),
  durationMs: fc.option(fc.nat(10_000), { nil: undefined }), rttMs: fc.option(fc.nat(1_000), { nil: undefined })
}).map(({ provider, ...changes }) => bidOf(provider, changes))

describe('ranking by value', () => {
  for (const [better, a, b] of [
    ['cheaper', { cost: 1 }, { cost: 2 }],
    ['sooner', { durationMs: 100 }, { durationMs: 200 }],
    ['surer', { confidence: 0.9 }, { confidence: 0.8 }],
    ['less busy', { load: 0.1 }, { load: 0.2 }],
    ['nearer', { rttMs: 1 }, { rttMs: 50 }],
    ['as fast as any, rather than promising nothing', { durationMs: 100 }, {}]
  ] as const) {
    it(`prefers who is ${better}, all else being equal`, () => {
      assert.equal(order(rankByValue, bidOf('b', b), bidOf('a', a)), 'ab')
      assert.equal(order(rankByValue, bidOf('a', a), bidOf('b', b)), 'ab')
    })
  }

  it('follows the weights it is given', () => {
    const bids = [bidOf('cheap', { cost: 0, confidence: 0 }), bidOf('sure', { cost: 100, confidence: 1 })]
    const first = (weights: Record<'cost' | 'time' | 'confidence' | 'load' | 'rtt', number>) => rankByValue(bids, specOf(), weights)[0]?.bid.provider
    const none = { cost: 0, time: 0, confidence: 0, load: 0, rtt: 0 }
    assert.equal(first({ ...none, cost: 1 }), 'cheap')
    assert.equal(first({ ...none, confidence: 1 }), 'sure')
  })

  it('shares equal work out by a draw that does not depend on who was first', () => {
    const equals = ['a', 'b', 'c', 'd'].map(provider => bidOf(provider))
    const wins = new Map<string, number>()
    for (let n = 0; n < 400; n++) {
      const spec = specOf({ taskId: `task-${n}` })
      const winner = rankByValue(equals, spec)[0]?.bid.provider ?? ''
      assert.equal(rankByValue(equals.toReversed(), spec)[0]?.bid.provider, winner)
      wins.set(winner, (wins.get(winner) ?? 0) + 1)
    }
    for (const { provider } of equals) assert.ok((wins.get(provider) ?? 0) > 70, `${provider} was given ${wins.get(provider)} of 400`)
  })

  it('tells why, in one line', () => {
    assert.deepEqual(rankByValue([bidOf('a', { cost: 3, durationMs: 400, rttMs: 1.23 })], specOf()).map(({ reason }) => reason),
      ['the only bid: cost 3, 400 ms, confidence 0.5, load 0, round trip 1.2 ms'])
    const [first, second] = rankByValue([bidOf('a'), bidOf('b', { cost: 9 })], specOf())
    assert.match(first?.reason ?? '', /^score 0\.\d+ \(next best 0\.\d+\), place 1 of 2: cost 1, no promised time/)
    assert.match(second?.reason ?? '', /^score 0\.\d+ \(best 0\.\d+\), place 2 of 2: cost 9/)
  })
})

it('ranking by cost takes the cheapest, and the better value among equals', () => {
  assert.equal(order(rankByCost, bidOf('a', { cost: 2, confidence: 1 }), bidOf('b', { cost: 1, confidence: 0 }), bidOf('c', { cost: 1 })), 'cba')
})

it('ranking by time takes the soonest, and who promises nothing last', () => {
  assert.equal(order(rankByTime, bidOf('a'), bidOf('b', { durationMs: 200 }), bidOf('c', { durationMs: 100, cost: 100 })), 'cba')
})

it('every policy keeps every bid, leaves what it was given alone, and does not care who came first', () => {
  fc.assert(fc.property(fc.uniqueArray(bid, { selector: ({ provider }) => provider, maxLength: 8 }), bids => {
    const before = structuredClone(bids)
    for (const policy of [rankByValue, rankByCost, rankByTime] as RankingPolicy[]) {
      const ranked = policy(bids, specOf())
      assert.deepEqual(new Set(ranked.map(entry => entry.bid)), new Set(bids))
      assert.ok(ranked.every(({ score }) => score >= 0 && score <= 1))
      assert.deepEqual(policy(bids.toReversed(), specOf()), ranked)
    }
    assert.deepEqual(bids, before)
  }))
})

it('of many equally loaded agents each is called as often, whatever their order, and the least loaded always', () => {
  const agents = Array.from({ length: 64 }, (_, i) => ({ agentId: `did:key:z${i}`, load: i < 4 ? 0 : 0.5 }))
  const times = new Map<string, number>()
  for (let task = 0; task < 300; task++) {
    const called = leastLoaded(agents, 32, `task ${task}`).map(({ agentId }) => agentId)
    assert.deepEqual(leastLoaded(agents.toReversed(), 32, `task ${task}`).map(({ agentId }) => agentId), called)
    for (const agentId of called) times.set(agentId, (times.get(agentId) ?? 0) + 1)
  }
  assert.deepEqual(agents.slice(0, 4).map(({ agentId }) => times.get(agentId)), [300, 300, 300, 300])
  // 28 of 60 a task: 140 of 300, with a deviation of 8.6.
  for (const { agentId } of agents.slice(4)) assert.ok(Math.abs((times.get(agentId) ?? 0) - 140) < 50, `${agentId}: ${times.get(agentId)}`)
})
