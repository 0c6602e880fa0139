/** What every event log promises, whatever it keeps its events on. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { EventLog, LogEvent, ReceiptEntry, TaskSummary } from '../../src/core/ports.ts'

export interface LogUnderTest {
  log: EventLog
  /** Another log over what this one has committed, as after a restart. */
  reopen: () => Promise<EventLog>
  end: () => Promise<void>
}

type NewEvent = Omit<LogEvent, 'position'>

export const eventOf = (event: Partial<NewEvent> = {}): NewEvent =>
  ({ at: 1_000, agent: 'did:key:zA', role: 'requester', taskId: 'task-1', type: 'announced', data: { round: 1 }, ...event })

export const summaryOf = (summary: Partial<TaskSummary> = {}): TaskSummary =>
  ({ capability: 'data.sum', stage: 'announced', ended: false, ...summary })

const hashOf = (n: number) => new Uint8Array(32).fill(n)

const receiptOf = (n: number, entry: Partial<ReceiptEntry> = {}): ReceiptEntry =>
  ({ agent: 'did:key:zA', taskId: `task-${n}`, epoch: 1, at: n, previous: hashOf(n - 1), hash: hashOf(n), statement: Uint8Array.of(n), ...entry })

export function logKeepsItsPromises (name: string, open: () => Promise<LogUnderTest>): void {
  const promises = (what: string, run: (under: LogUnderTest) => Promise<void>) => it(what, async () => {
    const under = await open()
    try {
      await run(under)
    } finally {
      await under.end()
    }
  })

  const endTask = async (log: EventLog, taskId: string, startedAt: number, endedAt: number, end: Partial<TaskSummary>, about: Partial<NewEvent> = {}) => {
    await log.append(eventOf({ taskId, at: startedAt, ...about }), summaryOf())
    await log.append(eventOf({ taskId, at: endedAt, type: 'ended', ...about }), summaryOf({ ended: true, ...end }))
  }

  describe(`the event log ${name}`, () => {
    promises('gives back the events of a task as they were, oldest first', async ({ log }) => {
      const data = { text: 'ü\u0000"', list: [1, null], nested: { yes: true } }
      await log.append(eventOf({ type: 'a', data }), summaryOf())
      await log.append(eventOf({ type: 'other', taskId: 'task-2' }), summaryOf())
      await log.append(eventOf({ type: 'other', role: 'provider' }), summaryOf())
      await log.append(eventOf({ type: 'b', at: 900, data: undefined }), summaryOf())
      assert.deepEqual(log.eventsOf('requester', 'task-1'), [
        { ...eventOf({ type: 'a', data }), position: 1 },
        { ...eventOf({ type: 'b', at: 900, data: null }), position: 4 }
      ])
      assert.deepEqual(log.eventsOf('provider', 'task-9'), [])
    })

    promises('keeps a patient write by itself, and before what comes after it', async ({ log }) => {
      assert.equal((await log.append(eventOf({ type: 'alone' }), summaryOf(), { patienceMs: 10 })).position, 1)
      const order: string[] = []
      const first = log.append(eventOf({ type: 'first' }), summaryOf(), { patienceMs: 10 }).then(() => order.push('first'))
      await log.append(eventOf({ type: 'second' }), summaryOf()).then(() => order.push('second'))
      await first
      assert.deepEqual(order, ['first', 'second'])
      assert.deepEqual(log.eventsOf('requester', 'task-1').map(({ type }) => type), ['alone', 'first', 'second'])
    })

    promises('shares no objects with its callers', async ({ log }) => {
      const data = { round: 1 }
      const value = Uint8Array.of(1)
      const writes = [log.append(eventOf({ data }), summaryOf()), log.values.set('v', value)]
      data.round = 2
      value[0] = 2
      await Promise.all(writes)
      assert.deepEqual(log.eventsOf('requester', 'task-1')[0]?.data, { round: 1 })
      assert.deepEqual(log.values.get('v'), Uint8Array.of(1))
      log.values.get('v')?.fill(9)
      assert.deepEqual(log.values.get('v'), Uint8Array.of(1))
    })

    promises('numbers events from 1 without gaps, in the order of the appends, also after a restart', async ({ log, reopen }) => {
      const appended = await Promise.all(Array.from({ length: 3_000 }, (_, n) => log.append(eventOf({ taskId: `task-${n % 7}`, data: n }), summaryOf())))
      assert.deepEqual(appended.map(event => [event.position, event.data]), Array.from({ length: 3_000 }, (_, n) => [n + 1, n]))
      const again = await reopen()
      assert.equal((await again.append(eventOf(), summaryOf())).position, 3_001)
      assert.equal(again.eventsOf('requester', 'task-0').length, 429)
    })

    promises('shows an event once it is acknowledged, and not before', async ({ log }) => {
      const append = log.append(eventOf(), summaryOf())
      assert.equal(log.task('requester', 'task-1'), undefined)
      assert.deepEqual(log.eventsOf('requester', 'task-1'), [])
      await append
      assert.equal(log.eventsOf('requester', 'task-1').length, 1)
    })

    promises('keeps how each task stands, and when it began', async ({ log, reopen }) => {
      await log.append(eventOf({ at: 10 }), summaryOf())
      await log.append(eventOf({ at: 25.5 }), summaryOf({ stage: 'awarded', counterpart: 'did:key:zB', epoch: 2, cost: 1.5 }))
      const row = { taskId: 'task-1', agent: 'did:key:zA', role: 'requester', createdAt: 10, updatedAt: 25.5, capability: 'data.sum', stage: 'awarded', ended: false, counterpart: 'did:key:zB', epoch: 2, cost: 1.5 }
      assert.deepEqual(log.task('requester', 'task-1'), row)
      assert.equal(log.task('provider', 'task-1'), undefined)
      assert.deepEqual((await reopen()).tasks(), [row])
    })

    promises('tells the tasks of two agents apart that have the same role in one task', async ({ log }) => {
      await log.append(eventOf({ role: 'provider', agent: 'did:key:zA' }), summaryOf({ stage: 'bidding' }))
      await log.append(eventOf({ role: 'provider', agent: 'did:key:zB' }), summaryOf({ stage: 'lost', ended: true }))
      assert.deepEqual(log.tasks({ agent: 'did:key:zA' }).map(row => row.stage), ['bidding'])
      assert.equal(log.task('provider', 'task-1')?.agent, 'did:key:zB')
    })

    promises('lists tasks newest first, by agent, role and whether they ended', async ({ log }) => {
      for (let n = 1; n <= 4; n++) await log.append(eventOf({ taskId: `task-${n}`, at: 100 - n, role: n === 4 ? 'provider' : 'requester' }), summaryOf())
      await log.append(eventOf({ taskId: 'task-1' }), summaryOf({ ended: true }))
      await log.append(eventOf({ taskId: 'task-5', agent: 'did:key:zB' }), summaryOf())
      const ids = (query?: Parameters<EventLog['tasks']>[0]) => log.tasks(query).map(row => row.taskId.slice(5)).join('')
      assert.equal(ids(), '54321')
      assert.equal(ids({ limit: 2 }), '54')
      assert.equal(ids({ agent: 'did:key:zA' }), '4321')
      assert.equal(ids({ role: 'requester', ended: false }), '532')
      assert.equal(ids({ agent: 'did:key:zA', ended: true, limit: 9 }), '1')
    })

    promises('keeps which task another is part of, and what was spent under it', async ({ log, reopen }) => {
      await log.append(eventOf({ taskId: 'child' }), summaryOf({ parent: 'task-1' }))
      await log.append(eventOf({ taskId: 'other' }), summaryOf())
      await log.append(eventOf({ taskId: 'child' }), summaryOf({ parent: 'task-1', ended: true, cost: 1, spent: 2.5 }))
      const children = ({ tasks }: EventLog) => tasks({ parent: 'task-1' }).map(({ taskId, parent, cost, spent }) => [taskId, parent, cost, spent])
      assert.deepEqual(children(log), [['child', 'task-1', 1, 2.5]])
      assert.deepEqual(children(await reopen()), [['child', 'task-1', 1, 2.5]])
    })

    promises('sums up what was paid and earned, by capability and counterpart, the dearest first', async ({ log, reopen }) => {
      const [b, c] = ['did:key:zB', 'did:key:zC']
      for (const [i, counterpart] of [b, c, b].entries()) await endTask(log, `paid-${i}`, 0, 1, { stage: 'settled', counterpart, cost: 2 })
      await endTask(log, 'earned', 0, 1, { stage: 'settled', counterpart: c, cost: 9 }, { role: 'provider' })
      await endTask(log, 'free', 0, 1, { stage: 'settled', counterpart: c, cost: 0 })
      await log.append(eventOf({ taskId: 'open' }), summaryOf({ cost: 50 }))
      const common = { role: 'requester', capability: 'data.sum' }
      const expected = [{ ...common, role: 'provider', counterpart: c, tasks: 1, cost: 9 }, { ...common, counterpart: b, tasks: 2, cost: 4 }, { ...common, counterpart: c, tasks: 1, cost: 2 }]
      assert.deepEqual(log.costs('did:key:zA'), expected)
      assert.deepEqual((await reopen()).costs('did:key:zA', 1), expected.slice(0, 1))
    })

    promises('makes an interaction of each ended task, and of no job, newest first', async ({ log }) => {
      await endTask(log, 'done', 100, 130, { stage: 'settled', counterpart: 'did:key:zB', cost: 2 })
      await endTask(log, 'bad', 100, 150, { stage: 'failed', failure: 'NO_BIDS' })
      await endTask(log, 'off', 100, 90, { stage: 'cancelled' })
      await endTask(log, 'off2', 100, 160, { stage: 'failed', failure: 'CANCELLED' }, { role: 'provider' })
      await endTask(log, 'job', 1, 2, { stage: 'settled' }, { role: 'job' })
      await log.append(eventOf({ taskId: 'open' }), summaryOf())
      await endTask(log, 'others', 1, 2, { stage: 'settled' }, { agent: 'did:key:zB' })
      const common = { role: 'requester', capability: 'data.sum' }
      assert.deepEqual(log.interactions('did:key:zA'), [
        { ...common, role: 'provider', at: 160, taskId: 'off2', outcome: 'cancelled', failure: 'CANCELLED', durationMs: 60 },
        { ...common, at: 90, taskId: 'off', outcome: 'cancelled', durationMs: 0 },
        { ...common, at: 150, taskId: 'bad', outcome: 'failed', failure: 'NO_BIDS', durationMs: 50 },
        { ...common, at: 130, taskId: 'done', counterpart: 'did:key:zB', outcome: 'completed', durationMs: 30, cost: 2 }
      ])
      assert.deepEqual(log.interactions('did:key:zA', 1).map(done => done.taskId), ['off2'])
    })

    promises('counts all ended tasks, and takes percentiles over the last 1,000 of a role', async ({ log, reopen }) => {
      assert.deepEqual(log.metrics('did:key:zA'), [])
      // The 200 oldest take an hour: none of them may be in the percentiles.
      await Promise.all(Array.from({ length: 1_200 }, (_, n) => endTask(log, `task-${n}`, 0, n < 200 ? 3_600_000 : n - 199, { stage: n === 0 ? 'failed' : 'settled', cost: 2 })))
      await log.append(eventOf({ taskId: 'open' }), summaryOf({ cost: 50 }))
      await endTask(log, 'p', 0, 7, { stage: 'cancelled' }, { role: 'provider' })
      const expected = [
        { role: 'requester', completed: 1_199, failed: 1, cancelled: 0, open: 1, p50Ms: 500, p99Ms: 990, totalCost: 2_400 },
        { role: 'provider', completed: 0, failed: 0, cancelled: 1, open: 0, p50Ms: 7, p99Ms: 7, totalCost: 0 }
      ]
      assert.deepEqual(log.metrics('did:key:zA'), expected)
      assert.equal(log.interactions('did:key:zA').length, 1_000)
      assert.deepEqual((await reopen()).metrics('did:key:zA'), expected)
    })

    promises('takes out old ended tasks, and leaves counters, receipts and the last 1,000 as they were', async ({ log, reopen }) => {
      const agent = 'did:key:zA'
      await log.append(eventOf({ taskId: 'open', at: 0 }), summaryOf())
      await Promise.all(Array.from({ length: 1_050 }, (_, n) => endTask(log, `task-${n}`, n, n + n % 90, n % 7 === 0 ? { stage: 'failed', failure: 'NO_BIDS' } : { stage: 'settled', cost: 2 })))
      // Jobs of the queue leave it as well, but for those that are open: a dead letter is.
      await log.append(eventOf({ taskId: 'dead', role: 'job', at: 0 }), summaryOf({ stage: 'dead', failure: 'NO_BIDS' }))
      await Promise.all(Array.from({ length: 1_010 }, (_, n) => endTask(log, `job-${n}`, n, n, { stage: 'settled' }, { role: 'job' })))
      await log.chain.append(receiptOf(1))
      const before = { metrics: log.metrics(agent), interactions: log.interactions(agent), receipts: log.chain.list(agent) }
      const pruneAll = async (endedBefore: number): Promise<number> => {
        let pruned = 0
        for (let lot = 1; lot > 0; pruned += lot) lot = await log.prune(agent, endedBefore)
        return pruned
      }
      assert.equal(await pruneAll(-1), 0)
      assert.equal(await pruneAll(1_000_000), 60)
      const check = (after: EventLog): void => {
        assert.deepEqual({ metrics: after.metrics(agent), interactions: after.interactions(agent), receipts: after.chain.list(agent) }, before)
        assert.equal(after.tasks().length, 2_002)
        assert.equal(after.task('job', 'dead')?.stage, 'dead')
        assert.equal(after.eventsOf('job', 'dead').length, 1)
        assert.equal(after.task('job', 'job-9'), undefined)
        assert.deepEqual(after.eventsOf('job', 'job-9'), [])
        assert.equal(after.eventsOf('job', 'job-10').length, 2)
        assert.equal(after.task('requester', 'open')?.stage, 'announced')
        assert.deepEqual(after.eventsOf('requester', 'task-0'), [])
        assert.equal(after.eventsOf('requester', 'task-1049').length, 2)
      }
      check(log)
      check(await reopen())
    })

    promises('links the receipts of an agent, oldest first', async ({ log, reopen }) => {
      assert.deepEqual(log.chain.head('did:key:zA'), hashOf(0))
      await log.chain.append(receiptOf(1))
      await log.chain.append(receiptOf(1, { agent: 'did:key:zB', taskId: 'shared' }))
      await log.chain.append(receiptOf(2, { taskId: 'task-1', countersignature: Uint8Array.of(7) }))
      const again = await reopen()
      assert.deepEqual(again.chain.head('did:key:zA'), hashOf(2))
      assert.deepEqual(again.chain.list('did:key:zA'), [receiptOf(1), receiptOf(2, { taskId: 'task-1', countersignature: Uint8Array.of(7) })])
      assert.deepEqual(again.chain.list('did:key:zA', { limit: 1 }), [receiptOf(1)])
      assert.deepEqual(again.chain.list('did:key:zB', { taskId: 'shared' }), [receiptOf(1, { agent: 'did:key:zB', taskId: 'shared' })])
      assert.deepEqual(again.chain.list('did:key:zB', { taskId: 'task-1' }), [])
    })

    promises('takes one of two receipts that follow the same one, also when both are queued at once', async ({ log }) => {
      const rival = receiptOf(1, { hash: hashOf(99) })
      const [first, second, third] = await Promise.allSettled([log.chain.append(receiptOf(1)), log.chain.append(rival), log.chain.append(receiptOf(2))])
      assert.equal(first.status, 'fulfilled')
      assert.equal(third.status, 'fulfilled')
      assert.equal(second.status, 'rejected')
      assert.equal(second.reason.code, 'INTERNAL')
      assert.match(second.reason.message, /6363636363636363 .* follows 0000000000000000, but the newest of its chain is 0101010101010101/)
      assert.deepEqual(log.chain.list('did:key:zA'), [receiptOf(1), receiptOf(2)])
    })

    promises('adds a countersignature to a receipt that is there, and changes nothing else', async ({ log }) => {
      await log.chain.append(receiptOf(1))
      await log.chain.append(receiptOf(2))
      await log.chain.append(receiptOf(1, { statement: Uint8Array.of(66), at: 66, countersignature: Uint8Array.of(7) }))
      await log.chain.append(receiptOf(1))
      assert.deepEqual(log.chain.list('did:key:zA'), [receiptOf(1, { countersignature: Uint8Array.of(7) }), receiptOf(2)])
      assert.deepEqual(log.chain.head('did:key:zA'), hashOf(2))
    })

    promises('keeps values under any key, and lists those with a prefix in order', async ({ log, reopen }) => {
      const keys = ['a%b', 'a%', 'axb', 'a_', 'a', 'A', 'a\u0000', 'a/\uffff', 'a/\u{10ffff}', 'a/\u{1f600}', 'b', '']
      for (const [n, key] of keys.entries()) await log.values.set(key, Uint8Array.of(n))
      const again = await reopen()
      const list = (prefix: string) => again.values.list(prefix).map(([key]) => key)
      assert.deepEqual(list('a%'), ['a%', 'a%b'])
      assert.deepEqual(list('a_'), ['a_'])
      assert.deepEqual(list('a/'), ['a/\uffff', 'a/\u{1f600}', 'a/\u{10ffff}'])
      assert.deepEqual(list('a\u0000'), ['a\u0000'])
      assert.deepEqual(list(''), keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
      assert.deepEqual(again.values.list('axb'), [['axb', Uint8Array.of(2)]])
      await assert.rejects(again.values.set('\ud800', Uint8Array.of(1)), { code: 'INTERNAL' })
    })

    promises('replaces and deletes values, and keeps empty ones', async ({ log }) => {
      await log.values.set('v', Uint8Array.of(1, 2))
      await log.values.set('v', new Uint8Array())
      assert.deepEqual(log.values.get('v'), new Uint8Array())
      await log.values.delete('v')
      await log.values.delete('never there')
      assert.equal(log.values.get('v'), undefined)
    })

    promises('commits what is queued when it is closed, and refuses what comes later', async ({ log, reopen }) => {
      const queued = Array.from({ length: 2_000 }, () => log.append(eventOf(), summaryOf()))
      const closed = log.close()
      await assert.rejects(log.append(eventOf(), summaryOf()), { code: 'LOG_WRITE_FAILED' })
      await assert.rejects(log.values.set('v', Uint8Array.of(1)), { code: 'LOG_WRITE_FAILED' })
      await closed
      await log.close()
      assert.equal((await Promise.all(queued)).at(-1)?.position, 2_000)
      assert.throws(() => log.tasks(), { code: 'INTERNAL' })
      assert.equal((await reopen()).eventsOf('requester', 'task-1').length, 2_000)
    })

    promises('rejects an event that is not JSON, and takes the others that came with it', async ({ log }) => {
      const [good, bad, after] = await Promise.allSettled([log.append(eventOf(), summaryOf()), log.append(eventOf({ data: 1n }), summaryOf()), log.append(eventOf(), summaryOf())])
      assert.deepEqual([good.status, bad.status, after.status], ['fulfilled', 'rejected', 'fulfilled'])
      assert.deepEqual(log.eventsOf('requester', 'task-1').map(event => event.position), [1, 2])
    })

    promises('is not overrun: refuses writes beyond what it can hold queued', async ({ log }) => {
      const writes = await Promise.allSettled(Array.from({ length: 65_537 }, () => log.values.delete('v')))
      assert.equal(writes.filter(write => write.status === 'rejected').length, 1)
      const last = writes.at(-1)
      assert.equal(last?.status === 'rejected' && last.reason.code, 'OVERLOADED')
    })
  })
}
