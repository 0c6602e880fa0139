import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createCapacity } from '../../src/negotiate/capacity.ts'
import { manualClock } from '../identity/support.ts'

const ROOM = { capability: 'a.b', maxConcurrent: 2, queue: 3 }
const bidder = (taskId: string, requester = taskId, forMs = 1_000) => ({ taskId, requester, forMs })
const turn = async (): Promise<void> => { await new Promise(resolve => { setImmediate(resolve) }) }

describe('room for contracts', () => {
  it('is for those that run and those that wait, and no more', () => {
    const { contract, admits } = createCapacity(manualClock())
    for (let n = 0; n < 5; n++) {
      assert.ok(admits(ROOM, `t${n}`))
      contract(`t${n}`, 'a.b')
    }
    assert.ok(!admits(ROOM, 't5'))
    assert.ok(admits(ROOM, 't1'), 'one that is there is awarded again at a higher epoch')
    assert.ok(admits({ ...ROOM, capability: 'a.c' }, 't5'), 'another capability has its own')
    contract('t0', undefined)
    assert.ok(admits(ROOM, 't5'))
  })

  it('is promised in bids twice over, once to each requester, until they have chosen', () => {
    const clock = manualClock()
    const { contract, reserve, release } = createCapacity(clock)
    const bids = Array.from({ length: 100 }, (_, n) => reserve(ROOM, bidder(`t${n}`))).filter(wait => wait !== undefined)
    assert.equal(bids.length, 10)
    assert.equal(reserve(ROOM, bidder('t0')), 0, 'asked again, the same bid takes no more')
    contract('t0', 'a.b')
    release('t0')
    assert.equal(reserve(ROOM, bidder('t100')), undefined, 'four places are left, and nine bids for them')
    release('t1')
    release('t2')
    assert.equal(reserve(ROOM, bidder('t100')), 0)
    clock.advance(1_001)
    const greedy = Array.from({ length: 100 }, (_, n) => reserve(ROOM, bidder(`g${n}`, 'greedy'))).filter(wait => wait !== undefined)
    assert.equal(greedy.length, 4)
    assert.equal(reserve(ROOM, bidder('other')), 0, 'who asks for everything leaves something to others')
  })

  it('costs a wait when all run, as long as handlers took', async () => {
    const clock = manualClock()
    const { contract, reserve, release, enter } = createCapacity(clock)
    const never = new AbortController().signal
    const done = enter(ROOM, never, async () => { clock.advance(400) })
    await done
    const waits = ['a', 'b', 'c', 'd', 'e'].map(taskId => {
      const wait = reserve(ROOM, bidder(taskId))
      contract(taskId, 'a.b')
      release(taskId)
      return wait
    })
    assert.deepEqual(waits, [0, 0, 200, 400, 600])
  })
})

describe('handlers', () => {
  it('run as many as may, and the others in the order they came', async () => {
    const { enter, running, queued } = createCapacity(manualClock())
    const never = new AbortController().signal
    const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>())
    const begun: number[] = []
    const all = ends.map(({ promise }, n) => enter(ROOM, never, async () => { begun.push(n); return await promise }))
    await turn()
    assert.deepEqual([begun, running(), queued()], [[0, 1], 2, 3])
    ends[1]?.resolve(1)
    await turn()
    ends[0]?.reject(new Error('it failed'))
    await assert.rejects(all[0] as Promise<number>, /it failed/)
    await turn()
    assert.deepEqual([begun, running(), queued()], [[0, 1, 2, 3], 2, 1])
    for (const [n, { resolve }] of ends.entries()) resolve(n)
    assert.deepEqual(await Promise.all(all.slice(1)), [1, 2, 3, 4])
    assert.deepEqual([running(), queued()], [0, 0])
  })

  it('that wait leave the line when they are aborted, and never run', async () => {
    const { enter, running, queued } = createCapacity(manualClock())
    const [work, gone] = [Promise.withResolvers<void>(), new AbortController()]
    const never = new AbortController().signal
    const first = [1, 2].map(() => enter(ROOM, never, () => work.promise))
    const waiting = enter(ROOM, gone.signal, () => assert.fail('it ran'))
    const last = enter(ROOM, never, async () => 'last')
    await turn()
    assert.equal(queued(), 2)
    gone.abort(new Error('the deadline'))
    await assert.rejects(waiting, /the deadline/)
    assert.equal(queued(), 1)
    work.resolve()
    await Promise.all(first)
    assert.equal(await last, 'last')
    assert.equal(running(), 0)
    await assert.rejects(enter(ROOM, gone.signal, () => assert.fail('it ran')), /the deadline/)
  })

  it('that do not end when they are aborted keep their place for a while, and give it up once', async () => {
    const clock = manualClock()
    const { enter, running } = createCapacity(clock)
    const [deaf, stop] = [Promise.withResolvers<void>(), new AbortController()]
    const room = { ...ROOM, maxConcurrent: 1 }
    const first = enter(room, stop.signal, () => deaf.promise)
    const never = new AbortController().signal
    const work = Promise.withResolvers<void>()
    const second = enter(room, never, () => work.promise)
    stop.abort()
    clock.advance(9_000)
    await turn()
    let began = false
    const third = enter(room, never, async () => { began = true })
    clock.advance(1_001)
    await turn()
    deaf.resolve()
    await first
    await turn()
    assert.deepEqual([running(), began], [1, false], 'the second runs, and the third still waits')
    work.resolve()
    await Promise.all([second, third])
    assert.deepEqual([running(), began], [0, true])
  })
})
