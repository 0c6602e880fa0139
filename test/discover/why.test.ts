/** `doctor --why`: names the step at which something is not found. */
import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { createNode, nodeApi, type Check, type HostedNode } from '../../src/index.ts'
import { folder, until } from '../net/support.ts'

async function start (t: TestContext, name: string, more: object): Promise<HostedNode> {
  const node = await createNode({ name, home: folder(), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, ...more })
  t.after(() => node[Symbol.asyncDispose]())
  return node
}

const bad = (checks: Check[]): string[] => checks.filter(({ state }) => state === 'failed').map(({ name }) => name)
const said = (checks: Check[], name: string): string => checks.filter(check => check.name === name).map(({ found }) => found).join()

it('says that nobody is connected, and that nobody offers it', async t => {
  const api = nodeApi(await start(t, 'alone', { rendezvous: folder() }))
  assert.deepEqual(bad(await api.doctor('text.case.upper')), ['network', 'agents'])
  assert.deepEqual(bad(await api.doctor('Text!')), ['name'])
})

it('follows a capability and an agent to where they are', async t => {
  const rendezvous = folder()
  const [asker, worker] = [await start(t, 'asker', { rendezvous }), await start(t, 'worker', { rendezvous })]
  await Promise.all([asker.joined(), worker.joined()])
  const offering = worker.agents[0] as HostedNode['agents'][number]
  await offering.provide('text.case.upper@2', { run: () => 1 })
  const api = nodeApi(asker)
  const found = await api.doctor('text.*')
  assert.deepEqual(bad(found), [])
  assert.match(said(found, 'agent'), /^worker …\w{8} answers, of the same user$/)
  for (const target of ['worker', offering.id, `…${offering.id.slice(-8)}`]) {
    const checks = await api.doctor(target)
    assert.deepEqual(bad(checks), [], target)
    assert.equal(said(checks, 'offers'), 'text.case.upper@2')
  }
  const version = await api.doctor('text.case.upper@1')
  assert.deepEqual(bad(version), ['agents'])
  assert.match(said(version, 'agents'), /offered is text\.case\.upper@2/)
  assert.match(said(await api.doctor('text.case.uper'), 'agents'), /offered is text\.case\.upper@2/)
})

it('says that an agent is known and does not answer, or did not', async t => {
  const [home, rendezvous] = [folder(), folder()]
  const asker = await start(t, 'asker', { home, rendezvous })
  const worker = await start(t, 'worker', { rendezvous })
  const [{ id }] = worker.agents as [HostedNode['agents'][number]]
  await worker.agents[0]?.provide('text.case.upper', { run: () => 1 })
  await until(() => asker.status().agentsKnown === 2, 'each other')
  await asker.find('text.case.upper')
  await asker[Symbol.asyncDispose]()
  await worker[Symbol.asyncDispose]()
  const again = await start(t, 'asker', { home, rendezvous: folder() })
  const checks = await nodeApi(again).doctor(id)
  assert.ok(bad(checks).includes('found'))
  assert.match(JSON.stringify(checks), /does not answer|did not answer/)
  await until(() => again.status().discovery.dead === 1 || again.status().agentsKnown === 1, 'its end')
})

it('says that a capability is not for us', async t => {
  const worker = await start(t, 'worker', { rendezvous: folder() })
  await worker.agents[0]?.provide('text.case.upper', { run: () => 1 })
  const asker = await start(t, 'asker', { rendezvous: folder(), bootstrap: worker.addresses() })
  await asker.joined()
  const checks = await nodeApi(asker).doctor('text.case.upper')
  assert.deepEqual(bad(checks), [])
  assert.match(said(checks, 'access'), /^worker: not public/)
})
