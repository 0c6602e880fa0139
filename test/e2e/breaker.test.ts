/** What fails again and again, a slow dependency or an agent that has fallen silent, is left alone, holds up nobody, and comes back. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createMesh, type Mesh } from '../support/processes.ts'
import { createNode, type Agent, type HostedNode, type TaskEvent, type Work } from '../../src/index.ts'

const MODULE = ['--module', join(import.meta.dirname, '../support/dependent.ts')]
const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]
const SLOW_MS = 30_000
/** What requesters give it. */
const DEADLINE_MS = 1_500
const ROUNDS = 40

/** An HTTP service that is quick, until it is told to be slow. */
async function createDependency (): Promise<{ url: string, slow: boolean } & AsyncDisposable> {
  const server = createServer((_request, response) => {
    const timer = setTimeout(() => { response.end('{"level":7}') }, dependency.slow ? SLOW_MS : 1)
    response.on('close', () => { clearTimeout(timer) })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dependency = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    slow: false,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    }
  }
  return dependency
}

/** In the mesh, in this process: what it asks for takes no start of a process. */
async function createAsker (mesh: Mesh): Promise<HostedNode> {
  const node = await createNode({ name: 'asker', home: mesh.home('asker'), rendezvous: join(mesh.folder, 'run/a2a-node/rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
  await node.joined()
  return node
}

/** Reads the stock, which needs the dependency: all events. */
async function read ({ agents: [agent] }: HostedNode, to?: string): Promise<TaskEvent[]> {
  const events: TaskEvent[] = []
  for await (const event of (agent as Agent).delegate('stock.level.read', null, { maxDurationMs: DEADLINE_MS, to })) events.push(event)
  return events
}

/** Prints labels, which needs nothing: how long each took, in ms. */
async function print ({ agents: [agent] }: HostedNode): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const begun = performance.now()
    await (agent as Agent).delegate('stock.label.print', null, { maxDurationMs: 10_000 }).result
    times.push(performance.now() - begun)
  }
  return times
}

/** The first reading that meets an open breaker. One may come before the last failure is on the provider's disk. */
async function firstPassed (asker: HostedNode, to?: string): Promise<TaskEvent[]> {
  const tried: TaskEvent[][] = []
  while (tried.length < 3) {
    const events = await read(asker, to)
    if (events.some(isPassedByBreaker)) return events
    tried.push(events)
  }
  throw new Error(`no breaker is open: ${JSON.stringify(tried)}`)
}

const isPassedByBreaker = (event: TaskEvent): boolean => event.event === 'passed' && /circuit breaker of .* is open/.test(event.reason)
const endOf = (events: TaskEvent[]): unknown => {
  const last = events.at(-1)
  return last?.event === 'failed' ? last.failure.code : last?.event === 'result' ? last.output : undefined
}
const percentile = (times: number[], share: number): number => times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1] ?? 0

