import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { restMs } from '../../src/core/backoff.ts'
import { hasEnded, winnerOf } from '../../src/core/ending.ts'
import { openTask, resumeTask, stepRequester, tickOf, wakeAt, type RequesterEvent, type RequesterTask } from '../../src/core/requester.ts'
import { slaMs } from '../../src/core/sla.ts'
import { budgetOf, totalOf } from '../../src/core/spending.ts'
import { accepted, bidding, bidOf, broke, called, chosen, fold, follow, heard, passed, progress, refused, result, saying, specOf, tick, working } from './samples.ts'

const from = (task: RequesterTask) => ({ task, effects: [] })
const failureOf = (task: RequesterTask) => task.stage === 'failed' ? task.failure : undefined

describe('the window for bids', () => {
  it('closes early when all who were asked have answered', () => {
    const { task, effects } = fold([called(['a', 'b']), bidding('a'), passed('b')])
    assert.equal(task.stage, 'choosing')
    assert.deepEqual(saying(effects), ['announce 1', 'publish announced', 'publish bid', 'publish passed', 'choose 1'])
  })

  it('closes at once when they answered before the announcement was known to be out', () => {
    assert.equal(fold([bidding('a'), called(['a'])]).task.stage, 'choosing')
  })

  it('stays open for unknown agents when nobody was asked directly', () => {
    const { task } = fold([called([]), bidding('stranger')])
    assert.equal(task.stage, 'announced')
    assert.equal(wakeAt(task), 500)
    assert.equal(follow(from(task), [tick(499)]).task.stage, 'announced')
    assert.equal(follow(from(task), [tick(500)]).task.stage, 'choosing')
  })

  it('closes at its time with the bids there are', () => {
    const { task, effects } = fold([called(['a', 'b']), bidding('a'), tick(500)])
    assert.equal(task.stage, 'choosing')
    assert.ok(saying(effects).includes('choose 1'))
  })

  it('stays open eight times as long for those who were asked and are silent, until the first bid', () => {
    const held = fold([called(['a', 'b']), passed('a'), tick(500)]).task
    assert.deepEqual([held.stage, wakeAt(held)], ['announced', 4_000])
    assert.equal(follow(from(held), [bidding('b', {}, 700)]).task.stage, 'choosing')
    assert.equal(follow(from(held), [bidding('c', {}, 700)]).task.stage, 'choosing', 'also by somebody who was not asked')
    assert.equal(follow(from(held), [tick(3_999)]).task.stage, 'announced')
    assert.equal(follow(from(held), [tick(4_000)]).task.stage, 'resting')
    assert.equal(follow(from(held), [passed('b', undefined, 700)]).task.stage, 'resting', 'or until nobody is left to wait for')
  })

  it('once somebody has bid, waits for the silent no longer than those asked usually take', () => {
    const usually: RequesterEvent = { type: 'called', at: 0, round: 1, asked: ['a', 'b', 'c'], waitMs: 60 }
    const silent = fold([usually]).task
    assert.equal(wakeAt(silent), 4_000)
    const { task } = fold([usually, bidding('a', {}, 30), bidding('b', {}, 80)])
    assert.deepEqual([task.stage, wakeAt(task)], ['announced', 90])
    assert.equal(follow(from(task), [tick(89)]).task.stage, 'announced')
    const closed = follow(from(task), [tick(90)]).task
    assert.ok(closed.stage === 'choosing' && closed.bids.length === 2)
    assert.equal(wakeAt(fold([usually, bidding('a', {}, 470)]).task), 500, 'and never longer than the window')
    assert.equal(wakeAt(fold([called(['a', 'b']), bidding('a', {}, 30)]).task), 500, 'and as long as that where one of them is new')
  })

  it('counts one bid of each provider, the first, and one answer', () => {
    const { task } = fold([called(['a', 'b', 'c']), bidding('a', { cost: 5 }), bidding('a', { id: 'second', cost: 1 }), passed('a'), passed('b'), passed('b')])
    assert.ok(task.stage === 'announced')
    assert.deepEqual([task.bids.map(({ cost }) => cost), task.passes.length, task.awaiting], [[5], 1, ['c']])
  })

  it('declines a late bid, and not one that it has', () => {
    const done = fold([called(['a']), bidding('a')])
    assert.deepEqual(saying(stepRequester(done.task, bidding('late')).effects), ['decline late'])
    assert.deepEqual(stepRequester(done.task, bidding('a')).effects, [])
    const held = follow(from(done.task), [chosen(['a'])])
    assert.deepEqual(stepRequester(held.task, bidding('a')).effects, [])
    assert.deepEqual(saying(stepRequester(held.task, bidding('late')).effects), ['decline late'])
  })

  it('declines bids of other rounds, of excluded agents, and of whom it is not for', () => {
    const again = fold([called(['a']), bidding('a'), chosen(['a']), broke('a'), tick(250), called(['a', 'b'], 250, 2)]).task
    assert.ok(again.stage === 'announced')
    assert.deepEqual(saying(stepRequester(again, bidding('b')).effects), ['decline b'])
    assert.deepEqual(saying(stepRequester(again, bidding('a', { round: 2 })).effects), ['decline a'])
    assert.deepEqual(saying(fold([bidding('b')], { to: 'a' }).effects), ['announce 1', 'decline b'])
  })
})

