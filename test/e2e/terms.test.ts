/** Bargains and terms of service between real nodes, one of them of the version before, which knows neither. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createNode, type Agent, type ContractView, type DelegateOptions, type HostedNode, type TaskEvent } from '../../src/index.ts'
import { recordsOf } from '../../src/operate/records.ts'
import { unpackPrevious } from '../support/previous.ts'
import { createMesh, type Mesh } from '../support/processes.ts'

const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]

describe('a bargain over real connections', { timeout: 120_000 }, () => {
  let mesh: Mesh
  let nodes: HostedNode[]
  let asker: Agent
  let dear: Agent
  let cheap: Agent

  const start = async (name: string): Promise<HostedNode> =>
    await createNode({ name, home: mesh.home(name), rendezvous: join(mesh.folder, 'run/a2a-node/rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
  const run = async (capability: string, options: DelegateOptions): Promise<{ taskId: string, events: TaskEvent[] }> => {
    const work = asker.delegate(capability, {}, { maxDurationMs: 30_000, bidWindowMs: 5_000, ...options })
    work.result.catch(() => {})
    const events: TaskEvent[] = []
    for await (const event of work) events.push(event)
    return { taskId: work.taskId, events }
  }
  const of = <K extends TaskEvent['event']>(events: TaskEvent[], kind: K) => events.filter((event): event is Extract<TaskEvent, { event: K }> => event.event === kind)

  /** The last contract of a task, once a node has both signatures of its receipt: the provider's comes a moment later. */
  const settled = async (node: HostedNode | undefined, taskId: string): Promise<ContractView> => {
    for (let looks = 0; looks < 250; looks++) {
      const contract = node === undefined ? undefined : (await recordsOf(node.log).contract(taskId)).at(-1)
      if (contract?.receipt?.verified === true) return contract
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
    throw new Error('its receipt was never countersigned')
  }

  before(async () => {
    mesh = createMesh()
    nodes = await Promise.all([start('asker'), start('dear'), start('cheap')])
    ;[asker, dear, cheap] = nodes.map(({ agents }) => agents[0]) as [Agent, Agent, Agent]
    await Promise.all(nodes.map(node => node.joined()))
  })
  after(async () => {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
    await mesh[Symbol.asyncDispose]()
  })

  it('who goes down when it is asked gets the work at its new price, and both keep a contract that says so', async () => {
    await using _ = await dear.provide('bargain.price.make', {
      bid: () => ({ cost: 9, durationMs: 60_000, confidence: 0.9 }),
      onCounter: (_call, { offered, asked }) => ({ ...offered, cost: Math.max(4, asked.cost ?? 0) }),
      run: async (_input, { terms }) => terms
    })
    await using __ = await cheap.provide('bargain.price.make', { bid: () => ({ cost: 6, confidence: 0.9 }), run: () => 'too dear' })
    const { taskId, events } = await run('bargain.price.make', { policy: 'cheapest', maxCostTokens: 10, counter: ({ cost }) => ({ cost: cost / 3 }), sla: { latePenalty: 0.5, progressEveryMs: 10_000 } })
    const [result] = of(events, 'result')
    assert.equal(result?.provider, dear.id)
    assert.deepEqual(result?.output, { cost: 4, durationMs: 60_000, progressEveryMs: 10_000, latePenalty: 0.5 })
    assert.equal(result?.cost, 4)
    assert.equal(of(events, 'countered').length, 3, 'both in the first turn, and who came down in the second')
    for (const node of nodes.slice(0, 2)) {
      const contract = await settled(node, taskId)
      assert.ok(contract.awardHolds && contract.acceptanceHolds)
      assert.deepEqual([contract.terms.cost, contract.terms.progress_ms, contract.terms.late_penalty], [4, 10_000, 0.5])
    }
  })

  it('who is late is paid less, and who shows no progress loses the work', async () => {
    const { promise: never, resolve: release } = Promise.withResolvers<void>()
    await using _ = await cheap.provide('bargain.term.break', { bid: () => ({ cost: 1, confidence: 0.9 }), run: () => never })
    await using __ = await dear.provide('bargain.term.break', {
      bid: () => ({ cost: 8, durationMs: 1, confidence: 0.9 }),
      run: async (_input, { progress, guard }) => {
        progress(0.5)
        await guard('the time', async () => { await new Promise(resolve => { setTimeout(resolve, 20) }) })
        return 'late'
      }
    })
    const { taskId, events } = await run('bargain.term.break', { policy: 'cheapest', sla: { latePenalty: 0.25, progressEveryMs: 2_000 } })
    release()
    const [moved] = of(events, 'moved')
    assert.deepEqual([moved?.provider, moved?.failure.code === 'SLA_BREACHED' && moved.failure.term], [cheap.id, 'progress'])
    const [result] = of(events, 'result')
    assert.deepEqual([result?.provider, result?.cost, result?.receipt.penalty], [dear.id, 6, 2])
    for (const node of nodes.slice(0, 2)) assert.equal((await settled(node, taskId)).receipt?.penalty, 2)
  })

  it('a node of the version before keeps its bid, and is not held to terms that it cannot read', async () => {
    const old = await mesh.start('old', WORKER, { bin: unpackPrevious(mesh.folder), env: { WORKER_COST: '7' } })
    const bargained = await run('work.steps.do', { counter: () => ({ cost: 1 }) })
    assert.deepEqual(of(bargained.events, 'answered').map(({ provider, revised, cost }) => [provider, revised, cost]), [[old.agentId, false, 7]])
    assert.equal(of(bargained.events, 'result')[0]?.cost, 7)
    const strict = await run('work.steps.do', { sla: { progressEveryMs: 5_000 } })
    assert.deepEqual(of(strict.events, 'awarded'), [])
    assert.match(of(strict.events, 'passed')[0]?.reason ?? '', /terms of service/)
    const [last] = of((await run('work.steps.do', {})).events, 'result')
    assert.equal(last?.provider, old.agentId, 'it is asked again like anybody')
  })
})
