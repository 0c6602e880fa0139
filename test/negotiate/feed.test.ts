/** The feed of a task: any number of readers, each from where it likes and at its own pace. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createFeed, type EventFeed } from '../../src/negotiate/work.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const KEEP = 4_096
const part = (seq: number): TaskEvent => ({ taskId: 't', seq, at: seq, event: 'artifact', provider: 'p', epoch: 1, name: 'n', mediaType: 'x/y', data: new Uint8Array(1_024), append: false, last: false })
const end = (seq: number): TaskEvent => ({ taskId: 't', seq, at: seq, event: 'failed', failure: { code: 'NO_BIDS', capability: 'a.b', asked: 0, rounds: 1 } as never })

/** A feed with a log behind it that has one event more than was told. */
function feedWithLog () {
  const log: TaskEvent[] = []
  let read = 0
  const feed: EventFeed = createFeed({
    keepBytes: KEEP,
    past: function * () {
      for (let place = 0; place < log.length; place++) {
        read++
        yield log[place] as TaskEvent
      }
    }
  })
  const push = (event: TaskEvent): void => {
    if (log.length < event.seq) log.push(event)
    log.push({ ...event, seq: event.seq + 1 })
    log.length = event.seq + 1
    feed.push(event)
  }
  return { feed, push, read: () => read }
}

async function seqsOf (events: AsyncIterable<TaskEvent>, most = Infinity): Promise<number[]> {
  const seqs: number[] = []
  for await (const { seq } of events) if (seqs.push(seq) >= most) break
  return seqs
}
const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

it('a reader who is far behind is told all of it out of the log, and no more than was told', async () => {
  const { feed, push, read } = feedWithLog()
  const slow = feed.after(0)
  for (let seq = 1; seq <= 100; seq++) push(part(seq))
  assert.deepEqual((await slow.next()).value.seq, 1)
  assert.ok(read() > 0, 'it is not in memory any more')
  for (let seq = 101; seq <= 200; seq++) push(part(seq))
  assert.deepEqual(await seqsOf(slow, 199), upTo(200, 2))
  const [before, fresh] = [read(), feed.after(199)]
  assert.equal((await fresh.next()).value.seq, 200)
  assert.equal(read(), before, 'who keeps up is told from memory')
  const next = fresh.next()
  push(end(201))
  assert.equal((await next).value.seq, 201)
  assert.equal((await fresh.next()).done, true)
  assert.deepEqual(await seqsOf(feed.after(150)), upTo(201, 151))
  assert.deepEqual(await seqsOf(feed.after(201)), [])
})

it('a signal ends the reading of who waits, and nobody else', async () => {
  const { feed, push } = feedWithLog()
  push(part(1))
  const left = new AbortController()
  const [leaves, stays] = [feed.after(1, left.signal), feed.after(1)]
  const [gone, told] = [leaves.next(), stays.next()]
  left.abort()
  assert.equal((await gone).done, true)
  push(part(2))
  assert.equal((await told).value.seq, 2)
})
