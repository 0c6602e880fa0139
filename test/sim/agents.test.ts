/** Agents of others in the simulator. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_FAULTS, simulate, type BuildAgent, type SimulationOptions } from '../../src/testing/index.ts'

const TASK = { at: 100, by: 'asker', capability: 'text.upper', input: 'hello' }
const asker: BuildAgent = () => {}
const run = (worker: BuildAgent, more: Partial<SimulationOptions> = {}) => simulate({ seed: 1, agents: { worker, asker }, tasks: [TASK], faults: NO_FAULTS, ...more })

const upper: BuildAgent = async agent => { await agent.provide('text.upper', { run: (text: string) => text.toUpperCase() }) }

it('runs them, and gives every task with its end', async () => {
  const { tasks, broken } = await run(upper)
  assert.deepEqual(broken, [])
  assert.deepEqual(tasks.map(({ by, capability, input, end, output }) => ({ by, capability, input, end, output })), [{ by: 'asker', capability: 'text.upper', input: 'hello', end: 'result', output: 'HELLO' }])
})

it('holds them to their schemas', async () => {
  const strict: BuildAgent = async agent => { await agent.provide('text.upper', { input: { type: 'number' }, run: () => 'no' }) }
  const { tasks } = await run(strict)
  assert.equal(tasks[0]?.end, 'INPUT_INVALID')
})

it('lets handlers delegate, under what is left to them', async () => {
  const chain: BuildAgent = async agent => {
    await agent.provide('text.upper', { run: async (text: string, { delegate }) => (await delegate('text.trim', text, { maxDurationMs: 60_000 }).result).output.toUpperCase() as string })
  }
  const trimmer: BuildAgent = async agent => { await agent.provide('text.trim', { run: (text: string) => text.trim() }) }
  const { tasks, broken } = await simulate({ seed: 1, agents: { chain, trimmer, asker }, tasks: [{ ...TASK, input: ' hello ', options: { maxDurationMs: 5_000 } }], faults: NO_FAULTS })
  assert.deepEqual(broken, [])
  const [outer, inner] = [tasks.find(({ by }) => by === 'asker'), tasks.find(({ by }) => by === 'chain')]
  assert.equal(outer?.output, 'HELLO')
  assert.equal(inner?.parentTaskId, outer?.taskId)
  assert.ok((inner?.spec.deadlineAt ?? Infinity) < (outer?.spec.deadlineAt ?? 0))
})

it('hedges a slow one with another', async () => {
  const slow: BuildAgent = async (agent, { sleep }) => {
    await agent.provide('text.upper', {
      bid: () => ({ cost: 1, confidence: 1 }),
      run: async () => {
        await sleep(5_000)
        return 'slow'
      }
    })
  }
  const fast: BuildAgent = async agent => { await agent.provide('text.upper', { bid: () => ({ cost: 100, confidence: 0.1 }), run: () => 'fast' }) }
  const outputs: unknown[] = []
  const hedger: BuildAgent = async (agent, { sleep }) => {
    await sleep(100)
    outputs.push((await agent.delegate('text.upper', 'hello', { hedge: { afterMs: 500 } }).result).output)
  }
  const { tasks, broken } = await simulate({ seed: 1, agents: { slow, fast, hedger }, faults: NO_FAULTS })
  assert.deepEqual(broken, [])
  assert.deepEqual([outputs, tasks.map(({ end }) => end)], [['fast'], ['CANCELLED', 'result']])
})

it('makes an agent anew after a crash: its memory is lost', async () => {
  let made = 0
  const counting: BuildAgent = async (agent, surroundings) => {
    made++
    await upper(agent, surroundings)
  }
  await run(counting, { faults: [{ kind: 'crash', at: 1_000, forMs: 500, host: 'worker', noticed: [] }] })
  assert.equal(made, 2)
})

it('sleeps in virtual time, by a clock that faults set', async () => {
  const times: number[] = []
  const sleeper: BuildAgent = async (agent, { now, sleep }) => {
    await agent.provide('text.upper', {
      run: async () => {
        times.push(now())
        await sleep(4_000)
        times.push(now())
      }
    })
  }
  const begun = performance.now()
  const { broken } = await run(sleeper, { faults: [{ kind: 'clock', at: 2_000, host: 'worker', ms: 60_000 }] })
  assert.deepEqual(broken, [])
  assert.equal((times[1] ?? 0) - (times[0] ?? 0), 64_000)
  assert.ok(performance.now() - begun < 4_000)
})

describe('what is wrong by the test itself', () => {
  for (const [how, check] of Object.entries({
    'it throws': () => { throw new Error('not so') },
    'it gives lines': () => ['not so'],
    'it rejects': async () => await Promise.reject(new Error('not so'))
  } satisfies Record<string, SimulationOptions['check']>)) {
    it(how, async () => { assert.deepEqual((await run(upper, { check })).broken, [{ promise: 'own', why: 'not so' }]) })
  }
})

describe('refuses what would make each run another', () => {
  for (const [what, use] of Object.entries<() => unknown>({
    'setTimeout': () => { setTimeout(() => {}, 1) },
    'setInterval': () => { setInterval(() => {}, 1) },
    'setImmediate': () => { setImmediate(() => {}) },
    'Date.now': () => Date.now(),
    'new Date': () => new Date(),
    'performance.now': () => performance.now(),
    'Math.random': () => Math.random(),
    'fetch': async () => await fetch('http://127.0.0.1:1')
  })) {
    it(what, async () => {
      const real: BuildAgent = async (agent, { sleep }) => {
        await agent.provide('text.upper', {
          run: async () => {
            await sleep(10)
            // That it swallows the error does not help it.
            try { await use() } catch {}
            return 1
          }
        })
      }
      await assert.rejects(run(real), { failure: { code: 'BAD_USAGE', why: `worker used ${what} in the simulator, where each run must be the same`, hint: 'take now, sleep and random of its surroundings; see docs/simulator.md' } })
    })
  }

  it('and nothing else, and only there', async () => {
    const clean: BuildAgent = async agent => { await agent.provide('text.upper', { run: () => new Date(0).getFullYear() }) }
    const before = [setTimeout, Date, Math.random]
    const running = run(clean)
    assert.equal(typeof Math.random(), 'number')
    assert.equal((await running).tasks[0]?.output, 1970)
    assert.deepEqual([setTimeout, Date, Math.random], before)
  })
})

it('says which agent cannot be made', async () => {
  await assert.rejects(run(async () => await Promise.reject(new Error('no key'))), { failure: { code: 'BAD_USAGE', why: 'worker could not be made: no key' } })
})
