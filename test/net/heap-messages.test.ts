import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countForHeap } from '../../src/net/heap.ts'
import { HEAP } from '../../src/net/limits.ts'
import { churn, youngBytes } from '../support/young.ts'

test('messages let the young generation grow so far and no further', () => {
  churn(countForHeap)
  assert.equal(youngBytes(), HEAP.youngBytes)
})
