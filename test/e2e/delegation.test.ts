/** Chains of delegations through real processes: a loop is stopped, costs are told, and an end reaches everybody. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createMesh, type Mesh, type StartedNode, type Streaming } from '../support/processes.ts'

const RELAY = ['--module', join(import.meta.dirname, '../support/relay.ts')]
/** From the word to the end of the last handler, in ms: four hops, each with a commit and a message. */
const STOP_MS = 2_000

const relay = (mesh: Mesh, name: string, next?: string): Promise<StartedNode> =>
  mesh.start(name, RELAY, { env: { RELAY_CAPABILITY: `relay.${name}`, ...(next === undefined ? {} : { RELAY_NEXT: `relay.${next}` }) } })

const chain = (mesh: Mesh): Promise<StartedNode[]> =>
  Promise.all(['first', 'second', 'third', 'fourth'].map((name, i, names) => relay(mesh, name, names[i + 1])))

const tasksOf = async (mesh: Mesh, { home }: StartedNode): Promise<any[]> => (await mesh.a2a(['task', 'ls', '--json', '--home', home])).events

/** Has the chain work until all are at it. */
async function begun (mesh: Mesh, asker: StartedNode, nodes: StartedNode[]): Promise<Streaming> {
  const work = mesh.stream(['run', 'relay.first', '--input', '"wait"', '--json', '--home', asker.home])
  await Promise.all(nodes.map(({ process }) => process.event(({ event }) => event === 'began')))
  return work
}

const stopped = async (nodes: StartedNode[]): Promise<number> =>
  Math.max(...await Promise.all(nodes.map(async ({ process }) => (await process.event(({ event }) => event === 'stopped')).at as number)))

describe('a chain of delegations', { timeout: 120_000 }, () => {
  it('that comes back to where it began stops, and says which way it went', async () => {
    await using mesh = createMesh()
    const [a, b, c] = await Promise.all([relay(mesh, 'a', 'b'), relay(mesh, 'b', 'c'), relay(mesh, 'c', 'a')]) as [StartedNode, StartedNode, StartedNode]
    const { code, events, stderr } = await mesh.a2a(['run', 'relay.b', '--input', '1', '--json', '--home', a.home])
    assert.equal(code, 5, stderr)
    const { code: failure, facts } = events.at(-1)
    assert.equal(failure, 'LOOP')
    assert.deepEqual(facts.path, [a, b, c, a].map(({ agentId }) => agentId))
    const asker = await mesh.start('asker')
    const longer = await mesh.a2a(['run', 'relay.a', '--input', '1', '--json', '--home', asker.home])
    assert.deepEqual(longer.events.at(-1).facts.path, [asker, a, b, c, a].map(({ agentId }) => agentId))
  })

  it('tells what it cost in all, and no more than was allowed', async () => {
    await using mesh = createMesh()
    const [asker, first] = await Promise.all([mesh.start('asker'), chain(mesh)]).then(([asker, [first]]) => [asker, first]) as [StartedNode, StartedNode]
    const { code, events, stderr } = await mesh.a2a(['run', 'relay.first', '--max-cost', '4', '--json', '--home', asker.home])
    assert.equal(code, 0, stderr)
    const { task_id: taskId, cost, spent, output } = events.at(-1)
    assert.deepEqual([cost, spent, output.of.of.of.by], [1, 3, 'fourth'])
    for (const { home } of [asker, first]) assert.match((await mesh.a2a(['task', 'show', taskId, '--home', home])).stdout, /cost +1 and 3 for what was delegated: 4/)
    assert.match((await mesh.a2a(['status', '--home', first.home])).stdout, /relay\.first .* 1 +1$/m)
    const over = await mesh.a2a(['run', 'relay.first', '--max-cost', '3', '--json', '--home', asker.home])
    assert.equal(over.code, 1)
    assert.match(over.stderr, /more than the 0 allowed/)
    const shallow = await mesh.a2a(['run', 'relay.first', '--max-depth', '2', '--json', '--home', asker.home])
    assert.match(shallow.stderr, /3 delegations deep, at most 2 are allowed/)
    await first.stop()
    assert.match((await mesh.a2a(['task', 'show', taskId, '--home', first.home])).stdout, /relay\.second/)
  })

  it('ends when whoever began it leaves', async t => {
    await using mesh = createMesh()
    const [asker, nodes] = await Promise.all([mesh.start('asker'), chain(mesh)])
    const work = await begun(mesh, asker, nodes)
    const at = Date.now()
    work.child.kill('SIGINT')
    const ms = await stopped(nodes) - at
    t.diagnostic(`four levels stopped within ${ms} ms`)
    assert.ok(ms < STOP_MS, `${ms} ms`)
    assert.equal((await work.finished).code, 130)
    for (const node of nodes) for (const row of await tasksOf(mesh, node)) assert.ok(row.ended, JSON.stringify(row))
  })

  it('ends below a node that is told to end, and below one that is killed, which has forgotten nothing of it when it is back', async t => {
    await using mesh = createMesh()
    const [asker, nodes] = await Promise.all([mesh.start('asker'), chain(mesh)])
    const [, second, third, fourth] = nodes as [StartedNode, StartedNode, StartedNode, StartedNode]
    const work = await begun(mesh, asker, nodes)
    let at = Date.now()
    third.process.child.kill('SIGTERM')
    t.diagnostic(`the level below one that ends stopped within ${await stopped([fourth]) - at} ms`)
    assert.equal((await third.process.finished).code, 0)
    await work.finished

    const again = await Promise.all([relay(mesh, 'third', 'fourth'), relay(mesh, 'fifth', 'second')])
    const [, fifth] = again
    const next = mesh.stream(['run', 'relay.fifth', '--input', '"wait"', '--json', '--home', asker.home])
    await fifth.process.event(({ event }) => event === 'began')
    const counted = (node: StartedNode, what: string): Promise<any> => {
      const before = node === again[0] ? 0 : 1
      return node.process.event(event => event.event === what && node.process.events.filter(other => other.event === what).indexOf(event) >= before)
    }
    await counted(fourth, 'began')
    at = Date.now()
    second.signal('SIGKILL')
    const ends = await Promise.all([again[0], fourth].map(node => counted(node, 'stopped')))
    const ms = Math.max(...ends.map(end => end.at as number)) - at
    t.diagnostic(`two levels below one that is killed stopped within ${ms} ms`)
    assert.ok(ms < STOP_MS, `${ms} ms`)
    const back = await relay(mesh, 'second', 'third')
    const [orphan] = (await tasksOf(mesh, back)).filter(({ role, capability }) => role === 'requester' && capability === 'relay.third')
    assert.deepEqual([orphan.ended, orphan.failure], [true, 'CANCELLED'])
    next.child.kill('SIGINT')
    await next.finished
  })
})
