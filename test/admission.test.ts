/** A provider that can do one thing at a time, and what becomes of those who ask for more: two real nodes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { createNode, type Agent, type DelegateOptions, type HostedNode, type TaskEvent, type Work } from '../src/index.ts'

const CAPABILITY = 'press.page.print'

let folder: string
let nodes: HostedNode[]
let asker: Agent | undefined
/** When each page begins, and when the test lets it end. */
const pages = new Map<number, { begun: PromiseWithResolvers<void>, end: PromiseWithResolvers<void> }>()
const pageOf = (page: number) => {
  const found = pages.get(page) ?? { begun: Promise.withResolvers<void>(), end: Promise.withResolvers<void>() }
  pages.set(page, found)
  return found
}
const printed: number[] = []

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'a2a-queue-'))
  nodes = await Promise.all(['asker', 'press'].map(name =>
    createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })))
  await Promise.all(nodes.map(node => node.joined()))
  asker = nodes[0]?.agents[0]
  await nodes[1]?.agents[0]?.provide<number>(CAPABILITY, {
    maxConcurrent: 1, queue: 2,
    bid: () => ({ cost: 1, confidence: 1, durationMs: 60_000 }),
    run: async page => {
      const { begun, end } = pageOf(page)
      printed.push(page)
      begun.resolve()
      await end.promise
      return page
    }
  })
})
after(async () => {
  await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
  rmSync(folder, { recursive: true, force: true })
})

const ask = (page: number, options: DelegateOptions = {}): Work => (asker as Agent).delegate(CAPABILITY, page, { leaseMs: 300, ...options })
const busy = (): { running?: number, queued?: number, load?: number } => {
  const { running, queued, load } = nodes[1]?.status().agents[0] ?? {}
  return { running, queued, load }
}
async function first<E extends TaskEvent['event']> (work: Work, kind: E): Promise<Extract<TaskEvent, { event: E }>> {
  for await (const event of work) if (event.event === kind) return event as Extract<TaskEvent, { event: E }>
  throw new Error(`it ended without ${kind}`)
}

it('takes on as many as may wait, keeps their leases, tells the others that it is busy, and drops who waits beyond its deadline', async () => {
  const works: Work[] = []
  for (const page of [1, 2]) {
    works.push(ask(page))
    await first(works.at(-1) as Work, 'accepted')
  }
  const late = ask(3, { maxDurationMs: 1_200 })
  await first(late, 'accepted')
  assert.deepEqual(busy(), { running: 1, queued: 2, load: 1 })
  const fourth = ask(4, { patient: true, maxDurationMs: 30_000 })
  assert.match((await first(fourth, 'passed')).reason, /^too many tasks at work or waiting \(limit 3\)/)

  // It waits four times as long as its lease: no sign of life would have ended it as LEASE_EXPIRED.
  await assert.rejects(late.result, { code: 'DEADLINE_EXCEEDED' })
  await first(fourth, 'accepted')
  assert.deepEqual(printed, [1])
  const bid = await first(fourth, 'bid')
  assert.ok(bid.load > 0.5, `a load of ${bid.load}`)

  for (const [i, page] of [1, 2, 4].entries()) {
    await pageOf(page).begun.promise
    assert.deepEqual([busy().running, busy().queued], [1, 2 - i])
    pageOf(page).end.resolve()
    const { output } = await ([...works, fourth][i] as Work).result
    assert.equal(output, page)
  }
  assert.deepEqual(printed, [1, 2, 4], 'what was dropped never ran')
  assert.deepEqual([busy().running, busy().queued], [0, 0])
  const row = nodes[1]?.log.task('provider', late.taskId)
  // Its own clock, or its owner who says so first.
  assert.match(`${row?.stage} ${row?.failure}`, /^(expired DEADLINE_EXCEEDED|revoked CANCELLED)$/)
})

it('a time that is promised while others wait has the wait in it', async () => {
  const works = [5, 6].map(page => ask(page))
  await pageOf(5).begun.promise
  await Promise.all(works.map(work => first(work, 'accepted')))
  const third = ask(7)
  const { durationMs = 0 } = await first(third, 'bid')
  assert.ok(durationMs > 60_000, `${durationMs} ms`)
  for (const [i, page] of [5, 6, 7].entries()) {
    await pageOf(page).begun.promise
    pageOf(page).end.resolve()
    await ([...works, third][i] as Work).result
  }
})

it('of many calls at once it bids for no more than it could take on, and all are done in the end', async () => {
  const many = Array.from({ length: 12 }, (_, i) => ask(100 + i, { patient: true }))
  const bids = await Promise.all(many.map(async work => { for await (const { event } of work) if (event === 'bid' || event === 'passed') return event }))
  assert.ok(bids.filter(kind => kind === 'bid').length <= 3, `${bids}`)
  for (const page of many.keys()) pageOf(100 + page).end.resolve()
  const done = await Promise.all(many.map(({ result }) => result))
  assert.deepEqual(done.map(({ output }) => output).sort(), many.map((_, i) => 100 + i))
})
