/** Whom a requester prefers after what it has seen, by its own end on a virtual clock. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createReputation } from '../../src/negotiate/reputation.ts'
import { HALF_LIFE_MS } from '../../src/core/reputation.ts'
import { setScene, type Actor } from './scene.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const ASK = ['sim.work', { ask: 1 }, { maxDurationMs: 20_000, leaseMs: 1_000, bidWindowMs: 200, output: {} }, true] as const
/** Bids nothing, and takes what it is given without a word. */
const silent = (envelope: Envelope, actor: Actor): undefined => { if (envelope.type === 'task.announce') actor.bid(envelope) }

it('who fell silent under a contract is not given the next, however little it asks, also after a restart and until it is forgotten', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const bob = host('bob')
  const mal = actor('mal', silent)
  const awarded = (): string[] => seen('told').flatMap(({ event }) => event.event === 'awarded' ? [event.provider] : [])
  const malsCalls = (): number => mal.heard.filter(({ type }) => type === 'task.announce').length
  ada.delegate(...ASK)
  await pass(5_000)
  assert.deepEqual(awarded(), [mal.author.agentId, bob.agentId])
  const calls = malsCalls()

  ada.delegate(...ASK)
  await pass(5_000)
  assert.deepEqual(awarded().slice(2), [bob.agentId])
  assert.equal(malsCalls(), calls, 'who is doubtful is not called when there are others')

  ada.crash()
  ada.boot()
  const before = awarded().length
  ada.delegate(...ASK)
  await pass(5_000)
  assert.deepEqual(awarded().slice(before).filter(provider => provider === mal.author.agentId), [])

  const ended = seen('told').filter(({ event }) => event.event === 'result').map(({ event }) => event.taskId)
  assert.equal(new Set(ended).size, 3)
  await pass(2 * HALF_LIFE_MS)
  const after = malsCalls()
  ada.delegate(...ASK)
  await pass(5_000)
  assert.ok(malsCalls() > after, 'what was long ago is forgotten')
})

it('counts what each provider holds, through every end of a task', () => {
  let at = 0
  const { observe, of, knows } = createReputation({ now: () => at })
  const say = (taskId: string, event: object): void => { observe({ taskId, at: ++at, ...event } as TaskEvent) }
  const failure = { code: 'LEASE_EXPIRED', provider: 'p', silentMs: 1 }
  const open = (): number => of('p').open
  for (const taskId of ['a', 'b', 'c']) say(taskId, { event: 'awarded', provider: 'p', epoch: 1, reason: '', standby: [] })
  assert.equal(open(), 3)
  say('a', { event: 'moved', provider: 'p', epoch: 1, failure })
  say('a', { event: 'awarded', provider: 'q', epoch: 2, reason: '', standby: [] })
  assert.deepEqual([open(), of('q').open], [2, 1])
  say('b', { event: 'failed', failure: { code: 'CANCELLED', taskId: 'b', why: '' } })
  say('c', { event: 'failed', failure: { code: 'DEADLINE_EXCEEDED', taskId: 'c', afterMs: 1 } })
  say('d', { event: 'failed', failure: { code: 'DEADLINE_EXCEEDED', taskId: 'd', afterMs: 1 } })
  assert.equal(open(), 0)
  assert.ok(Math.abs(of('p').broken - 2) < 1e-6, 'a lease expired, and a deadline; the last was nobody’s')
  assert.ok(of('stranger').newcomers < 0.75, 'what newcomers did is held against the next')
  assert.ok(knows('p') && !knows('q'))
})
