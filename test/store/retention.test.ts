/** The log of a node that runs for months: it stays within its bounds, and its appends do not wait for that. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import type { Clock, EventLog } from '../../src/core/ports.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { keepWithin } from '../../src/store/retention.ts'
import { eventOf, summaryOf } from '../promises/event-log.ts'

const AGENT = 'did:key:zA'
const DAY = 86_400_000
const logger = { debug () {}, info () {}, warn () {}, error () {} }

async function createLog (t: TestContext): Promise<{ log: EventLog }> {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-retention-'))
  const file = join(folder, 'log.db')
  const log = await openEventLog({ file, clock: systemClock })
  t.after(async () => {
    await log.close()
    rmSync(folder, { recursive: true })
  })
  return { log }
}

const live = async (log: EventLog, first: number, count: number, at: number): Promise<void> => {
  for (let n = first; n < first + count; n += 100) {
    await Promise.all(Array.from({ length: 100 }, async (_, k) => {
      const taskId = `task-${n + k}`
      await log.append(eventOf({ at, taskId, data: 'x'.repeat(500) }), summaryOf())
      await log.append(eventOf({ at, taskId, type: 'ended' }), summaryOf({ stage: 'settled', ended: true }))
    }))
  }
}

/** A clock whose timers run as soon as the last one has come to its end, and that tells when there is nothing to do. */
function hurriedClock (now: () => number): { clock: Clock, idle: Promise<void> } {
  const idle = Promise.withResolvers<void>()
  return {
    idle: idle.promise,
    clock: {
      now,
      after: (ms, run) => {
        if (ms > 1_000) idle.resolve()
        const timer = ms > 1_000 ? undefined : setImmediate(run)
        return () => { clearImmediate(timer) }
      }
    }
  }
}

it('takes out what is older than it is to keep, and fills the file again before it grows', { timeout: 60_000 }, async t => {
  const { log } = await createLog(t)
  const sizes: number[] = []
  for (let month = 0; month < 4; month++) {
    await live(log, month * 2_000, 2_000, month * 31 * DAY)
    const { clock, idle } = hurriedClock(() => month * 31 * DAY + 1)
    const end = keepWithin({ log, clock, logger, agents: () => [AGENT], keepMs: 30 * DAY })
    await idle
    end()
    sizes.push(log.size().bytes)
    assert.equal(log.tasks().length, 2_000)
  }
  assert.ok((sizes[3] as number) <= (sizes[1] as number) * 1.1, `${sizes.join(', ')} bytes`)
  assert.equal(log.metrics(AGENT)[0]?.completed, 8_000)
})

it('takes out the oldest when it is too large, but none that ended within the hour', { timeout: 60_000 }, async t => {
  const { log } = await createLog(t)
  await live(log, 0, 1_500, 0)
  await live(log, 1_500, 1_500, 2 * 3_600_000)
  const { clock, idle } = hurriedClock(() => 2 * 3_600_000 + 1)
  const end = keepWithin({ log, clock, logger, agents: () => [AGENT], mostBytes: 1 })
  await idle
  end()
  assert.equal(log.tasks().length, 1_500)
})

it('keeps nobody waiting meanwhile', { timeout: 60_000 }, async t => {
  const { log } = await createLog(t)
  await live(log, 0, 4_000, 0)
  const appends = async (until: () => boolean): Promise<number> => {
    const times: number[] = []
    for (let n = 0; !until() || times.length < 100; n++) {
      const begun = performance.now()
      await log.append(eventOf({ at: DAY, taskId: `live-${n % 50}` }), summaryOf())
      times.push(performance.now() - begun)
    }
    return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] as number
  }
  let count = 0
  const alone = await appends(() => count++ > 300)
  const { clock, idle } = hurriedClock(() => 40 * DAY)
  const end = keepWithin({ log, clock, logger, agents: () => [AGENT], keepMs: DAY })
  let isOver = false
  void idle.then(() => { isOver = true })
  const during = await appends(() => isOver)
  end()
  assert.equal(log.tasks({ ended: true }).length, 1_000)
  t.diagnostic(`p99 of an append: ${alone.toFixed(1)} ms alone, ${during.toFixed(1)} ms while tasks were taken out without a pause`)
  assert.ok(during < Math.max(50, 10 * alone), `p99 ${alone} ms, then ${during} ms`)
})
