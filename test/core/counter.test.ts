import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { answerOf, MAX_TURNS } from '../../src/core/counter.ts'
import { namedBid, openOffer, stepProvider, type ProviderEvent, type ProviderTask } from '../../src/core/provider.ts'
import { stepRequester, wakeAt, type RequesterEvent, type RequesterTask } from '../../src/core/requester.ts'
import { awardBudgetOf } from '../../src/core/spending.ts'
import { bidding, bidOf, called, fold, follow, saying, tick } from './samples.ts'

const SPEC = { counters: true as const, maxCost: 10 }
const from = (task: RequesterTask) => ({ task, effects: [] })
const bidIds = (task: RequesterTask): string[] => 'bids' in task ? task.bids.map(({ id }) => id) : []
const countered = (asks: Record<string, number>, { turn = 1, taken = [] as string[], at = 20 } = {}): RequesterEvent =>
  ({ type: 'countered', at, round: 1, turn, asks: Object.entries(asks).map(([bidId, cost]) => ({ bidId, cost })), taken })
const answered = (bidId: string, bid?: Parameters<typeof bidOf>, { turn = 1, at = 30 } = {}): RequesterEvent =>
  ({ type: 'answered', at, round: 1, turn, bidId, bid: bid && bidOf(...bid) })
const two = [called(['a', 'b']), bidding('a', { cost: 8 }), bidding('b', { cost: 9 })]
const open = (): RequesterTask => fold(two, SPEC).task

describe('the owner of a task answers the bids', () => {
  it('when the window has closed, before the choice', () => {
    const { task, effects } = fold(two, SPEC)
    assert.equal(task.stage, 'countering')
    assert.deepEqual(saying(effects).slice(-2), ['publish bid', 'counter 1: a,b'])
  })

  it('and without anything to say they are ranked at once', () => {
    assert.deepEqual(saying(follow(from(open()), [countered({})]).effects), ['choose 1'])
  })

  it('a new bid takes the place of the one it answers, and all answers are waited for', () => {
    const { task, effects } = follow(from(open()), [countered({ 'bid-a-1': 5, 'bid-b-1': 5 }), answered('bid-a-1', ['a', { id: 'anew', cost: 5 }])])
    assert.deepEqual(saying(effects), ['publish countered', 'ask a for 5', 'publish countered', 'ask b for 5', 'publish answered'])
    assert.deepEqual([task.stage, bidIds(task)], ['countering', ['anew', 'bid-b-1']])
    // Who keeps its bid is not asked again.
    assert.deepEqual(saying(follow(from(task), [answered('bid-b-1')]).effects), ['publish answered', 'counter 2: a'])
  })

  it(`it ends after ${MAX_TURNS} turns, whoever would go on`, () => {
    const { task, effects } = follow(from(open()), [
      countered({ 'bid-a-1': 5 }), answered('bid-a-1', ['a', { id: 'second', cost: 7 }]),
      countered({ second: 5 }, { turn: 2 }), answered('second', ['a', { id: 'third', cost: 6 }], { turn: 2 }),
      countered({ third: 5 }, { turn: 3 })
    ])
    assert.deepEqual(saying(effects).slice(-2), ['counter 3: a', 'choose 1'])
    assert.deepEqual([task.stage, bidIds(task)], ['choosing', ['third', 'bid-b-1']])
  })

  it('nobody is waited for beyond the window once more, nor beyond a quarter of the time that is left', () => {
    assert.equal(wakeAt(open()), 510)
    const task = follow(from(open()), [countered({ 'bid-a-1': 5 })]).task
    assert.deepEqual(saying(follow(from(task), [tick(509)]).effects), [])
    assert.deepEqual(saying(follow(from(task), [tick(510)]).effects), ['choose 1'])
    assert.equal(wakeAt(fold(two, { ...SPEC, deadlineAt: 50 }).task), 20)
  })

  it('an answer that is late, of another bidder, another peer, another round or over already changes nothing', () => {
    const { task } = follow(from(open()), [countered({ 'bid-a-1': 5 })])
    for (const changes of [{ provider: 'b' }, { peer: 'elsewhere' }, { round: 2 }, { expiresAt: 30 }]) {
      const next = follow(from(task), [answered('bid-a-1', ['a', { id: 'anew', cost: 5, ...changes }])]).task
      assert.deepEqual(bidIds(next), ['bid-a-1', 'bid-b-1'])
    }
    assert.equal(stepRequester(task, answered('bid-b-1', ['b', { id: 'anew' }])).task, task, 'it was not asked')
    const chosen = follow(from(task), [tick(510)]).task
    assert.equal(stepRequester(chosen, answered('bid-a-1', ['a', { id: 'anew' }])).task, chosen)
    assert.deepEqual(stepRequester(chosen, bidding('a', { id: 'anew' })).effects, [], 'nor is it declined: its bid stands')
  })

  it('after a restart bids are ranked as they stand', () => {
    const { task } = follow(from(open()), [countered({ 'bid-a-1': 5 })])
    assert.deepEqual(saying(stepRequester(task, { type: 'recovered', at: 40 }).effects), ['choose 1'])
  })

  it('may bring a bid into the budget, and what stays above it is declined', () => {
    const over = fold([called(['a', 'b']), bidding('a', { cost: 12 }), bidding('b', { cost: 20 })], SPEC).task
    const { task, effects } = follow(from(over), [countered({ 'bid-a-1': 9 }), answered('bid-a-1', ['a', { id: 'anew', cost: 9 }]), countered({}, { turn: 2 })])
    assert.deepEqual(saying(effects).slice(-2), ['decline b', 'choose 1'])
    assert.deepEqual(bidIds(task), ['anew'])
  })

  it('or takes one that costs more or takes longer than was asked for', () => {
    const over = fold([called(['a', 'b']), bidding('a', { cost: 12, durationMs: 20_000 }), bidding('b', { cost: 20 })], SPEC).task
    const { task, effects } = follow(from(over), [countered({}, { taken: ['bid-a-1'] })])
    assert.deepEqual(saying(effects), ['decline b', 'choose 1'])
    assert.ok(task.stage === 'choosing')
    const [bid] = task.bids as [typeof task.bids[0]]
    const given = follow(from(task), [{ type: 'chosen', at: 40, round: 1, order: [{ bid, score: 1, reason: 'best' }] }]).task
    assert.equal(awardBudgetOf(given, bid), 12)
    assert.equal(given.spec.deadlineAt, 40 + 20_000 + given.spec.leaseMs)
  })
})

