/** The winner dies, sleeps, fails or breaks its promise: somebody else finishes, once. */
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh, LOOPBACK, type Mesh, type StartedNode, type Streaming } from '../support/processes.ts'

const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]
const LEASE_MS = 5_000

describe('the work moves on', () => {
  let mesh: Mesh
  let cheap: StartedNode
  let dear: StartedNode

  const run = (input: object, ...more: string[]): Streaming =>
    mesh.stream(['run', 'work.steps.do', '--input', JSON.stringify(input), '--json', '--home', mesh.home(`asker-${Math.random()}`), ...LOOPBACK, ...more])

  before(async () => {
    mesh = createMesh()
    dear = await mesh.start('dear', WORKER, { env: { WORKER_COST: '50' } })
  })
  after(() => mesh[Symbol.asyncDispose]())

  it('when the winner is killed in mid-work', async () => {
    cheap = await mesh.start('cheap', WORKER, { env: { WORKER_COST: '1' } })
    const work = run({ steps: 10, stepMs: 200 })
    const { provider } = await work.event(({ event }) => event === 'progress')
    assert.equal(provider, cheap.agentId)
    const killedAt = Date.now()
    cheap.signal('SIGKILL')
    const second = await work.event(({ event, epoch }) => event === 'awarded' && epoch === 2)
    assert.ok(second.at - killedAt <= LEASE_MS + 1_000, `awarded again after ${second.at - killedAt} ms`)
    const { code, events } = await work.finished
    assert.equal(code, 0)
    assert.deepEqual(events.at(-1).output, { by: 'dear', epoch: 2 })
    assert.equal(events.filter(({ event }) => event === 'result').length, 1)
  })

  it('when the winner sleeps, and its late result is refused and logged', async () => {
    cheap = await mesh.start('cheap', WORKER, { env: { WORKER_COST: '1' } })
    // Asked by a node that stays, so that there is somebody to refuse the late result.
    const asker = await mesh.start('asker')
    const work = mesh.stream(['run', 'work.steps.do', '--input', '{"steps":4,"stepMs":300}', '--json', '--home', asker.home])
    const { provider, task_id: taskId } = await work.event(({ event }) => event === 'progress')
    assert.equal(provider, cheap.agentId)
    const stoppedAt = Date.now()
    cheap.signal('SIGSTOP')
    const second = await work.event(({ event, epoch }) => event === 'awarded' && epoch === 2)
    assert.ok(second.at - stoppedAt <= LEASE_MS + 1_000, `awarded again after ${second.at - stoppedAt} ms`)
    const { code, events } = await work.finished
    assert.equal(code, 0)
    assert.equal(events.at(-1).provider, dear.agentId)
    cheap.signal('SIGCONT')
    // The sleeper learns of it, one way or the other: it was told to stop, or its result was refused.
    const ended = async (): Promise<string> => {
      for (let i = 0; i < 100; i++) {
        const { events: [view] } = await mesh.a2a(['task', 'show', taskId, '--json', '--home', cheap.home])
        if (view?.row.ended === true) return view.row.stage
      }
      return 'never'
    }
    assert.match(await ended(), /^(revoked|fenced)$/)
    const { events: [own] } = await mesh.a2a(['task', 'show', taskId, '--json', '--home', asker.home])
    assert.equal(own.history.filter(({ type }: { type: string }) => type === 'result').filter(({ data }: any) => data.provider === dear.agentId).length, 1)
    await Promise.all([cheap.stop(), asker.stop()])
  })

  it('when the winner fails', async () => {
    cheap = await mesh.start('cheap', WORKER, { env: { WORKER_COST: '1' } })
    const { code, events } = await run({ failFor: ['cheap'] }).finished
    assert.equal(code, 0)
    const moved = events.find(({ event }) => event === 'moved')
    assert.equal(moved.failure.code, 'HANDLER_FAILED')
    assert.equal(events.at(-1).output.by, 'dear')
    await cheap.stop()
  })

  it('when the winner breaks its promise of time', async () => {
    cheap = await mesh.start('cheap', WORKER, { env: { WORKER_COST: '1', WORKER_PROMISE: '20' } })
    const work = run({ steps: 60, stepMs: 200 }, '--max-duration', '40s')
    const moved = await work.event(({ event }) => event === 'moved')
    assert.equal(moved.failure.code, 'SLA_BREACHED')
    const next = await work.event(({ event, epoch }) => event === 'awarded' && epoch === 2)
    assert.equal(next.provider, dear.agentId)
    work.child.kill('SIGINT')
    assert.equal((await work.finished).code, 130)
    await cheap.stop()
  })

  it('and fails with the last reason when everybody has failed', async () => {
    const { code, events, stderr } = await run({ failFor: ['dear'] }).finished
    assert.equal(code, 1)
    assert.equal(events.at(-1).event, 'failed')
    assert.equal(events.at(-1).code, 'ALL_PROVIDERS_FAILED')
    assert.match(stderr, /dear was told to fail/)
  })

  it('by a new announcement, when the only bidder was killed and another comes', async () => {
    await using lonely = createMesh()
    const first = await lonely.start('first', WORKER)
    const work = lonely.stream(['run', 'work.steps.do', '--input', '{"steps":10,"stepMs":300}', '--json', '--home', lonely.home('asker'), ...LOOPBACK])
    await work.event(({ event }) => event === 'progress')
    const second = lonely.start('second', WORKER)
    const { agentId } = await second
    first.signal('SIGKILL')
    const { code, events } = await work.finished
    assert.equal(code, 0, JSON.stringify(events.at(-1)))
    assert.equal(events.at(-1).provider, agentId)
    assert.ok(events.some(({ event, round }) => event === 'announced' && round === 2))
  })
})
