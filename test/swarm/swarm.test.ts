/** A swarm: its plan, its sums, and a small one for real. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { percentile, sample } from '../../src/swarm/sample.ts'
import { planSwarm } from '../../src/swarm/plan.ts'
import { runSwarm, type SwarmEvent } from '../../src/swarm/supervisor.ts'
import { isRight, WORK, workOf } from '../../src/swarm/work.ts'

describe('the plan of a swarm', () => {
  for (const [agents, processes] of [[3, 3], [12, 3], [60, 6], [61, 4], [1_000, 8]] as const) {
    it(`of ${agents} agents in ${processes} processes has each capability in three processes or more`, () => {
      const plan = planSwarm(agents, processes)
      assert.equal(plan.processes.flat().length, agents)
      for (const capability of plan.capabilities) {
        const homes = plan.processes.filter(members => members.some(({ capabilities }) => capabilities.includes(capability)))
        assert.ok(homes.length >= 3, `${capability} in ${homes.length}`)
      }
    })
  }
  it('of sixty agents covers twenty domains', () => assert.equal(planSwarm(60, 6).domains.length, 20))
  it('of one agent has one', () => assert.deepEqual(planSwarm(1, 1).processes.map(members => members.length), [1]))
  it('has no agent without work', () => {
    for (const { capabilities } of planSwarm(500, 7).processes.flat()) assert.ok(workOf(capabilities[0] ?? ''))
  })
})

describe('the work of a swarm', () => {
  for (const { name, input, run } of WORK) {
    it(`${name} is checked`, () => {
      const given = input(() => 0.4)
      const output = JSON.parse(JSON.stringify(run(given)))
      assert.ok(isRight(`data.${name}`, given, output))
      assert.ok(!isRight(`data.${name}`, given, [output]))
    })
  }
})

describe('a sample', () => {
  it('keeps everything while there is room, and a fair share of more', () => {
    const few = sample(10)
    for (let i = 0; i < 10; i++) few.add(i)
    assert.deepEqual(few.values(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    const many = sample(1_000)
    for (let i = 0; i < 100_000; i++) many.add(i)
    assert.equal(many.values().length, 1_000)
    assert.ok(Math.abs(percentile(many.values(), 0.5) - 50_000) < 10_000)
  })
  it('has percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    assert.deepEqual([0, 0.5, 0.99, 1].map(share => percentile(hundred, share)), [1, 50, 99, 100])
    assert.equal(percentile([], 0.5), 0)
  })
})

const folders = (): string[] => readdirSync(tmpdir()).filter(name => name.startsWith('a2a-swarm-'))

describe('a swarm of real processes', () => {
  it('finds every agent, loses no task, and leaves nothing behind', async () => {
    const before = folders()
    const events: SwarmEvent[] = []
    const summary = await runSwarm({ agents: 6, processes: 3, forMs: 2_000, rate: 10, onEvent: event => events.push(event) })
    assert.equal(summary.good, true, JSON.stringify(summary))
    assert.equal(summary.discovery.found, 18)
    assert.ok(summary.tasks.completed > 0)
    assert.equal(summary.tasks.started, summary.tasks.completed)
    assert.deepEqual(events.filter(event => event.event === 'phase').map(({ phase }) => phase), ['starting', 'discovery', 'traffic', 'draining', 'over'])
    assert.deepEqual(folders(), before)
    for (const { pid } of summary.perProcess) assert.throws(() => process.kill(pid ?? 0, 0), { code: 'ESRCH' })
  })

  it('reports a process that is killed, goes on without it, and is not good', async () => {
    const leave = new AbortController()
    let victim: number | undefined
    const events: SwarmEvent[] = []
    const summary = await runSwarm({
      agents: 6, processes: 3, forMs: 60_000, rate: 10, signal: leave.signal,
      onEvent: event => {
        events.push(event)
        if (event.event === 'worker-started') victim = event.pid
        if (event.event === 'state' && event.phase === 'traffic' && event.completed > 0 && victim !== undefined) {
          process.kill(victim, 'SIGKILL')
          victim = undefined
        }
        if (event.event === 'worker-lost') leave.abort()
      }
    })
    assert.equal(events.filter(event => event.event === 'worker-lost').length, 1)
    assert.match(summary.perProcess.find(({ lost }) => lost !== undefined)?.lost ?? '', /SIGKILL/)
    assert.equal(summary.workersLost, 1)
    assert.equal(summary.interrupted, true)
    assert.equal(summary.good, false)
  })
})