describe('a bid is sealed to one announcement', () => {
  const call = (id: string, round = 1, at = 0): RequesterEvent => ({ type: 'called', at, round, call: id, asked: ['a', 'b'] })
  it('and is none before it, nor when it answers another', () => {
    assert.deepEqual(saying(fold([bidding('a', { call: 'one' })]).effects), ['announce 1', 'decline a'])
    const { task, effects } = fold([call('one'), bidding('a', { call: 'another' }), bidding('b'), bidding('a', { call: 'one' })])
    assert.deepEqual(saying(effects).slice(2), ['decline a', 'decline b', 'publish bid'])
    assert.ok(task.stage === 'announced' && task.bids.length === 1)
  })

  it('or to the one made again after a restart, beside the bids that were there', () => {
    const { task } = fold([call('one'), bidding('a', { call: 'one' }), call('again'), bidding('b', { call: 'again' })])
    assert.ok(task.stage === 'choosing' && task.bids.length === 2)
  })
})

describe('the budget', () => {
  it('declines bids above it and takes one at it', () => {
    const { task, effects } = fold([called(['a', 'b']), bidding('a', { cost: 6 }), bidding('b', { cost: 5 })], { maxCost: 5 })
    assert.ok(task.stage === 'choosing' && task.bids.length === 1)
    assert.ok(saying(effects).includes('decline a'))
  })

  it('is what a task fails with that had only bids above it, with the lowest of all rounds', () => {
    const { task } = fold([
      called(['a']), bidding('a', { cost: 9 }), tick(300), called(['a'], 300, 2), bidding('a', { cost: 7, round: 2 }), tick(900), called(['a'], 900, 3), bidding('a', { cost: 8, round: 3 })
    ], { maxCost: 5 })
    assert.deepEqual(failureOf(task), { code: 'OVER_BUDGET', capability: 'data.sum', maxCost: 5, lowest: 7 })
  })
})

describe('announcing again', () => {
  it('waits between its rounds, and gives up after the last', () => {
    let { task } = fold([called(['a']), passed('a', undefined, 10)])
    for (const round of [2, 3]) {
      assert.ok(task.stage === 'resting')
      const { resumesAt } = task
      assert.equal(stepRequester(task, tick(resumesAt - 1)).task, task)
      const next = stepRequester(task, tick(resumesAt))
      assert.deepEqual(saying(next.effects), [`announce ${round}`])
      task = follow(next, [called(['a'], resumesAt, round), passed('a', undefined, resumesAt + 10, round)]).task
    }
    assert.deepEqual(failureOf(task), { code: 'NO_BIDS', capability: 'data.sum', rounds: 3, asked: 1 })
  })

  it('waits up to twice as long each time, 5 s at most, and every task otherwise', () => {
    for (const [round, most] of [[1, 400], [2, 800], [3, 1_600], [5, 5_000], [1_000, 5_000]] as const) {
      const waits = Array.from({ length: 200 }, (_, n) => restMs(`task-${n}`, round))
      assert.ok(Math.min(...waits) >= 20 && Math.min(...waits) < most / 10 && Math.max(...waits) > most * 0.9 && Math.max(...waits) <= most, `round ${round}: ${Math.min(...waits)} to ${Math.max(...waits)}`)
      assert.equal(restMs('task-1', round), restMs('task-1', round))
    }
  })

  it('asks those who only lost, and not those who failed', () => {
    const { task } = fold([called(['a', 'b']), bidding('a'), bidding('b'), chosen(['a', 'b']), broke('a', 1), refused('b', 2, true), tick(500)])
    assert.ok(task.stage === 'announced' && task.round === 2)
    assert.deepEqual(task.excluded, ['a'])
  })

  it('says that nobody offers it when nobody could be asked', () => {
    const { task } = fold([called([]), tick(500), tick(700), called([], 700, 2), tick(1_200), tick(1_600), called([], 1_600, 3), tick(2_100)])
    assert.deepEqual(failureOf(task), { code: 'NO_CAPABLE_AGENT', capability: 'data.sum', waitedMs: 2_100 })
  })

  it('fails at once when all who could do it say that it is not allowed', () => {
    assert.equal(failureOf(fold([called(['a', 'b']), passed('a', 'NOT_ALLOWED'), passed('b', 'NOT_ALLOWED')]).task)?.code, 'NOT_ALLOWED')
    assert.equal(fold([called(['a', 'b']), passed('a', 'NOT_ALLOWED'), passed('b', 'OVERLOADED')]).task.stage, 'resting')
  })
})

