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

test('the young generation keeps its size as long as one holds it, and grows again afterwards', () => {
  const [one, other] = [holdHeap(), holdHeap()]
  const before = young()
  churn()
  one()
  one()
  churn()
  assert.equal(young(), before)
  other()
  churn()
  assert.ok(young() > before)
})
