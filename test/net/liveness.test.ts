import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBudget } from '../../src/net/budget.ts'
import { keepAlive } from '../../src/net/liveness.ts'
import { manualClock } from '../identity/support.ts'

const settled = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

function silent (ping: () => Promise<void>) {
  const clock = manualClock()
  const seen = { pings: 0, dead: 0, heardAt: clock.now() }
  const stop = keepAlive({
    clock,
    heardAt: () => seen.heardAt,
    wanted: () => false,
    idleMs: () => 15_000,
    ping: () => { seen.pings++; return ping() },
    onDead: () => { seen.dead++ }
  })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(1_000)
      await settled()
    }
  }
  return { clock, seen, stop, pass }
}

test('a channel that hears nothing is dead after two pings without answer', async () => {
  const { seen, pass, clock } = silent(() => Promise.reject(new Error('no answer')))
  await pass(60_000)
  assert.deepEqual([seen.pings, seen.dead], [2, 1])
  assert.equal(clock.pending(), 0)
})

test('a silent channel whose pings are answered stays', async () => {
  const { seen, pass } = silent(() => Promise.resolve())
  await pass(120_000)
  assert.ok(seen.pings >= 5)
  assert.equal(seen.dead, 0)
})

test('a channel that is used is not asked', async () => {
  const { seen, pass, clock } = silent(() => Promise.resolve())
  for (let i = 0; i < 20; i++) {
    seen.heardAt = clock.now()
    await pass(5_000)
  }
  assert.equal(seen.pings, 0)
})

test('nothing is asked of what has been closed', async () => {
  const { seen, pass, stop, clock } = silent(() => Promise.resolve())
  stop()
  await pass(60_000)
  assert.equal(seen.pings, 0)
  assert.equal(clock.pending(), 0)
})

test('a budget gives its burst at once, then its rate', () => {
  const clock = manualClock()
  const budget = createBudget(10, 5, clock.now)
  assert.deepEqual(Array.from({ length: 6 }, () => budget.take()), [true, true, true, true, true, false])
  assert.equal(budget.waitMs(2), 200)
  clock.advance(200)
  assert.deepEqual([budget.take(), budget.take(), budget.take()], [true, true, false])
  clock.jump(-5_000)
  assert.equal(budget.take(), false)
  clock.advance(60_000)
  assert.equal(Array.from({ length: 9 }, () => budget.take()).filter(Boolean).length, 5)
})