describe('awarding', () => {
  it('goes to the first of the order; the others stand by in it', () => {
    const { task, effects } = fold([called(['a', 'b', 'c']), bidding('a'), bidding('b'), bidding('c'), chosen(['c', 'a', 'b'])])
    assert.ok(task.stage === 'awarded' && task.epoch === 1 && task.leaseUntil === 20 + 1_000)
    assert.deepEqual(saying(effects).slice(-4), ['publish awarded', 'award c e1', 'standby a', 'standby b'])
  })

  it('passes over bids that do not stand any more', () => {
    const { effects } = fold([called(['a']), bidding('a'), { ...chosen(['a', 'b']), order: [{ bid: bidOf('a', { expiresAt: 20 }), score: 1, reason: '' }, { bid: bidOf('b'), score: 0, reason: '' }] } as ReturnType<typeof chosen>])
    assert.deepEqual(saying(effects).slice(-1), ['award b e1'])
  })

  it('happens once for a choice that comes twice', () => {
    const { task } = fold([called(['a']), bidding('a'), chosen(['a'])])
    assert.deepEqual(stepRequester(task, chosen(['a'])), { task, effects: [] })
  })
})

describe('the work moves on', () => {
  const task = working('a', 'b', 'c')

  for (const [why, event, code, excluded] of [
    ['when the lease has ended', tick(1_030), 'LEASE_EXPIRED', ['a']],
    ['when the provider is gone', { type: 'gone', at: 100, provider: 'a', why: 'refused' }, 'PEER_UNREACHABLE', ['a']],
    ['when the handler failed', broke('a'), 'HANDLER_FAILED', ['a']],
    ['when the award is refused for good', refused('a'), 'REFUSED', ['a']],
    ['when the award is refused for now, without excluding', refused('a', 1, true), 'REFUSED', []]
  ] as const) {
    it(why, () => {
      const { task: next, effects } = stepRequester(task, event)
      assert.ok(next.stage === 'awarded' && next.epoch === 2 && next.winner.provider === 'b')
      assert.deepEqual(next.excluded, excluded)
      assert.equal(next.lastFailure?.code, code)
      assert.deepEqual(saying(effects), ['revoke a e1', 'publish moved', 'publish awarded', 'award b e2', 'standby c'])
    })
  }

  it('when a promised time is breached, however alive its provider is', () => {
    const promised = fold([called(['a']), bidding('a', { durationMs: 400 }), chosen(['a'], 20, { durationMs: 400 }), accepted('a'), heard('a', 1, 1_900)]).task
    assert.equal(wakeAt(promised), 20 + slaMs(specOf(), 400))
    const { task: next, effects } = stepRequester(promised, tick(2_020))
    assert.equal(next.stage, 'resting')
    assert.equal(next.stage === 'resting' && next.lastFailure?.code, 'SLA_BREACHED')
    assert.deepEqual(saying(effects), ['revoke a e1', 'publish moved'])
  })

  it('nor does it help to give signs of life and never accept', () => {
    const { task: next } = fold([called(['a']), bidding('a'), chosen(['a'], 20, { durationMs: 400 }), heard('a', 1, 1_900), tick(2_020)])
    assert.deepEqual([next.stage, next.excluded], ['resting', ['a']])
  })

  it('to the standbys in their order, then to another round, then to an end that tells why', () => {
    const last = follow(from(task), [broke('a', 1), broke('b', 2), broke('c', 3)])
    assert.deepEqual(saying(last.effects).filter(said => said.startsWith('award')), ['award b e2', 'award c e3'])
    assert.equal(last.task.stage, 'resting')
    const end = follow(last, [tick(1_000), called([], 1_000, 2), tick(1_500), tick(2_000), called([], 2_000, 3), tick(2_500)])
    assert.deepEqual(failureOf(end.task), { code: 'ALL_PROVIDERS_FAILED', capability: 'data.sum', attempts: 3, last: 'HANDLER_FAILED: no' })
  })

  it('not when the failure would be the same with everybody', () => {
    const { task: next, effects } = stepRequester(task, broke('a', 1, false))
    assert.equal(failureOf(next)?.code, 'HANDLER_FAILED')
    assert.deepEqual(saying(effects), ['revoke a e1', 'decline b', 'decline c', 'publish failed'])
  })

  it('not for a lease that was renewed, be it by a sign of life or by progress', () => {
    for (const alive of [heard('a', 1, 1_000), progress('a', 1, 1, 1_000)]) {
      const { task: next } = follow(from(task), [alive, tick(1_999)])
      assert.equal(winnerOf(next)?.provider, 'a')
      assert.equal(stepRequester(next, tick(2_000)).task.epoch, 2)
    }
  })
})

