/** Breakers, slots and the nudge in real agents: what a requester meets, and what `status` shows. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { CAPABILITY, forever, setScene, type Scene, type Worker } from '../patterns/support.ts'
import { A2aError, type TaskEvent } from '../../src/index.ts'

describe('an agent', () => {
  let scene: Scene
  let ann: Worker
  const warnings: string[] = []

  before(async () => {
    scene = await setScene(['ann'], { debug: () => {}, info: () => {}, warn: what => { warnings.push(what) }, error: what => { warnings.push(what) } })
    ;[ann] = scene.workers as [Worker]
  })
  after(() => scene[Symbol.asyncDispose]())

  const ask = async (input: unknown = null, maxDurationMs = 10_000): Promise<TaskEvent[]> => {
    const events: TaskEvent[] = []
    for await (const event of scene.asker.delegate(CAPABILITY, input, { maxDurationMs })) events.push(event)
    return events
  }
  const status = () => ann.agent.node.status().agents.find(({ agentId }) => agentId === ann.agent.id)

  it('is asked as ever after any number of inputs that it refuses', async () => {
    ann.play = () => { throw new A2aError({ code: 'HANDLER_FAILED', capability: CAPABILITY, why: 'no such customer', retryable: false }) }
    for (let i = 0; i < 7; i++) assert.equal((await ask()).at(-1)?.event, 'failed')
    assert.deepEqual([ann.begun, status()?.breakers], [7, []])
    ann.play = () => 'fine'
    assert.equal((await ask()).at(-1)?.event, 'result')
  })

  it('makes no bid once its handler has failed five times in a row, says why, and shows it', async () => {
    ann.begun = 0
    ann.play = () => { throw new Error('the database is gone') }
    // No longer than it takes: the pause is 0.5 s at least.
    const until = async (last: TaskEvent['event']): Promise<TaskEvent[]> => {
      const events: TaskEvent[] = []
      const work = scene.asker.delegate(CAPABILITY, null)
      for await (const event of work) if (events.push(event) > 0 && event.event === last) break
      await work.cancel()
      return events
    }
    for (let i = 0; i < 5; i++) await until('moved')
    const events = await until('passed')
    assert.equal(ann.begun, 5)
    assert.match(events.flatMap(event => event.event === 'passed' ? [event.reason] : [])[0] ?? '', /circuit breaker of opinion\.text\.give is open.*the database is gone/)
    const [row, ...others] = status()?.breakers ?? []
    assert.deepEqual(others, [])
    assert.deepEqual({ ...row, retryMs: 0 }, { of: 'capability', name: CAPABILITY, state: 'open', failures: 5, retryMs: 0, last: `the handler of ${CAPABILITY} failed: the database is gone` })
    assert.ok(warnings.includes('a circuit breaker has opened'))
    ann.play = () => 'fine'
    while ((await ask()).at(-1)?.event !== 'result');
    assert.deepEqual(status()?.breakers, [])
  })

  it('does not give all slots of a capability to one caller while another waits', async () => {
    const second = await scene.node.createAgent({ name: 'second' })
    const ends: Array<() => void> = []
    await using _ = await ann.agent.provide('slots.few.take', {
      maxConcurrent: 2, queue: 0,
      run: () => new Promise<string>(resolve => { ends.push(() => { resolve('done') }) })
    })
    const take = (agent: typeof second): Promise<unknown> => agent.delegate('slots.few.take', null, { maxDurationMs: 20_000 }).result
    const greedy: Array<Promise<unknown>> = [take(scene.asker), take(scene.asker)]
    await scene.until(() => true)
    const row = () => status()?.slots.find(({ capability }) => capability === 'slots.few.take')
    for await (const event of scene.asker.delegate('slots.few.take', null, { maxDurationMs: 500 })) if (event.event === 'passed') assert.match(event.reason, /^(busy: 2 tasks may run|too many tasks at work or waiting \(limit 2\))/)
    assert.deepEqual(row(), { capability: 'slots.few.take', taken: 2, limit: 2, callers: 1 })
    const waiting = second.delegate('slots.few.take', null, { maxDurationMs: 20_000 })
    for await (const event of waiting) {
      if (event.event !== 'passed') continue
      ends.shift()?.()
      await greedy.shift()
      break
    }
    // The greedy one is first, and gets nothing for it.
    const late = scene.asker.delegate('slots.few.take', null, { maxDurationMs: 20_000 })
    const passed = Promise.withResolvers<string>()
    void (async () => { for await (const event of late) if (event.event === 'passed') passed.resolve(event.reason) })()
    assert.match(await passed.promise, /one caller while others wait/)
    for await (const event of waiting) if (event.event === 'accepted') break
    assert.equal(row()?.callers, 2)
    while (ends.length > 0) ends.shift()?.()
    await waiting.result
    await Promise.all(greedy)
    await late.cancel()
  })

  it('is told once, in a word, that it offers much', async () => {
    const offered = await Promise.all(Array.from({ length: 6 }, (_, i) => scene.asker.provide(`many.things.t${i}`, { run: forever as never })))
    assert.deepEqual(warnings.filter(warning => /more than 5 capabilities/.test(warning)).length, 1)
    for (const each of offered) await each[Symbol.asyncDispose]()
    await scene.asker.provide('many.things.more', { run: forever as never })
    assert.deepEqual(warnings.filter(warning => /more than 5 capabilities/.test(warning)).length, 1)
  })
})
