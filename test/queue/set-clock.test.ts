/** A machine's clock that is set, an hour back or a day ahead, with jobs in the queue. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createSteadyClock, systemClock } from '../../src/core/clock.ts'
import { readJob } from '../../src/queue/letters.ts'
import { createQueue } from '../../src/queue/queue.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import type { Clock } from '../../src/core/ports.ts'

const HOUR_MS = 3_600_000
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

for (const [name, setMs] of [['an hour back', -HOUR_MS], ['a day ahead', 24 * HOUR_MS]] as const) {
  it(`a job expires after as long as was said, also when the clock was set ${name}`, async () => {
    let ahead = 0
    const wall: Clock = { ...systemClock, now: () => systemClock.now() + ahead }
    const clock = createSteadyClock(wall)
    const log = createMemoryLog({ clock })
    let ids = 0
    const queue = createQueue({
      author: { agentId: 'me', newId: () => `id-${++ids}`, now: wall.now }, log, clock, wall, logger: quiet,
      delegate: () => { throw new Error('nobody offers it') },
      attach: () => undefined,
      cancel: async () => {},
      isOffered: async () => false
    })
    const lifeOf = (jobId: string): number => (readJob(log, jobId)?.job.spec.expiresAt ?? 0) - clock.now()
    const before = await queue.enqueue('a.b', 1, { expiresAt: wall.now() + HOUR_MS / 2 })
    ahead = setMs
    const after = await queue.enqueue('a.b', 2, { expiresAt: wall.now() + HOUR_MS / 2, notBefore: wall.now() + 60_000 })
    for (const { id } of [before, after]) assert.ok(Math.abs(lifeOf(id) - HOUR_MS / 2) < 5_000, `${lifeOf(id)} ms are left`)
    queue.close()
  })
}