describe('what comes late, doubled, or from an award that is over', () => {
  const moved = stepRequester(working('a', 'b'), broke('a')).task

  it('is nothing when it could have no effect', () => {
    for (const event of [heard('a'), progress('a'), refused('a')]) assert.deepEqual(stepRequester(moved, event), { task: moved, effects: [] })
  })

  it('is fenced off when it could', () => {
    for (const event of [result('a'), accepted('a'), broke('a')]) {
      const { task, effects } = stepRequester(moved, event)
      assert.equal(task, moved)
      assert.deepEqual(saying(effects), ['fence a e1', 'publish fenced'])
    }
  })

  it('is fenced off under an epoch that was never awarded, and from who never held it', () => {
    for (const event of [result('b', 7), result('stranger', 2)]) assert.equal(stepRequester(moved, event).task, moved)
  })

  it('is taken once when it is a result: the same one is only answered again', () => {
    const { task, effects } = follow(from(moved), [result('b', 2)])
    assert.deepEqual(saying(effects), ['take b e2', 'publish result'])
    const again = stepRequester(task, result('b', 2))
    assert.equal(again.task, task)
    assert.deepEqual(saying(again.effects), ['take b e2'])
  })

  it('changes nothing after the end', () => {
    for (const end of [follow(from(moved), [result('b', 2)]).task, stepRequester(moved, { type: 'cancelled', at: 60, why: 'enough' }).task]) {
      assert.ok(hasEnded(end))
      for (const event of [tick(99_999), chosen(['a']), broke('b', 2), heard('b', 2), called(['a']), bidding('a'), { type: 'recovered', at: 70 } as const, { type: 'cancelled', at: 70, why: 'again' } as const]) {
        assert.equal(stepRequester(end, event).task, end)
      }
    }
  })

  it('is not told twice when it is progress', () => {
    const { task } = stepRequester(working('a'), progress('a', 1, 2))
    for (const sequence of [1, 2]) assert.deepEqual(stepRequester(task, progress('a', 1, sequence)).effects, [])
    assert.deepEqual(saying(stepRequester(task, progress('a', 1, 3)).effects), ['publish progress'])
  })
})

it('an acceptance that progress or a sign of life overtook is kept and told, once', () => {
  for (const sooner of [progress('a'), heard('a')]) {
    const { task, effects } = fold([called(['a']), bidding('a'), chosen(['a']), sooner, accepted('a')])
    assert.equal(saying(effects).filter(said => said === 'publish accepted').length, 1)
    assert.deepEqual(stepRequester(task, accepted('a')).effects, [])
  }
})

it('an acceptance that the result overtook is kept, and is no late message of a lost award', () => {
  const settled = fold([called(['a']), bidding('a'), chosen(['a']), result('a')]).task
  const { task, effects } = stepRequester(settled, accepted('a'))
  assert.deepEqual(effects, [])
  assert.notEqual(task, settled, 'the event is kept')
  assert.equal(stepRequester(task, accepted('a')).task, task)
})

it('a timer’s event keeps the lease, so that a log without the signs of life tells the same story', () => {
  const live = fold([called(['a']), bidding('a', { durationMs: 400 }), chosen(['a'], 20, { durationMs: 400 }), accepted('a'), heard('a', 1, 1_900)]).task
  const event = tickOf(live, 2_020)
  const folded = fold([called(['a']), bidding('a', { durationMs: 400 }), chosen(['a'], 20, { durationMs: 400 }), accepted('a'), event])
  assert.deepEqual(folded.task, stepRequester(live, event).task)
})