describe('a dependency that takes 30 s', () => {
  it('opens its breaker after five failures, does not slow other work of its agent, and is used again when it is well', async t => {
    await using mesh = createMesh()
    await using dependency = await createDependency()
    const provider = await mesh.start('provider', MODULE, { env: { DEPENDENCY: dependency.url } })
    await using asker = await createAsker(mesh)
    const breakers = async (): Promise<any[]> => (await mesh.a2a(['status', '--json', '--home', provider.home])).events[0].agents[0].breakers

    assert.deepEqual(endOf(await read(asker)), { level: 7 })
    await print(asker)
    const without = await print(asker)

    dependency.slow = true
    const wave = Array.from({ length: 5 }, () => read(asker))
    const beside = await print(asker)
    assert.deepEqual((await Promise.all(wave)).map(endOf), wave.map(() => 'DEADLINE_EXCEEDED'))
    await firstPassed(asker)

    const [p99Without, p99Beside] = [percentile(without, 0.99), percentile(beside, 0.99)]
    t.diagnostic(`other work, p50 and p99: ${percentile(without, 0.5).toFixed(1)} and ${p99Without.toFixed(1)} ms alone, ${percentile(beside, 0.5).toFixed(1)} and ${p99Beside.toFixed(1)} ms beside the slow one`)
    assert.ok(p99Beside < Math.max(5 * p99Without, 250), `${p99Without} ms alone, ${p99Beside} ms beside it`)

    const rows = await breakers()
    assert.deepEqual(rows.map(({ of, name }) => `${of} ${name}`).toSorted(), ['adapter warehouse', 'capability stock.level.read'])
    const [text, doctor] = [await mesh.a2a(['status', '--home', provider.home]), await mesh.a2a(['doctor', '--home', provider.home])]
    assert.match(text.stdout, /^breakers +(adapter warehouse|capability stock\.level\.read) (half-)?open.*failures in a row: /m)
    assert.match(doctor.stdout, /warning +breakers +.*adapter warehouse is open after \d+ failures in a row/)

    dependency.slow = false
    while ((await read(asker)).at(-1)?.event !== 'result');
    assert.deepEqual(await breakers(), [])
    const { stderr } = await provider.stop()
    assert.match(stderr, /a circuit breaker has opened of=adapter name=warehouse .*failures=5\b/)
  })

  it('costs nobody any time once the breaker is open: who has another one gets the work', async () => {
    await using mesh = createMesh()
    await using ill = await createDependency()
    await using well = await createDependency()
    const cheap = await mesh.start('cheap', MODULE, { env: { DEPENDENCY: ill.url, DEPENDENT_COST: '1' } })
    const dear = await mesh.start('dear', MODULE, { env: { DEPENDENCY: well.url, DEPENDENT_COST: '50' } })
    await using asker = await createAsker(mesh)
    const winner = (events: TaskEvent[]): string | undefined => events.flatMap(event => event.event === 'result' ? [event.provider] : []).at(0)
    assert.equal(winner(await read(asker, cheap.agentId)), cheap.agentId)
    ill.slow = true
    await Promise.all(Array.from({ length: 5 }, () => read(asker, cheap.agentId)))
    await firstPassed(asker, cheap.agentId)
    assert.equal(winner(await read(asker)), dear.agentId)
    await Promise.all([cheap.stop(), dear.stop()])
  })
})

describe('an agent that falls silent', () => {
  it('is neither asked nor awarded anything, until it answers again', async () => {
    await using mesh = createMesh()
    const cheap = await mesh.start('cheap', WORKER, { env: { WORKER_COST: '1' } })
    const dear = await mesh.start('dear', WORKER, { env: { WORKER_COST: '50' } })
    await using asker = await createAsker(mesh)
    const agent = asker.agents[0] as Agent
    const work = (steps: number, to?: string): Work => agent.delegate('work.steps.do', { steps, stepMs: 100 }, { leaseMs: 500, maxDurationMs: 20_000, to })
    const first = async (task: Work, kind: TaskEvent['event']): Promise<any> => {
      for await (const event of task) if (event.event === kind) return event
      throw new Error(`no ${kind}`)
    }
    // Who has done something may be given more than one thing at a time.
    await work(0, cheap.agentId).result
    const tasks = Array.from({ length: 5 }, () => work(100))
    for (const task of tasks) assert.equal((await first(task, 'progress')).provider, cheap.agentId)
    cheap.signal('SIGSTOP')
    for (const task of tasks) assert.equal((await first(task, 'moved')).failure.code, 'LEASE_EXPIRED')
    assert.equal((await work(0).result).provider, dear.agentId)
    assert.match((await first(work(0, cheap.agentId), 'passed')).reason, /circuit breaker of did:key:\w+ is open/)
    const [row] = asker.status().agents[0]?.breakers ?? []
    assert.deepEqual([row?.of, row?.name, row?.failures], ['peer', cheap.agentId, 5])
    await Promise.all(tasks.map(task => task.cancel()))
    cheap.signal('SIGCONT')
    while (await work(0, cheap.agentId).result.then(() => false, () => true));
    assert.deepEqual(asker.status().agents[0]?.breakers, [])
    await Promise.all([cheap.stop(), dear.stop()])
  })
})
