import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { createSteadyClock, systemClock } from '../../src/core/clock.ts'

it('runs a timer once, not before its time', async t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 5_000 })
  let runs = 0
  systemClock.after(100, () => runs++)
  t.mock.timers.tick(99)
  assert.deepEqual([systemClock.now(), runs], [5_099, 0])
  t.mock.timers.tick(1_000)
  assert.equal(runs, 1)
})

it('runs no timer that was cancelled, and waits longer than setTimeout can', async t => {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const ran: string[] = []
  const day = 86_400_000
  systemClock.after(60 * day, () => ran.push('60 days'))
  const cancel = systemClock.after(60 * day, () => ran.push('cancelled'))
  for (let days = 0; days < 59; days++) t.mock.timers.tick(day)
  assert.deepEqual(ran, [])
  cancel()
  // The mock sets its clock to the end of a tick before it runs what was due within.
  t.mock.timers.tick(day)
  t.mock.timers.tick(day)
  assert.deepEqual(ran, ['60 days'])
})

it('runs what is due at once in the next turn, unless it was cancelled', async () => {
  const ran: string[] = []
  systemClock.after(0, () => ran.push('now'))
  systemClock.after(-5, () => ran.push('late'))
  systemClock.after(0, () => ran.push('cancelled'))()
  assert.deepEqual(ran, [])
  await new Promise(resolve => { setImmediate(resolve) })
  assert.deepEqual(ran, ['now', 'late'])
})

it('keeps no process alive', { timeout: 10_000 }, () => {
  const clock = join(import.meta.dirname, '../../src/core/clock.ts')
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', `import { createSteadyClock, systemClock } from ${JSON.stringify(clock)}
    systemClock.after(3_600_000, () => {}); console.log('end')`], { encoding: 'utf8' })
  assert.equal(output, 'end\n')
})

it('goes on evenly while the wall clock is set, and begins no earlier than the log ends', () => {
  let [wall, monotonic] = [5_000, 100]
  const clock = { now: () => wall, after: () => () => {} }
  const steady = createSteadyClock(clock, 0, () => monotonic)
  assert.equal(steady.now(), 5_000)
  wall -= 3_600_000
  monotonic += 250.7
  assert.equal(steady.now(), 5_250)
  assert.equal(createSteadyClock(clock, 7_000, () => monotonic).now(), 7_000)
})
