/** The promises of discovery, a few times each; `node scripts/discovery.ts` tries them often, and prints the figures. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { crowdedHome, everybodySees, firstFind, lateJoiner, warmFinds, wholeRestart } from '../support/discovery-trials.ts'
import { createMesh } from '../support/processes.ts'

it('two nodes: the first find after ready finds the other', async () => {
  for (let i = 0; i < 5; i++) assert.ok(await firstFind() < 1_500)
})

it('a few nodes all find all agents, within one heartbeat', async () => {
  assert.ok(await everybodySees(5, 3) < 31_000)
})

it('who joins late by one of two sees both, and the other one still when that one is killed', async () => {
  await using mesh = createMesh()
  await lateJoiner(mesh, 0)
})

it('when all were killed, each finds the others at once when it is started again', async () => {
  await using mesh = createMesh()
  assert.ok(Math.max(...await wholeRestart(mesh, 0)) < 1_000)
})

it('with a thousand agents known from before, the first find is answered at once, and each after it in a moment', async () => {
  const { firstMs, byName } = await warmFinds(await crowdedHome(1_000, 50), 1_000, 500)
  assert.ok(firstMs < 1_000, `${firstMs} ms`)
  assert.ok((byName.sort((a, b) => a - b)[250] ?? Infinity) < 5)
})
