import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { NO_FAULTS, shrink, simulate } from '../../src/testing/index.ts'
import type { Plants } from '../../src/testing/host.ts'
import { requesterMachine } from '../../src/negotiate/requester.ts'
import { winnerOf } from '../../src/core/ending.ts'

/** It takes a result from whoever brings it. */
const unfenced: Plants = {
  requester: {
    ...requesterMachine,
    step: (task, event) => requesterMachine.step(task, event.type === 'result' ? { ...event, epoch: task.epoch, provider: winnerOf(task)?.provider ?? event.provider } : event)
  }
}

async function firstFailing (plants: Plants): Promise<number> {
  for (let seed = 1; seed <= 300; seed++) if ((await simulate({ seed, plants })).broken.length > 0) return seed
  throw new Error('no seed fails')
}

it('makes a failing run smaller, and it breaks the same promise each time it is run', async () => {
  const seed = await firstFailing(unfenced)
  const whole = await simulate({ seed, plants: unfenced })
  const { run, promise } = await shrink({ seed, plants: unfenced })
  assert.equal(promise, whole.broken[0]?.promise)
  assert.ok(run.schedule.faults.length < whole.schedule.faults.length)
  assert.ok(run.schedule.tasks.length < whole.schedule.tasks.length)
  assert.ok(run.lines.length < whole.lines.length / 2)

  const schedule = JSON.parse(JSON.stringify(run.schedule)) as typeof run.schedule
  const again = await simulate({ seed, plants: unfenced, schedule })
  assert.equal(again.hash, run.hash)
  assert.ok(again.broken.some(broken => broken.promise === promise))
  // Nothing that is left can be left out.
  for (const [place, fault] of schedule.faults.entries()) {
    const { broken } = await simulate({ seed, plants: unfenced, schedule: { ...schedule, faults: schedule.faults.toSpliced(place, 1) } })
    assert.ok(!broken.some(one => one.promise === promise), `it fails without ${JSON.stringify(fault)} too`)
  }
})

it('refuses to shrink a run that breaks nothing', async () => {
  await assert.rejects(shrink({ seed: 1, faults: NO_FAULTS }), { failure: { code: 'BAD_USAGE', why: 'seed 1 breaks no promise: there is nothing to shrink' } })
})

it('scripts/sim.ts prints a run line by line', () => {
  const lines = execFileSync(process.execPath, [join(import.meta.dirname, '../../scripts/sim.ts'), '--seed', '3', '--trace', '--only', 'crashes'], { encoding: 'utf8' })
  assert.match(lines, /^ +\d+ ada up /m)
})