describe('the deadline ends it in each stage', () => {
  const stages: Record<string, RequesterTask> = {
    announced: fold([called(['a'])]).task,
    choosing: fold([called(['a']), bidding('a')]).task,
    awarded: fold([called(['a', 'b']), bidding('a'), bidding('b'), chosen(['a', 'b'])]).task,
    working: working('a', 'b'),
    resting: fold([called(['a']), bidding('a'), chosen(['a']), broke('a')]).task
  }
  for (const [stage, task] of Object.entries(stages)) {
    it(stage, () => {
      assert.equal(task.stage, stage)
      assert.ok((wakeAt(task) ?? Infinity) <= 10_000)
      const { task: end, effects } = stepRequester(task, tick(10_000))
      assert.deepEqual(failureOf(end), { code: 'DEADLINE_EXCEEDED', taskId: 'task', afterMs: 10_000 })
      assert.equal(wakeAt(end), undefined)
      assert.equal(saying(effects).at(-1), 'publish failed')
      assert.equal(saying(effects).includes('revoke a e1'), stage === 'awarded' || stage === 'working')
    })
  }

  for (const [when, task, failure] of [
    ['nobody was found to ask', openTask(specOf()).task, { code: 'NO_CAPABLE_AGENT', capability: 'data.sum', waitedMs: 10_000 }],
    ['nobody answered the announcement to all', fold([called([])]).task, { code: 'NO_CAPABLE_AGENT', capability: 'data.sum', waitedMs: 10_000 }],
    ['all who were asked have passed', fold([called(['a']), passed('a')]).task, { code: 'NO_BIDS', capability: 'data.sum', rounds: 1, asked: 1 }],
    ['those who did not bid in one round are asked again', fold([called(['a']), tick(4_000), tick(4_400), called(['a'], 4_400, 2)]).task, { code: 'NO_BIDS', capability: 'data.sum', rounds: 2, asked: 1 }],
    ['all bids were above the budget', fold([called(['a']), bidding('a', { cost: 6 })], { maxCost: 5 }).task, { code: 'OVER_BUDGET', capability: 'data.sum', maxCost: 5, lowest: 6 }]
  ] as const) {
    it(`but the failure is ${failure.code}, as after the last round, when ${when}`, () => {
      assert.deepEqual(failureOf(stepRequester(task, tick(10_000)).task), failure)
    })
  }

  it('and a bid that nobody could look at any more is no lack of bids', () => {
    assert.equal(failureOf(follow(from(fold([called(['a', 'b']), bidding('a')]).task), [tick(10_000)]).task)?.code, 'DEADLINE_EXCEEDED')
  })

  for (const [stage, task] of Object.entries(stages)) {
    it(`and it can be cancelled in the stage ${stage}, which releases all who wait`, () => {
      const { task: end, effects } = stepRequester(task, { type: 'cancelled', at: 60, why: 'enough' })
      assert.equal(failureOf(end)?.code, 'CANCELLED')
      const waiting = stage === 'choosing' ? ['decline a'] : stage === 'awarded' || stage === 'working' ? ['revoke a e1', 'decline b'] : []
      assert.deepEqual(saying(effects), [...waiting, 'publish failed'])
    })
  }

  it('and after a crash each stage knows what to do again', () => {
    const again = Object.entries(stages).map(([stage, task]) => [stage, ...saying(resumeTask(task))])
    assert.deepEqual(again, [['announced', 'announce 1'], ['choosing', 'choose 1'], ['awarded', 'award a e1'], ['working'], ['resting']])
    assert.deepEqual(resumeTask(follow(from(working('a')), [result('a')]).task), [])
  })

  it('and a provider at work is given a fresh lease to be heard in after a crash', () => {
    for (const stage of ['awarded', 'working'] as const) {
      const { task } = stepRequester(stages[stage] as RequesterTask, { type: 'recovered', at: 5_000 })
      assert.equal(task.stage, stage)
      assert.equal(wakeAt(task), 6_000)
    }
  })
})

