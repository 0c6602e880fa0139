import { test } from 'node:test'
import assert from 'node:assert/strict'
import { VIGIL } from '../../src/net/limits.ts'
import { createVigil } from '../../src/net/vigil.ts'

/** A vigil on a clock of its own, which goes on while it is awake. */
function scene () {
  let at = 0
  let awake = 0
  let pending: (() => void) | undefined
  const heard = createVigil(() => at += 0.001, run => { pending = run })

  function next (): (() => void) | undefined {
    const run = pending
    pending = undefined
    return run
  }

  function pass (ms: number): void {
    const end = at + ms
    const begun = at
    for (let run = next(); run !== undefined; run = at < end ? next() : undefined) run()
    awake += at - begun
    at = Math.max(at, end)
  }

  return {
    pass,
    now: () => at,
    isAwake: () => pending !== undefined,
    /** How long it was awake with nothing to do, in ms. */
    awake: () => awake,
    /** So many messages come, each after so long. */
    converse (times: number, ms: number, crowded = false): void {
      for (let i = 0; i < times; i++) {
        pass(ms)
        heard(crowded)
      }
    }
  }
}

type Scene = ReturnType<typeof scene>

/** Waits in vain until it rests. */
function exhaust (it: Scene): void {
  for (let i = 0; i < 100; i++) {
    it.converse(VIGIL.close + 1, VIGIL.soonMs / 20)
    if (!it.isAwake()) return
    it.pass(1.1 * VIGIL.forMs)
  }
  assert.fail('it never rests')
}

/** How long it rests, in ms, by conversation that would keep it awake. */
function restOf (it: Scene): number {
  const begun = it.now()
  while (!it.isAwake() && it.now() - begun < 2 * VIGIL.longestRestMs) it.converse(1, VIGIL.soonMs / 2)
  return it.now() - begun
}

test('a loop stays awake only where messages follow one another closely', () => {
  const scattered = scene()
  scattered.converse(100, 2 * VIGIL.closeMs)
  assert.equal(scattered.awake(), 0)

  const dense = scene()
  dense.converse(VIGIL.close + 1, VIGIL.closeMs / 2)
  assert.equal(dense.isAwake(), true)
})

for (const { crowded, ms } of [{ crowded: false, ms: VIGIL.forMs }, { crowded: true, ms: VIGIL.soonMs }]) {
  test(`it sleeps when nothing has come for ${ms} ms, and not before, where messages come ${crowded ? 'many' : 'one'} at a time`, () => {
    const it = scene()
    it.converse(VIGIL.close + 1, VIGIL.soonMs / 2, crowded)
    it.pass(0.9 * ms)
    assert.equal(it.isAwake(), true)
    it.pass(0.2 * ms)
    assert.equal(it.isAwake(), false)
  })
}

test('a peer that collects its garbage now and then does not make it rest', () => {
  const it = scene()
  it.converse(VIGIL.close + 1, VIGIL.soonMs / 2)
  for (let i = 0; i < 50; i++) {
    it.converse(500, VIGIL.soonMs / 6)
    it.converse(1, 3)
    assert.equal(it.isAwake(), true, `after ${i} pauses`)
  }
})

test('it waits in vain for no longer than it has saved, whatever comes', () => {
  for (const [messages, silenceMs] of [[10, 20], [VIGIL.close + 1, 20], [2 * VIGIL.close, 6], [5 * VIGIL.close, 100], [1, 0.7], [3, 0.9]] as const) {
    const it = scene()
    const rounds = 2_000
    for (let i = 0; i < rounds; i++) {
      it.converse(messages, 0.05)
      it.pass(silenceMs)
    }
    const saved = rounds * messages * (0.05 + VIGIL.savesMs)
    const tries = it.now() / VIGIL.longestRestMs + 10
    const most = saved + VIGIL.mostCreditMs + tries * VIGIL.forMs
    assert.ok(it.awake() <= most, `bursts of ${messages}, then ${silenceMs} ms: awake for ${it.awake()} ms of ${it.now()}, at most ${most}`)
  }
})

test('in vain, it rests twice as long each time up to the longest, until it has earned enough again', () => {
  const it = scene()
  const rests: number[] = []
  for (let i = 0; i < 7; i++) {
    exhaust(it)
    rests.push(restOf(it))
  }
  for (const [i, rested] of rests.entries()) {
    const expected = Math.min(VIGIL.restMs * 2 ** i, VIGIL.longestRestMs)
    assert.ok(Math.abs(rested - expected) < 0.2 * expected + 1, `rests of ${rests.join(', ')} ms`)
  }
  it.converse(Math.ceil(2 * VIGIL.mostCreditMs / VIGIL.savesMs), VIGIL.soonMs / 2)
  exhaust(it)
  assert.ok(restOf(it) < 1.5 * VIGIL.restMs)
})
