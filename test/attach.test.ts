/** `agent.attach`: the events of a task by their numbers, from real nodes, over a restart. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createNode, type Agent, type HostedNode, type TaskEvent } from '../src/index.ts'

const COUNT = 'number.count.up'
const PARTS = 12

describe('agent.attach', () => {
  let folder: string
  let worker: HostedNode
  let asker: HostedNode
  const agentOf = (node: HostedNode): Agent => node.agents[0] as Agent
  const start = async (name: string): Promise<HostedNode> =>
    await createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
  const read = async (events: AsyncIterable<TaskEvent>, until: (event: TaskEvent) => boolean = () => false): Promise<TaskEvent[]> => {
    const all: TaskEvent[] = []
    for await (const event of events) {
      all.push(event)
      if (until(event)) break
    }
    return all
  }
  const plain = (events: TaskEvent[]): unknown => JSON.parse(JSON.stringify(events))

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'a2a-attach-'))
    ;[worker, asker] = await Promise.all([start('worker'), start('asker')])
    await asker.joined()
    // Goes on when its requester says so: it is away for as long as the test likes.
    await agentOf(worker).provide(COUNT, {
      run: async (input: { ask: boolean }, { artifact, progress, requireInput }) => {
        for (let part = 1; part <= PARTS; part++) {
          progress(part / PARTS)
          await artifact('part', { part })
          if (input.ask && part === PARTS / 2) await requireInput('go on?')
        }
        return PARTS
      }
    })
  })
  after(async () => {
    await Promise.all([worker, asker].map(node => node[Symbol.asyncDispose]()))
    rmSync(folder, { recursive: true, force: true })
  })

  it('tells every reader the same under the same numbers, from where it likes, also in the next process', async () => {
    const { taskId } = agentOf(asker).delegate(COUNT, { ask: true }, { maxDurationMs: 60_000, leaseMs: 20_000 })
    const isQuestion = ({ event }: TaskEvent): boolean => event === 'input-required'
    const begun = await read(agentOf(asker).attach(taskId), isQuestion)
    assert.deepEqual(begun.map(({ seq }) => seq), begun.map((_, i) => i + 1))
    assert.deepEqual(plain(await read(agentOf(asker).attach(taskId, { after: 4 }), isQuestion)), plain(begun.slice(4)))

    await asker[Symbol.asyncDispose]()
    asker = await start('asker')
    const last = begun.at(-1)?.seq ?? 0
    const [whole, rest] = [read(agentOf(asker).attach(taskId)), read(agentOf(asker).attach(taskId, { after: last }))]
    await asker.joined()
    await asker.hosted[0]?.requester.giveInput(taskId, 'yes')
    const all = await whole
    assert.deepEqual(plain(all.slice(0, last)), plain(begun))
    assert.deepEqual(plain(await rest), plain(all.slice(last)))
    assert.deepEqual(all.flatMap(event => event.event === 'artifact' ? [JSON.parse(Buffer.from(event.data).toString()).part] : []), Array.from({ length: PARTS }, (_, i) => i + 1))
    assert.equal(all.at(-1)?.event, 'result')
    // It has ended: what is told now is in the log alone.
    assert.deepEqual(plain(await read(agentOf(asker).attach(taskId, { after: 7 }))), plain(all.slice(7)))
    assert.deepEqual(await read(agentOf(asker).attach(taskId, { after: all.length })), [])
  })

  it('counts the events of a job over all its attempts', async () => {
    let runs = 0
    await using _ = await agentOf(worker).provide('number.count.twice', {
      run: () => {
        if (++runs === 1) throw new Error('not yet')
        return runs
      }
    })
    const job = await agentOf(asker).enqueue('number.count.twice', {})
    const live = await read(job)
    assert.ok(live.some(({ event }) => event === 'retrying'))
    assert.deepEqual(live.map(({ seq }) => seq), live.map((_, i) => i + 1))
    assert.ok(live.every(({ taskId }) => taskId === job.id))
    assert.deepEqual(plain(await read(agentOf(asker).attach(job.id))), plain(live))
    assert.deepEqual(plain(await read(agentOf(asker).attach(job.id, { after: 5 }))), plain(live.slice(5)))
  })

  it('ends with its signal, and refuses what it does not know', async () => {
    const work = agentOf(asker).delegate(COUNT, { ask: true }, { maxDurationMs: 60_000, leaseMs: 20_000 })
    const left = new AbortController()
    const events = await read(agentOf(asker).attach(work.taskId, { signal: left.signal }), ({ event }) => {
      if (event === 'input-required') left.abort()
      return false
    })
    assert.equal(events.at(-1)?.event, 'input-required')
    await work.cancel()
    assert.throws(() => agentOf(asker).attach('01JD4Q0000000000000000000'), { code: 'TASK_UNKNOWN' })
    assert.throws(() => agentOf(worker).attach(work.taskId), { code: 'TASK_UNKNOWN' })
    for (const after of [-1, 0.5, Number.NaN]) assert.throws(() => agentOf(asker).attach(work.taskId, { after }), { code: 'BAD_USAGE' })
  })
})