describe('an attempt at a job', () => {
  const awarded = fold([called(['a', 'b']), bidding('a'), bidding('b'), chosen(['a', 'b'])], { jobId: 'job' }).task

  for (const [why, event, code] of [
    ['the lease has ended', tick(1_030), 'LEASE_EXPIRED'],
    ['the provider is gone', { type: 'gone', at: 100, provider: 'a', why: 'refused' }, 'PEER_UNREACHABLE'],
    ['the handler failed', broke('a'), 'HANDLER_FAILED']
  ] as const) {
    it(`is over when ${why}: no second handler is started`, () => {
      const { task, effects } = stepRequester(awarded, event)
      assert.equal(failureOf(task)?.code, code)
      assert.ok(!effects.some(({ type }) => type === 'award'))
    })
  }

  it('goes to the next bidder when an award is refused, which started nothing', () => {
    const { task } = stepRequester(awarded, refused('a'))
    assert.ok(task.stage === 'awarded' && task.winner.provider === 'b')
  })

  it('is over when an award from before a restart is refused, which may have been taken up then', () => {
    const { task } = follow(from(awarded), [{ type: 'recovered', at: 30 }, refused('a', 1, false, 40)])
    assert.equal(failureOf(task)?.code, 'REFUSED')
  })
})

describe('what delegations of a provider came to', () => {
  const told = (epoch: number, spent: number): RequesterEvent => ({ type: 'told', at: 60, provider: 'a', epoch, spent })

  it('counts against the next award, and rules out a standby that is too dear then', () => {
    const bids = [called(['a', 'b', 'c']), bidding('a'), bidding('b', { cost: 4 }), bidding('c', { cost: 2 })]
    const order: RequesterEvent = { type: 'chosen', at: 20, round: 1, order: [bidOf('a'), bidOf('b', { cost: 4 }), bidOf('c', { cost: 2 })].map(bid => ({ bid, score: 1, reason: '' })) }
    const { task, effects } = fold([...bids, order, { ...broke('a'), spent: 7 } as RequesterEvent], { maxCost: 10 })
    assert.deepEqual([winnerOf(task)?.provider, budgetOf(task), task.spent], ['c', 3, 7])
    assert.ok(effects.some(effect => effect.type === 'revoke' && effect.told === true))
  })

  it('is what they may have come to, until whose contract was taken away has said it, once', () => {
    const { task } = fold([called(['a']), bidding('a'), chosen(['a']), accepted('a'), { type: 'cancelled', at: 50, why: 'enough' }], { maxCost: 10 })
    assert.equal(totalOf(task), 9)
    const { task: after } = follow({ task, effects: [] }, [told(1, 4), told(1, 4)])
    assert.equal(totalOf(after), 4)
  })

  it('is added to what the task cost', () => {
    const { task } = fold([called(['a', 'b']), bidding('a'), bidding('b'), chosen(['a', 'b']), { type: 'gone', at: 30, provider: 'a', why: 'no' }, told(1, 2), { ...result('b', 2), spent: 3 } as RequesterEvent])
    assert.deepEqual([totalOf(task), task.spent], [6, 5])
  })
})

describe('a way that leads back', () => {
  const onPath = (asked: string[], agents: string[]): RequesterEvent => ({ type: 'called', at: 0, round: 1, asked, onPath: agents })
  const path = ['did:key:zme', 'a']

  it('fails when the window has closed, or at once when nobody else may do it', () => {
    assert.deepEqual(failureOf(fold([onPath([], ['a']), tick(500)]).task), { code: 'LOOP', path })
    assert.deepEqual(failureOf(fold([onPath([], ['a'])], { to: 'a' }).task), { code: 'LOOP', path })
  })

  it('is none while others may do it, nor because somebody says so who had no part in it', () => {
    assert.equal(fold([onPath(['b'], ['a']), passed('b')]).task.stage, 'resting')
    assert.equal(fold([called(['b']), passed('b', 'LOOP')]).task.stage, 'resting')
    assert.equal(failureOf(fold([called(['b']), passed('b', 'LOOP')], { visited: ['b', 'did:key:zme'] }).task)?.code, 'LOOP')
  })

  it('is told on by a provider that met it, when nobody stands by', () => {
    const met: RequesterEvent = { type: 'broke', at: 50, provider: 'a', epoch: 1, retryable: true, failure: { code: 'LOOP', path: ['x', 'y', 'x'] } }
    assert.deepEqual(failureOf(fold([called(['a']), bidding('a'), chosen(['a']), met]).task), { code: 'LOOP', path: ['x', 'y', 'x'] })
    assert.equal(winnerOf(fold([called(['a', 'b']), bidding('a'), bidding('b'), chosen(['a', 'b']), met]).task)?.provider, 'b')
  })
})
