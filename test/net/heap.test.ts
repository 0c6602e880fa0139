import assert from 'node:assert/strict'
import { test } from 'node:test'
import { holdHeap } from '../../src/net/heap.ts'
import { churn, youngBytes } from '../support/young.ts'

/** How much it may differ while it is held; let go, the same churn takes it beyond 32 MiB. */
const HELD_BYTES = 16 * 2 ** 20

test('the young generation keeps its size as long as one holds it, and grows again afterwards', () => {
  const [one, other] = [holdHeap(), holdHeap()]
  churn()
  one()
  one()
  churn()
  assert.ok(youngBytes() < HELD_BYTES, `${youngBytes()} bytes`)
  other()
  churn()
  assert.ok(youngBytes() > 2 * HELD_BYTES, `${youngBytes()} bytes`)
})
