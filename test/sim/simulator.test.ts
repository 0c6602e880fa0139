import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ALL_FAULTS, NO_FAULTS, PROMISES, replay, scheduleOf, simulate, type Intensities } from '../../src/testing/index.ts'
import { runSeeds } from '../../scripts/seeds.ts'

/** As many as take about a minute. `npm run test:long` has 10,000. */
const SEEDS = Number(process.env.A2A_SEEDS ?? 1_000)

it(`every promise holds in ${SEEDS} runs with all faults`, { timeout: SEEDS * 1_000 }, async () => {
  const ends: Record<string, number> = {}
  let runs = 0
  await runSeeds({
    first: 1, count: SEEDS, threads: 2,
    onRun: run => {
      runs++
      assert.deepEqual(run.broken, [], `seed ${run.seed}; make it small with: node scripts/sim.ts --seed ${run.seed} --shrink`)
      for (const end of Object.keys(run.ends)) ends[end] = (ends[end] ?? 0) + 1
    }
  })
  assert.equal(runs, SEEDS)
  for (const end of ['result', 'ALL_PROVIDERS_FAILED', 'DEADLINE_EXCEEDED', 'NO_BIDS', 'OVER_BUDGET', 'CANCELLED']) assert.ok((ends[end] ?? 0) > 0, `no task ended with ${end}: the faults do not bite`)
})

it('without faults every task ends with a result', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { broken, ends } = await simulate({ seed, faults: NO_FAULTS })
    assert.deepEqual(broken, [])
    const { result = 0, OVER_BUDGET: over = 0, DEADLINE_EXCEEDED: late = 0, CANCELLED: cancelled = 0, ALL_PROVIDERS_FAILED: failed = 0, ...others } = ends
    // Handlers of its own agents are slow and wrong now and then, whatever else there is.
    assert.ok(result >= 3 && over + late + cancelled + failed < result)
    assert.deepEqual(others, {})
  }
})

it('a seed replays to the letter, and another one gives another run', async () => {
  for (const seed of [3, 14, 159]) {
    const [first, second, other] = [await simulate({ seed }), await replay(seed), await simulate({ seed: seed + 1 })]
    assert.deepEqual(second.lines, first.lines)
    assert.equal(second.hash, first.hash)
    assert.notEqual(other.hash, first.hash)
  }
})

it('a schedule that went through JSON gives the run that its seed gives', async () => {
  const { schedule, hash } = await simulate({ seed: 5 })
  const again = await simulate({ seed: 5, schedule: JSON.parse(JSON.stringify(schedule)) as typeof schedule })
  assert.equal(again.hash, hash)
})

describe('each fault can be had alone, and as much of it as is wanted', () => {
  const kinds: Record<keyof Intensities, string> = {
    drop: 'drop', double: 'double', delay: 'delay', reorder: 'reorder', partitions: 'cut', oneWay: 'cut', links: 'cut', crashes: 'crash', commitCrashes: 'crash-at-commit',
    freezes: 'freeze', diskFails: 'disk-fails', diskSlow: 'disk-slow', skew: 'clock', jumps: 'clock', handlers: 'handlers', liars: 'liar'
  }
  for (const [name, kind] of Object.entries(kinds)) {
    it(name, () => {
      const countAt = (intensity: number): number => Array.from({ length: 100 }, (_none, seed) => {
        const { faults } = scheduleOf({ seed, faults: { ...NO_FAULTS, [name]: intensity } })
        assert.deepEqual([...new Set(faults.map(fault => fault.kind))].filter(other => other !== kind), [])
        return faults.length
      }).reduce((sum, count) => sum + count, 0)
      assert.ok(countAt(1) > 0)
      assert.equal(countAt(0), 0)
      // Liars are two at most.
      if (name !== 'liars') assert.ok(countAt(2) > countAt(1))
    })
  }

  it('and there are no others', () => { assert.deepEqual(Object.keys(ALL_FAULTS), Object.keys(kinds)) })
})

it('every promise has a line that says what it is', () => {
  for (const [name, says] of Object.entries(PROMISES)) assert.match(says, /^[A-Z].*\.$/, name)
})
