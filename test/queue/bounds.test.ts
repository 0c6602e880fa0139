/** What the queue does at its bounds and when the disk refuses, with a log in memory and delegations that end as the test says. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createQueue, type Queue } from '../../src/queue/queue.ts'
import { createFeed } from '../../src/negotiate/work.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import { QUEUE } from '../../src/queue/limits.ts'
import { A2aError, type Failure } from '../../src/core/errors.ts'
import { systemClock as clock } from '../../src/core/clock.ts'
import type { Work } from '../../src/core/agent.ts'
import type { EventLog } from '../../src/core/ports.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const NO: Failure = { code: 'HANDLER_FAILED', capability: 'a.b', why: 'no', retryable: false }
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

interface Stage { queue: Queue, log: EventLog, delegated: string[], warned: string[], disk: { full: boolean }, refused: PromiseWithResolvers<void> }

/** @param end what comes of an attempt, after it was awarded; nothing at all when it is left open */
function setStage (end?: Partial<TaskEvent>): Stage {
  const kept = createMemoryLog({ clock })
  const disk = { full: false }
  const delegated: string[] = []
  const warned: string[] = []
  let ids = 0
  const refused = Promise.withResolvers<void>()
  const refuse = async (): Promise<never> => {
    refused.resolve()
    throw new A2aError({ code: 'LOG_WRITE_FAILED', file: 'log.db', why: 'disk is full' })
  }
  const log: EventLog = { ...kept, append: async (...event) => disk.full ? await refuse() : await kept.append(...event) }
  const queue = createQueue({
    author: { agentId: 'me', newId: () => `id-${++ids}`, now: clock.now }, log, clock,
    logger: { ...quiet, warn: what => { warned.push(what) } },
    delegate: (_capability, _input, _options, { taskId, jobId }) => {
      delegated.push(jobId)
      const feed = createFeed()
      const at = clock.now()
      if (end !== undefined) {
        feed.push({ taskId, seq: 1, at, event: 'awarded', provider: 'p', epoch: 1, reason: '', standby: [] })
        feed.push({ taskId, at, ...end } as TaskEvent)
      }
      return feed as unknown as Work
    },
    attach: () => undefined,
    cancel: async () => {},
    isOffered: async () => true
  })
  return { queue, log, delegated, warned, disk, refused }
}

const stayAlive = (): Disposable => {
  const timer = setInterval(() => {}, 60_000)
  return { [Symbol.dispose]: () => { clearInterval(timer) } }
}

it('acknowledges nothing that the disk refuses, and goes on when there is space', async () => {
  const { queue, log, delegated, disk } = setStage({ event: 'failed', failure: NO })
  disk.full = true
  for (const options of [{}, { idempotencyKey: 'k' }]) await assert.rejects(queue.enqueue('a.b', 1, options), { code: 'LOG_WRITE_FAILED' })
  assert.deepEqual([queue.counts(), log.tasks(), delegated], [{ waiting: 0, running: 0, dead: 0 }, [], []])
  disk.full = false
  const job = await queue.enqueue('a.b', 1, { idempotencyKey: 'k' })
  await assert.rejects(job.result, { code: 'DEAD_LETTER' })
  assert.deepEqual(delegated, [job.id])
  queue.close()
})

it('begins no attempt that could not be counted, and keeps what became of one until the disk takes it', async () => {
  const { queue, delegated, disk, refused } = setStage({ event: 'failed', failure: NO })
  // The clock's timers let a process end.
  using _ = stayAlive()
  const job = await queue.enqueue('a.b', 1, { notBefore: clock.now() + 50 })
  disk.full = true
  await refused.promise
  assert.deepEqual(delegated, [])
  disk.full = false
  await assert.rejects(job.result, { code: 'DEAD_LETTER' })
  assert.deepEqual(delegated, [job.id])
  queue.close()
})

it('attempts so many at once, and refuses what is too much', async () => {
  const { queue, delegated } = setStage()
  await Promise.all(Array.from({ length: QUEUE.open }, (_, n) => queue.enqueue(`lane.n${n % 10}`, n)))
  await assert.rejects(queue.enqueue('a.b', 1), { code: 'OVERLOADED' })
  await assert.rejects(queue.enqueue('a.b', 1, { idempotencyKey: 'k' }), { code: 'OVERLOADED' })
  assert.equal(delegated.length, QUEUE.running)
  assert.deepEqual(queue.counts(), { waiting: QUEUE.open - QUEUE.running, running: QUEUE.running, dead: 0 })
  queue.close()
})

it('keeps so many dead letters, drops the oldest beyond, and says so', async () => {
  const { queue, warned } = setStage({ event: 'failed', failure: NO })
  const first = await queue.enqueue('a.b', 0)
  await assert.rejects(first.result, { code: 'DEAD_LETTER' })
  const jobs = await Promise.all(Array.from({ length: QUEUE.dead }, (_, n) => queue.enqueue('a.b', n)))
  await Promise.all(jobs.map(({ result }) => assert.rejects(result, { code: 'DEAD_LETTER' })))
  assert.equal(queue.counts().dead, QUEUE.dead)
  assert.ok(!queue.dead.list().some(({ jobId }) => jobId === first.id))
  assert.deepEqual(warned, ['too many dead letters: the oldest is dropped'])
  queue.close()
})
