/** What one delegation costs, and what it waits for: a node that asks, and one with three agents that can. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { createNode, type Agent, type HostedNode, type TaskEvent } from '../src/index.ts'

const CAPABILITY = 'text.trivial.echo'
/** Commits of both sides together: three and three, and one more each when a task comes so late that the end of the last was written by itself. */
const MOST_COMMITS = 8

let folder: string
let nodes: HostedNode[]
let asker: Agent
/** What the third agent does with a call. */
let third: 'bid' | 'pass' = 'bid'

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'a2a-delegation-'))
  nodes = await Promise.all(['asker', 'worker'].map(name =>
    createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })))
  const [asking, working] = nodes as [HostedNode, HostedNode]
  asker = asking.agents[0] as Agent
  const workers = [working.agents[0] as Agent, await working.createAgent(), await working.createAgent()]
  await Promise.all(nodes.map(node => node.joined()))
  for (const [i, worker] of workers.entries()) {
    await worker.provide(CAPABILITY, { bid: () => i === 2 && third === 'pass' ? undefined : { cost: 1, confidence: 1 }, run: (input: unknown) => input })
  }
})
after(async () => {
  await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
  rmSync(folder, { recursive: true, force: true })
})

async function eventsOf (work: AsyncIterable<TaskEvent>): Promise<TaskEvent[]> {
  const events: TaskEvent[] = []
  for await (const event of work) events.push(event)
  return events
}

it('the window for bids closes when all known to be capable have bid or passed', async () => {
  for (third of ['bid', 'pass'] as const) {
    const events = await eventsOf(asker.delegate(CAPABILITY, 1, { bidWindowMs: 15_000, maxDurationMs: 30_000 }))
    const kinds = events.map(({ event }) => event)
    assert.deepEqual(kinds.slice(0, 5).sort(), third === 'bid' ? ['announced', 'awarded', 'bid', 'bid', 'bid'] : ['announced', 'awarded', 'bid', 'bid', 'passed'])
    assert.equal(kinds.at(-1), 'result')
    assert.ok((events.at(-1)?.at ?? Infinity) - (events[0]?.at ?? 0) < 10_000, 'long before the window would have closed')
  }
})

it('it takes three commits of each side', async t => {
  third = 'bid'
  const commits = t.mock.method(DatabaseSync.prototype, 'exec')
  const count = (): number => commits.mock.calls.filter(({ arguments: [sql] }) => sql === 'COMMIT').length
  await asker.delegate(CAPABILITY, 0).result
  const before = count()
  for (let n = 1; n <= 20; n++) assert.equal((await asker.delegate(CAPABILITY, n).result).output, n)
  const each = (count() - before) / 20
  assert.ok(each <= MOST_COMMITS, `${each} commits a delegation`)
})
