import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { callees, leastLoaded, rankByCost, rankByKey, rankByTime, rankByValue, type RankingPolicy, type Weights } from '../../src/core/ranking.ts'
import { policyOf } from '../../src/core/policy.ts'
import { bidOf, specOf } from './samples.ts'
import type { Standing } from '../../src/core/reputation.ts'
import type { Bid } from '../../src/core/task.ts'

const order = (policy: RankingPolicy, ...bids: Bid[]): string => policy(bids, specOf()).map(({ bid }) => bid.provider).join('')
const standing = (kept: number, broken: number, { open = 0, newcomers = 0.75 } = {}): { standing: Standing } => ({ standing: { kept, broken, open, newcomers } })
const [PROVEN, NEW, DOUBTFUL] = [standing(18, 1), standing(0, 0), standing(0, 2)]
/** New where newcomers have broken what they were given. */
const SUSPECT = standing(0, 0, { newcomers: 0.2 })
const bid = fc.record({
  provider: fc.string(), cost: fc.nat(1_000), confidence: fc.double({ min: 0, max: 1, noNaN: true }), load: fc.double({ min: 0, max: 1, noNaN: true }),
  durationMs: fc.option(fc.nat(10_000), { nil: undefined }), rttMs: fc.option(fc.nat(1_000), { nil: undefined }),
  region: fc.constantFrom(undefined, 'here', 'there'), standing: fc.option(fc.record({ kept: fc.nat(3), broken: fc.nat(3), open: fc.nat(3), newcomers: fc.constantFrom(0.2, 0.75) }, { noNullPrototype: true }), { nil: undefined })
}).map(({ provider, ...changes }) => bidOf(provider, changes))

