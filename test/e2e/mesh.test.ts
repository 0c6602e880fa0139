/** Many whole nodes, several to a process, over real sockets: a short run of what `scripts/mesh.ts` does at length. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runMesh, type RunOptions } from '../../scripts/mesh/run.ts'

const SHORT: RunOptions = {
  nodes: 30, processes: 2, agentsPerNode: 1, domains: 10, providers: 3,
  startMs: 60_000, settleMs: 4_000, restMs: 1_000, findMs: 5_000, rate: 10, killEveryMs: 0, onEvent: () => undefined
}

test('of thirty nodes everybody is found, over few connections', { timeout: 120_000 }, async t => {
  const { ready, finds, cold, rest } = await runMesh(SHORT)
  t.diagnostic(JSON.stringify({ ready, finds, cold, rest }))
  assert.ok(ready.all)
  assert.ok(finds.count > 10)
  assert.equal(finds.nobody, 0)
  assert.ok(finds.recallLater > 0.95, `recall ${finds.recallLater}`)
  assert.ok(rest.peers.mean < 25, `${rest.peers.mean} peers a node`)
})

test('the dead are forgotten, and those who took their place are found', { timeout: 120_000 }, async t => {
  const { finds } = await runMesh({ ...SHORT, nodes: 24, processes: 6, findMs: 12_000, killEveryMs: 5_000 })
  t.diagnostic(JSON.stringify(finds))
  assert.ok(finds.recallLater > 0.9, `recall ${finds.recallLater}`)
  assert.ok(finds.dead < 0.1, `${finds.dead} of those named were dead`)
})
