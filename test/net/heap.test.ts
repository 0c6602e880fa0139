import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapSpaceStatistics } from 'node:v8'
import { holdHeap } from '../../src/net/heap.ts'

const young = (): number => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? NaN

/** Much that outlives a collection or two: what makes V8 let the young generation grow. */
function churn (): void {
  let kept: object[] = []
  for (let i = 0; i < 1_500_000; i++) {
    kept.push({ i, text: `${i}` })
    if (kept.length === 300_000) kept = []
  }
}

/** How much it may differ while it is held; let go, the same churn takes it beyond 32 MiB. */
const HELD_BYTES = 16 * 2 ** 20

test('the young generation keeps its size as long as one holds it, and grows again afterwards', () => {
  const [one, other] = [holdHeap(), holdHeap()]
  churn()
  one()
  one()
  churn()
  assert.ok(young() < HELD_BYTES, `${young()} bytes`)
  other()
  churn()
  assert.ok(young() > 2 * HELD_BYTES, `${young()} bytes`)
})