describe('ranking by value', () => {
  for (const [better, a, b] of [
    ['cheaper', { cost: 1 }, { cost: 2 }],
    ['sooner', { durationMs: 100 }, { durationMs: 200 }],
    ['surer', { confidence: 0.9 }, { confidence: 0.8 }],
    ['less busy', { load: 0.1 }, { load: 0.2 }],
    ['nearer', { rttMs: 1 }, { rttMs: 50 }],
    ['more reliable, as far as is known', standing(9, 0), standing(6, 3)],
    ['as fast as any, rather than promising nothing', { durationMs: 100 }, {}]
  ] as const) {
    it(`prefers who is ${better}, all else being equal`, () => {
      assert.equal(order(rankByValue, bidOf('b', b), bidOf('a', a)), 'ab')
      assert.equal(order(rankByValue, bidOf('a', a), bidOf('b', b)), 'ab')
    })
  }

  it('follows the weights it is given', () => {
    const bids = [bidOf('cheap', { cost: 0, confidence: 0 }), bidOf('sure', { cost: 100, confidence: 1 })]
    const first = (weights: Weights) => rankByValue(bids, specOf(), weights)[0]?.bid.provider
    const none = { cost: 0, time: 0, confidence: 0, load: 0, rtt: 0, reputation: 0, region: 0 }
    assert.equal(first({ ...none, cost: 1 }), 'cheap')
    assert.equal(first({ ...none, confidence: 1 }), 'sure')
  })

  it('prefers its own region, when it has one', () => {
    const bids = [bidOf('b', { region: 'there' }), bidOf('a', { region: 'here' })]
    assert.equal(rankByValue(bids, specOf({ region: 'here' }))[0]?.bid.provider, 'a')
    assert.equal(rankByValue(bids, specOf({ region: 'there' }))[0]?.bid.provider, 'b')
  })

  it('where newcomers broke their contracts, takes who is proven before who is new, and that before the doubtful, whatever they bid', () => {
    const bids = [bidOf('c', { cost: 0, confidence: 1, ...DOUBTFUL }), bidOf('b', { cost: 0, ...SUSPECT }), bidOf('a', { cost: 100, load: 1, confidence: 0, ...PROVEN })]
    assert.equal(order(rankByValue, ...bids), 'abc')
  })

  it('where they kept them, takes the better bid of the proven and the new, and the doubtful last', () => {
    const bids = [bidOf('c', { cost: 0, confidence: 1, ...DOUBTFUL }), bidOf('b', { cost: 0, ...NEW }), bidOf('a', { cost: 100, load: 1, confidence: 0, ...PROVEN })]
    assert.equal(order(rankByValue, ...bids), 'bac')
  })

  it('gives who is new one contract at a time, while there is another', () => {
    assert.equal(order(rankByValue, bidOf('b', { cost: 0, ...standing(0, 0, { open: 1 }) }), bidOf('a', { cost: 9, ...NEW }), bidOf('c', { cost: 0, ...DOUBTFUL })), 'abc')
  })

  it('does not give all to who had one contract more', () => {
    const wins = new Set(Array.from({ length: 100 }, (_, n) => rankByValue([bidOf('a', standing(30, 0)), bidOf('b', standing(1, 0)), bidOf('c', standing(0, 0, { newcomers: 0.9 }))], specOf({ taskId: `task-${n}` }))[0]?.bid.provider))
    assert.deepEqual([...wins].toSorted(), ['a', 'b', 'c'])
  })

  it('has a trial for newcomers once in 32 tasks: however many they are and whatever they bid, and of one node no more than of another', () => {
    const proven = ['p', 'q'].map(name => bidOf(name, { cost: 5, ...PROVEN }))
    const sybils = Array.from({ length: 100 }, (_, i) => bidOf(`sybil-${i}`, { peer: 'of-sybils', cost: 0, durationMs: 1, confidence: 1, ...SUSPECT }))
    const wins = { proven: 0, honest: 0, sybil: 0 }
    for (let n = 0; n < 2_560; n++) {
      const [first, second] = rankByValue([...sybils, ...proven, bidOf('honest', SUSPECT)], specOf({ taskId: `task-${n}` }))
      assert.match(second?.bid.provider ?? '', /^[pq]$/, 'and when the trial fails, it is the turn of the proven')
      const { provider } = (first as { bid: Bid }).bid
      wins[provider.startsWith('sybil') ? 'sybil' : provider === 'honest' ? 'honest' : 'proven']++
      if (provider === 'honest') assert.match(first?.reason ?? '', /^a trial for somebody new/)
    }
    assert.ok(wins.honest > 20 && wins.sybil > 20 && wins.honest + wins.sybil < 120, JSON.stringify(wins))
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
    assert.match(rankByValue([bidOf('a', { region: 'there', ...PROVEN })], specOf({ region: 'here' }))[0]?.reason ?? '', /, region there, reputation 0\.88, proven$/)
    assert.match(rankByCost([bidOf('a', { cost: 3 }), bidOf('b', { cost: 9 })], specOf())[1]?.reason ?? '', /^cheapest, place 2 of 2: cost 9, /)
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

it('ranking by cost and by time passes over the doubtful, and over nobody else', () => {
  for (const policy of [rankByCost, rankByTime]) {
    assert.equal(order(policy, bidOf('a', { cost: 1, durationMs: 1, ...DOUBTFUL }), bidOf('b', { cost: 2, durationMs: 2, ...NEW }), bidOf('c', { cost: 3, durationMs: 3, ...PROVEN })), 'bca')
  }
})

describe('ranking by key', () => {
  const providers = ['a', 'b', 'c', 'd', 'e']
  const winner = (key: string, names = providers, changes: Partial<Bid> = {}): string => rankByKey(key)(names.map(name => bidOf(name, name === 'a' ? changes : {})), specOf({ taskId: key + Math.random() }))[0]?.bid.provider ?? ''
  const keys = Array.from({ length: 500 }, (_, i) => `key ${i}`)

  it('gives a key to the same provider in every task, and each about as many keys', () => {
    const held = Map.groupBy(keys, key => winner(key))
    for (const key of keys) assert.equal(winner(key, providers.toReversed(), { cost: 99 }), winner(key))
    for (const name of providers) assert.ok((held.get(name)?.length ?? 0) > 60, `${name} has ${held.get(name)?.length} of 500`)
  })

  it('moves only the keys of who is gone, or has become doubtful', () => {
    for (const key of keys) {
      const before = winner(key)
      for (const now of [winner(key, ['b', 'c', 'd', 'e']), winner(key, providers, DOUBTFUL)]) assert.ok(before === 'a' ? now !== 'a' : now === before)
    }
  })
})

it('a policy has a name, and what is none is told', () => {
  const bids = [bidOf('a', { cost: 9, durationMs: 1 }), bidOf('b', { cost: 1, durationMs: 9 })]
  for (const [name, policy] of [['value', rankByValue], ['cheapest', rankByCost], ['fastest', rankByTime], ['sticky:k', rankByKey('k')]] as const) assert.deepEqual(policyOf(name)(bids, specOf()), policy(bids, specOf()))
  for (const name of ['', 'best', 'sticky:', `sticky:${'k'.repeat(257)}`, 'constructor']) assert.throws(() => policyOf(name), { code: 'BAD_USAGE' })
})

describe('who is called, when more are known', () => {
  const known = (prefix: string, count: number, load = 0) => Array.from({ length: count }, (_, i) => ({ agentId: `${prefix}-${i}`, load }))
  const levels: Record<string, { standing: Standing }> = { p: PROVEN, n: NEW, d: DOUBTFUL }
  const called = (agents: ReturnType<typeof known>, options: { key?: string, all?: boolean } = {}) =>
    callees(agents, { limit: 32, spread: 'task', all: false, standingOf: agentId => (levels[agentId[0] ?? ''] ?? NEW).standing, ...options }).map(({ agentId }) => agentId)
  const count = (names: string[], prefix: string): number => names.filter(name => name.startsWith(prefix)).length

  it('are the proven, and some who are new, however free many new ones say they are', () => {
    const names = called([...known('n', 200), ...known('p', 40, 0.9)])
    assert.deepEqual([count(names, 'p'), count(names, 'n')], [24, 8])
    const few = called([...known('n', 200), ...known('p', 3, 0.9)])
    assert.deepEqual([count(few, 'p'), count(few, 'n')], [3, 29])
  })

  it('are the doubtful only when there is nobody else, or nobody else has done it', () => {
    assert.equal(count(called([...known('d', 5), ...known('n', 1)]), 'd'), 0)
    assert.equal(count(called([...known('d', 5), ...known('n', 1)], { all: true }), 'd'), 5)
    assert.equal(count(called(known('d', 5)), 'd'), 5)
  })

  it('are the same for the same key, whatever their load', () => {
    const busy = known('p', 100).map((agent, i) => ({ ...agent, load: (i % 7) / 7 }))
    assert.deepEqual(called(busy, { key: 'k' }), called(known('p', 100), { key: 'k' }))
    assert.notDeepEqual(called(known('p', 100), { key: 'k' }), called(known('p', 100), { key: 'l' }))
  })
})

it('every policy keeps every bid, leaves what it was given alone, and does not care who came first', () => {
  fc.assert(fc.property(fc.uniqueArray(bid, { selector: ({ provider }) => provider, maxLength: 8 }), bids => {
    const before = structuredClone(bids)
    for (const policy of [rankByValue, rankByCost, rankByTime, rankByKey('key')] as RankingPolicy[]) {
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

it('many who say that they are free do not keep all the others from being called', () => {
  const agents = Array.from({ length: 120 }, (_, i) => ({ agentId: i < 100 ? `sybil-${i}` : `honest-${i}`, load: i < 100 ? 0 : 0.5 }))
  for (let task = 0; task < 100; task++) {
    const honest = leastLoaded(agents, 64, `task ${task}`).filter(({ agentId }) => agentId.startsWith('honest'))
    assert.ok(honest.length >= 2, `task ${task}: ${honest.length}`)
  }
})
