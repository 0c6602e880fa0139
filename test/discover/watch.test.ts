/** Watching: real nodes come, change and go, and those who watch are told. */
import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { createNode, type AgentChange, type HostedNode } from '../../src/index.ts'
import { folder } from '../net/support.ts'

async function meshOf (t: TestContext) {
  const rendezvous = folder()
  return async (name: string): Promise<HostedNode> => {
    const node = await createNode({ name, home: folder(), rendezvous, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
    t.after(() => node[Symbol.asyncDispose]())
    return node
  }
}

const agentOf = (node: HostedNode) => node.hosted[0]?.agent as HostedNode['agents'][number]
const brief = ({ change, agent }: AgentChange): string => `${change} ${agent.name} ${agent.capabilities.map(({ name, version }) => `${name}@${version}`).join()}`

it('who watches is told who is there, who comes, what changes, and who leaves', async t => {
  const start = await meshOf(t)
  const watcher = await start('watcher')
  const worker = await start('worker')
  const upper = await agentOf(worker).provide('text.case.upper', { run: () => 1 })
  const ended = new AbortController()
  const changes = agentOf(watcher).watch('text.*', { signal: ended.signal })
  const next = async (): Promise<AgentChange> => (await changes.next()).value as AgentChange

  assert.equal(brief(await next()), 'found worker text.case.upper@1')
  await agentOf(worker).provide('text.case.lower@2', { run: () => 1 })
  assert.equal(brief(await next()), 'changed worker text.case.upper@1,text.case.lower@2')
  await agentOf(worker).provide('image.size', { run: () => 1 })
  const late = await start('late')
  await agentOf(late).provide('text.words', { run: () => 1 })
  assert.equal(brief(await next()), 'found late text.words@1', 'what is offered in another domain is no change')
  await upper[Symbol.asyncDispose]()
  assert.equal(brief(await next()), 'changed worker text.case.lower@2')
  await late[Symbol.asyncDispose]()
  const left = await next()
  assert.deepEqual([brief(left), left.change === 'left' && left.why], ['left late text.words@1', 'farewell'])
  ended.abort()
  assert.equal((await changes.next()).done, true)
})

it('one capability is watched by its name and version, and withdrawing it is leaving', async t => {
  const start = await meshOf(t)
  const watcher = await start('watcher')
  const worker = agentOf(await start('worker'))
  const changes = watcher.watch('text.case.upper@2')
  await worker.provide('text.case.lower', { run: () => 1 })
  const upper = await worker.provide('text.case.upper@2', { run: () => 1 })
  assert.equal(brief((await changes.next()).value as AgentChange), 'found worker text.case.upper@2')
  await upper[Symbol.asyncDispose]()
  const { value } = await changes.next()
  assert.deepEqual([value?.change, value?.change === 'left' && value.why], ['left', 'withdrawn'])
  const waiting = changes.next()
  await watcher[Symbol.asyncDispose]()
  assert.equal((await waiting).done, true, 'it ends with its node')
})

it('who reads slowly gets the latest, and a loop that is left stops watching', async t => {
  const start = await meshOf(t)
  const watcher = await start('watcher')
  const worker = agentOf(await start('worker'))
  await worker.provide('text.a', { run: () => 1 })
  const changes = watcher.watch('text.*')
  await changes.next()
  for (const name of ['text.b', 'text.c', 'text.d']) await worker.provide(name, { run: () => 1 })
  while ((await watcher.find('text.d', { timeoutMs: 1 })).length === 0) await new Promise(setImmediate)
  for await (const change of changes) {
    assert.equal(brief(change), 'changed worker text.a@1,text.b@1,text.c@1,text.d@1')
    break
  }
  assert.equal((await changes.next()).done, true)
})
