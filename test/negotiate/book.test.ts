/** The book of a small machine: it counts to three by itself, once it was told to begin. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createBook, type Machine } from '../../src/negotiate/book.ts'
import type { EventLog } from '../../src/core/ports.ts'

type Count = { n: number }
type Event = { at: number, type: string }
type Effect = { type: 'decide' | 'say', n: number }

const machine: Machine<Count, Event, Effect> = {
  role: 'requester',
  step: ({ n }) => ({ task: { n: n + 1 }, effects: [{ type: 'say', n: n + 1 }, ...(n + 1 < 3 ? [{ type: 'decide' as const, n: n + 1 }] : [])] }),
  wakeAt: ({ n }) => n === 3 ? undefined : Number.MAX_SAFE_INTEGER,
  tick: at => ({ type: 'next', at }),
  passing: () => false,
  patienceMs: () => 0,
  summarise: ({ n }) => ({ capability: 'count', stage: String(n), ended: n === 3 })
}

/** A book whose writes wait for the test. */
function open () {
  const writes: Array<{ type: string, stage: string, resolve: () => void, reject: (error: Error) => void }> = []
  const said: number[] = []
  const takenUp: string[] = []
  const log = {
    append: ({ type }: { type: string }, { stage }: { stage: string }) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      writes.push({ type, stage, resolve, reject })
      return promise
    }
  } as unknown as EventLog
  const book = createBook(machine, {
    agentId: 'a', log, clock: { now: () => 0, after: () => () => {} }, logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    perform: (_taskId, { n }) => { said.push(n) },
    takeUp: taskId => {
      takenUp.push(taskId)
      book.restore(taskId, { n: 0 }, [])
    },
    decide: (_taskId, { type }) => type === 'decide' ? { type: 'next', at: 0 } : undefined
  })
  book.restore('t', { n: 0 }, [])
  return { book, writes, said, takenUp }
}

it('writes what it decides together with what led to it, and acts when all of it is kept', async () => {
  const { book, writes, said } = open()
  const { effects, done } = book.apply('t', { type: 'begin', at: 0 })
  assert.deepEqual(writes.map(({ type, stage }) => [type, stage]), [['begin', '1'], ['next', '2'], ['next', '3']])
  assert.deepEqual(effects.map(({ n }) => n), [1, 2, 3])
  assert.deepEqual(book.get('t'), { n: 3 })
  writes[2]?.resolve()
  writes[1]?.resolve()
  await new Promise(resolve => { setImmediate(resolve) })
  assert.deepEqual(said, [])
  writes[0]?.resolve()
  await done
  assert.deepEqual(said, [1, 2, 3])
})

it('takes back all of it when a part cannot be kept', async () => {
  const { book, writes, said } = open()
  const { done } = book.apply('t', { type: 'begin', at: 0 })
  for (const { reject } of writes) reject(new Error('disk full'))
  await assert.rejects(done, /disk full/)
  assert.deepEqual([book.get('t'), said], [{ n: 0 }, []])
})

it('takes a task up again from the log when something was built on what could not be kept', async () => {
  const { book, writes, said, takenUp } = open()
  book.restore('t', { n: 2 }, [])
  const first = book.apply('t', { type: 'begin', at: 0 })
  const second = book.apply('t', { type: 'more', at: 0 })
  const refused = [assert.rejects(first.done, /disk full/), assert.rejects(second.done, /disk full/)]
  assert.equal(writes.length, 2)
  writes[0]?.reject(new Error('disk full'))
  await new Promise(resolve => { setImmediate(resolve) })
  // Until it is known what became of the second, nothing is built on either.
  await assert.rejects(book.apply('t', { type: 'third', at: 0 }).done, /disk full/)
  assert.deepEqual([writes.length, takenUp], [2, []])
  writes[1]?.resolve()
  await Promise.all(refused)
  assert.deepEqual([takenUp, said, book.get('t')], [['t'], [], { n: 0 }])
  const { done } = book.apply('t', { type: 'begin', at: 0 })
  for (const { resolve } of writes.slice(2)) resolve()
  await done
  assert.deepEqual(said, [1, 2, 3])
})
