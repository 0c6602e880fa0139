/** Short runs of `scripts/faults.ts`, with few processes; docs/simulator.md says how to have long ones. */
import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { clocks } from '../../scripts/faults/clocks.ts'
import { partitions } from '../../scripts/faults/cuts.ts'
import { Unavailable } from '../../scripts/faults/network.ts'
import { poisoning, stopping } from '../../scripts/faults/processes.ts'
import { runFaults } from '../../scripts/faults/run.ts'
import type { Fault } from '../../scripts/faults/fault.ts'
import type { Outcome } from '../../scripts/faults/judge.ts'

const AGENTS = 5

async function run (test: TestContext, make: () => Fault, { jobs = 0, long = 0 } = {}): Promise<Outcome | undefined> {
  let fault: Fault
  try {
    fault = make()
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    test.skip(error.message)
    return undefined
  }
  const outcome = await runFaults({ agents: AGENTS, rate: 8, jobs, rampMs: 0, forMs: 4_500, leaseMs: 1_500, long, built: true, fault, signal: test.signal, onEvent: what => { test.diagnostic(what) } })
  const { broken, lost, doubled, stuck, standby, faults, tasks } = outcome
  assert.deepEqual(broken, [])
  assert.ok(faults > 0 && tasks > 10, `${faults} faults, ${tasks} tasks`)
  assert.deepEqual({ lost, doubled, stuck, taken: standby.taken }, { lost: 0, doubled: 0, stuck: 0, taken: 0 })
  return outcome
}

describe('real processes lose nothing and take no result twice', { timeout: 150_000 }, () => {
  it('when their network falls into two that one of them sees both of', async test => {
    await run(test, () => partitions(['bridge'], AGENTS, { everyMs: 2_000, eachMs: 1_200 }))
  })

  it('when holders of contracts are stopped at work', async test => {
    const outcome = await run(test, () => stopping({ everyMs: 1_400, eachMs: 3_000 }), { long: 0.8 })
    const { held = 0, afterLeaseMs } = outcome?.standby ?? {}
    assert.ok(held > 0, 'none was at work when it was stopped')
    assert.ok((afterLeaseMs?.most ?? 0) < 2_000, `the next began up to ${afterLeaseMs?.most} ms after the end of the lease`)
  })

  it('when their clocks are set back an hour and ahead a day, and gives no job up early', async test => {
    const outcome = await run(test, () => clocks(AGENTS, { everyMs: 700, eachMs: 1_500 }), { jobs: 2 })
    if (outcome === undefined) return
    const { enqueued, lost, early } = outcome.jobs
    assert.ok(enqueued > 3, `${enqueued} jobs`)
    assert.deepEqual({ lost, early }, { lost: 0, early: 0 })
  })

  it('when a job kills the program that handles it, and gives that up after five attempts', async test => {
    const outcome = await run(test, () => poisoning({ eachMs: 3_000, kills: 'program' }))
    const { alone, 'beside poison': beside } = outcome?.parts ?? {}
    assert.deepEqual(outcome?.jobs.attempts, [5])
    assert.ok((alone?.count ?? 0) > 5 && (beside?.count ?? 0) > 5, `${alone?.count} tasks alone, ${beside?.count} beside poison`)
  })
})
