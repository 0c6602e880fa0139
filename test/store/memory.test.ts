import assert from 'node:assert/strict'
import { it } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { createMemoryDisk, createMemoryLog } from '../../src/store/memory.ts'
import { eventOf, logKeepsItsPromises, summaryOf } from '../promises/event-log.ts'

logKeepsItsPromises('in memory', async () => {
  const disk = createMemoryDisk()
  const log = createMemoryLog({ clock: systemClock, disk })
  return { log, reopen: async () => createMemoryLog({ clock: systemClock, disk }), end: () => log.close() }
})

it('a log in memory that was killed commits nothing more, and its successor has what was acknowledged', async () => {
  const disk = createMemoryDisk()
  const timers: Array<() => void> = []
  const clock = { now: () => 0, after: (_ms: number, run: () => void) => (timers.push(run), () => {}) }
  const killed = createMemoryLog({ clock, disk, commitMs: 5 })
  const acknowledged = killed.append(eventOf({ data: 'acknowledged' }), summaryOf())
  timers.shift()?.()
  assert.equal((await acknowledged).position, 1)
  void killed.append(eventOf({ data: 'never acknowledged' }), summaryOf())

  const successor = createMemoryLog({ clock, disk })
  timers.shift()?.()
  await successor.append(eventOf({ data: 'after' }), summaryOf())
  assert.deepEqual(successor.eventsOf('requester', 'task-1').map(event => event.data), ['acknowledged', 'after'])
})
