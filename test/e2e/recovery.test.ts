/** A process that is killed goes on where it was: the log is folded, and the task ends once. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh } from '../support/processes.ts'
import { until } from '../net/support.ts'

const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]

describe('after kill -9', () => {
  it('a node starts from compiled code', async () => {
    await using mesh = createMesh()
    const folder = join(mesh.folder, 'compiled')
    await mesh.start('node', [], { env: { NODE_COMPILE_CACHE: folder } })
    // Written while it runs: who is killed has no end to write it at.
    await until(() => existsSync(folder) && readdirSync(folder, { recursive: true }).length > 20, 'the code, compiled')
  })

  it('of the requester, its task goes on and can be followed from the beginning', async () => {
    await using mesh = createMesh()
    await mesh.start('worker', WORKER)
    const asker = await mesh.start('asker')
    const work = mesh.stream(['run', 'work.steps.do', '--input', '{"steps":8,"stepMs":250}', '--json', '--home', asker.home])
    const { task_id: taskId } = await work.event(({ event }) => event === 'progress')
    asker.signal('SIGKILL')
    assert.equal((await work.finished).code, 6)
    const again = await mesh.start('asker')
    assert.equal(again.agentId, asker.agentId)
    const { code, events } = await mesh.a2a(['task', 'resume', taskId, '--json', '--home', again.home])
    assert.equal(code, 0, JSON.stringify(events.at(-1)))
    assert.equal(events[0].event, 'announced')
    assert.equal(events.filter(({ event }) => event === 'result').length, 1)
    assert.equal(events.at(-1).output.by, 'worker')
  })

  it('of the only provider, it is given the work again when it is back', async () => {
    await using mesh = createMesh()
    const worker = await mesh.start('worker', WORKER)
    const asker = await mesh.start('asker')
    const work = mesh.stream(['run', 'work.steps.do', '--input', '{"steps":5,"stepMs":100}', '--patient', '--json', '--home', asker.home])
    const { provider } = await work.event(({ event }) => event === 'progress')
    assert.equal(provider, worker.agentId)
    worker.signal('SIGKILL')
    const second = await mesh.start('second', WORKER)
    const { code, events } = await work.finished
    assert.equal(code, 0, JSON.stringify(events.at(-1)))
    assert.equal(events.at(-1).provider, second.agentId)
  })

  it('a detached task is done all the same, and its result is in the log', async () => {
    await using mesh = createMesh()
    await mesh.start('worker', WORKER)
    const asker = await mesh.start('asker')
    const { code, stdout } = await mesh.a2a(['run', 'work.steps.do', '--input', '{"steps":2,"stepMs":100}', '--detach', '--home', asker.home])
    assert.equal(code, 0)
    const [taskId = ''] = /[0-9A-Z]{26}/.exec(stdout) ?? []
    const { events } = await mesh.a2a(['task', 'resume', taskId, '--json', '--home', asker.home])
    assert.equal(events.at(-1).event, 'result')
  })
})
