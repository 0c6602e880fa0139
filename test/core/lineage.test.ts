import assert from 'node:assert/strict'
import { it } from 'node:test'
import { childLineage, heardLineage, hopsLeft, loopThrough, MAX_DEPTH, tooDeep } from '../../src/core/lineage.ts'

it('whoever asks is on the way, and the depth is no less than the way is long, whatever it says', () => {
  assert.deepEqual(heardLineage({ from: 'b' }), { depth: 0, visited: ['b'], deepest: MAX_DEPTH - 1, traceparent: undefined })
  assert.deepEqual(heardLineage({ from: 'c', depth: 0, visited: ['a', 'b'] }).visited, ['a', 'b', 'c'])
  assert.equal(heardLineage({ from: 'c', depth: 0, visited: ['a', 'b'] }).depth, 2)
  assert.equal(heardLineage({ from: 'b', depth: 1, visited: ['a', 'b'], hopsLeft: 2 }).deepest, 3)
  assert.equal(heardLineage({ from: 'b', depth: 1, visited: ['a', 'b'], hopsLeft: 99 }).deepest, MAX_DEPTH - 1)
})

it('goes along by itself, one deeper each time, until it is too deep', () => {
  let lineage = { ...heardLineage({ from: 'agent-0' }), traceparent: undefined as string | undefined }
  for (let depth = 1; depth < MAX_DEPTH; depth++) {
    lineage = { ...lineage, ...childLineage(lineage, { taskId: `task-${depth}`, agentId: `agent-${depth}` }) }
    assert.deepEqual([lineage.depth, lineage.visited.length, hopsLeft(lineage), tooDeep(lineage)], [depth, depth + 1, MAX_DEPTH - 1 - depth, undefined])
  }
  assert.equal(tooDeep(childLineage(lineage, { taskId: 'last', agentId: 'last' }))?.code, 'REFUSED')
  assert.equal(tooDeep({ depth: 3, visited: [], deepest: 2 })?.code, 'REFUSED')
})

it('leads nobody back; an agent may do itself what it asks for itself', () => {
  assert.deepEqual(loopThrough({ depth: 2, visited: ['a', 'b', 'c'] }, 'a'), ['a', 'b', 'c', 'a'])
  assert.deepEqual(loopThrough({ depth: 1, visited: ['a'] }, 'a'), ['a', 'a'])
  assert.equal(loopThrough({ depth: 0, visited: ['a'] }, 'a'), undefined)
  assert.equal(loopThrough({ depth: 2, visited: ['a', 'b'] }, 'd'), undefined)
})
