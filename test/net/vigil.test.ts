import { test } from 'node:test'
import assert from 'node:assert/strict'
import { VIGIL } from '../../src/net/limits.ts'
import { createVigil } from '../../src/net/vigil.ts'

/** A vigil on a clock of its own. `turns` are those it has asked for. */
function scene () {
  let at = 0
  let pending: (() => void) | undefined
  let turns = 0
  const { heard, said } = createVigil(() => at += 0.001, run => {
    turns++
    pending = run
  })
  return {
    heard,
    said,
    pass (ms: number) { at += ms },
    isAwake: () => pending !== undefined,
    turns: () => turns,
    /** Turns of the loop until it sleeps. */
    runOut () {
      for (let i = 0; pending !== undefined && i < 10_000; i++) {
        const run = pending
        pending = undefined
        run()
      }
    }
  }
}

type Scene = ReturnType<typeof scene>

function closeTogether ({ heard, pass, runOut }: Scene, messages = VIGIL.close + 1): void {
  for (let i = 0; i < messages; i++) {
    heard()
    runOut()
    pass(VIGIL.closeMs / 2)
  }
}

test('a loop stays awake only where messages follow one another closely', () => {
  const scattered = scene()
  for (let i = 0; i < 100; i++) {
    scattered.heard()
    scattered.said()
    scattered.pass(VIGIL.closeMs * 2)
  }
  assert.equal(scattered.turns(), 0)

  const dense = scene()
  closeTogether(dense)
  dense.said()
  assert.equal(dense.isAwake(), true)
})

test('it sleeps when nothing has come for a moment', () => {
  const dense = scene()
  closeTogether(dense)
  dense.said()
  const before = dense.turns()
  dense.runOut()
  assert.equal(dense.isAwake(), false)
  assert.ok(dense.turns() - before <= VIGIL.forMs / VIGIL.turnMs + 1, 'no longer than it may')
})

test('in vain, it rests twice as long each time, and a message that came meanwhile ends that', () => {
  const dense = scene()
  const rests: number[] = []
  closeTogether(dense)
  for (let i = 0; i < 5; i++) {
    while (dense.said(), dense.isAwake()) dense.runOut()
    let rested = 0
    while (!dense.isAwake() && rested < 10 * VIGIL.longestRestMs) {
      rested++
      dense.pass(0.9)
      dense.heard()
    }
    rests.push(rested)
    dense.runOut()
  }
  for (const [i, rested] of rests.slice(1).entries()) assert.ok(rested > 1.7 * (rests[i] as number), `rests of ${rests.join(', ')} messages`)

  dense.heard()
  while (!dense.isAwake()) {
    dense.pass(0.9)
    dense.heard()
  }
  dense.heard()
  while (dense.said(), dense.isAwake()) dense.runOut()
  let rested = 0
  while (!dense.isAwake()) {
    rested++
    dense.pass(0.9)
    dense.heard()
  }
  assert.ok(rested <= 2 * VIGIL.restMs, `as short a rest as the first again, not ${rested} messages`)
})