describe('a bidder that is answered', () => {
  const bid = { id: 'one', round: 1, cost: 8, durationMs: 500, expiresAt: 1_000 }
  const offered = openOffer({ type: 'offered', at: 0, taskId: 't', capability: 'c', requester: 'r', bid, call: { depth: 0, visited: [] } }).task
  const counter = (bidId: string, id: string, cost: number, durationMs?: number): ProviderEvent => ({ type: 'countered', at: 10, counter: `for ${id}`, bidId, bid: { id, cost, durationMs, confidence: 1 } })
  const award = (bidId: string): ProviderEvent => ({ type: 'awarded', at: 20, bidId, contract: { epoch: 1, leaseMs: 1, contractHash: '', inputHash: '' }, deadlineAt: 900, award: '', acceptance: '' })
  const after = (...events: ProviderEvent[]): ProviderTask => events.reduce((task, event) => stepProvider(task, event).task, offered)

  it('bids anew twice at most, and only in place of the bid that stands', () => {
    const task = after(counter('one', 'two', 7), counter('one', 'no', 1), counter('two', 'three', 6), counter('three', 'four', 5))
    assert.deepEqual([task.bid.id, task.bid.cost, task.bid.turns], ['three', 6, 2])
    assert.equal(after({ type: 'countered', at: 10, counter: 'x', bidId: 'one' }).bid.id, 'one')
  })

  it('honours a bid of before, when its answer was lost, at the terms of before', () => {
    const task = after(counter('one', 'two', 7, 500), award('one'))
    assert.deepEqual([task.stage, task.bid.cost], ['working', 8])
  })

  it('but not one with better terms than those that stand', () => {
    for (const [cost, durationMs] of [[9, 500], [7, 600], [7, undefined]] as const) {
      const task = after(counter('one', 'two', cost, durationMs))
      const { effects } = stepProvider(task, award('one'))
      assert.deepEqual([namedBid(task, 'one'), effects[0]?.type], [undefined, 'refuse'], `${cost} ${durationMs}`)
      assert.equal(stepProvider(task, award('two')).effects[0]?.type, 'accept')
    }
  })

  it('takes by itself what is no worse for it', () => {
    const offer = { cost: 8, durationMs: 500, confidence: 0.5 }
    assert.equal(answerOf({ offered: offer, asked: { cost: 7 }, turn: 1 }), undefined)
    assert.equal(answerOf({ offered: offer, asked: { cost: 8, durationMs: 400 }, turn: 1 }), undefined)
    assert.equal(answerOf({ offered: { cost: 8, confidence: 1 }, asked: { durationMs: 400 }, turn: 1 }), undefined, 'it has promised no time')
    assert.deepEqual(answerOf({ offered: offer, asked: { cost: 9, durationMs: 900 }, turn: 1 }), { cost: 9, durationMs: 900, confidence: 0.5 })
  })
})
