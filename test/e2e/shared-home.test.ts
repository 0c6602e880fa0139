/** Commands without a node of their home: each brings its own for as long as it lasts, and they take turns. */
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh, LOOPBACK } from '../support/processes.ts'

const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]
const runOf = (input: object, home: string): string[] => ['run', 'work.steps.do', '--input', JSON.stringify(input), '--home', home, ...LOOPBACK]

describe('commands in a home without a node', () => {
  it('wait for each other, and are done both', async () => {
    await using mesh = createMesh()
    await mesh.start('worker', WORKER)
    const first = mesh.stream([...runOf({ steps: 8, stepMs: 250 }, mesh.home('asker')), '--json'])
    await first.event(({ event }) => event === 'progress')
    const second = await mesh.a2a(runOf({}, mesh.home('asker')))
    assert.equal(second.code, 0, second.stderr)
    assert.match(second.stderr, /another command uses the home .*: waiting for it/)
    assert.equal((await first.finished).code, 0)
  })

  it('stop waiting at Ctrl-C', async () => {
    await using mesh = createMesh()
    await mesh.start('worker', WORKER)
    const first = mesh.stream([...runOf({ steps: 40, stepMs: 250 }, mesh.home('asker')), '--json'])
    await first.event(({ event }) => event === 'progress')
    const second = mesh.stream(runOf({}, mesh.home('asker')))
    second.child.stderr?.once('data', () => { second.child.kill('SIGINT') })
    const { code, ms } = await second.finished
    assert.equal(code, 130)
    assert.ok(ms < 5_000)
  })

  it('do not list themselves', async () => {
    await using mesh = createMesh()
    const { code, stdout, stderr } = await mesh.a2a(['agents', '--home', mesh.home('asker'), ...LOOPBACK])
    assert.deepEqual([code, stdout], [0, ''])
    assert.match(stderr, /no agent offers anything yet/)
  })

  it('say that nobody offers it, also when the deadline comes before the last round', async () => {
    await using mesh = createMesh()
    const { code, events } = await mesh.a2a(['run', 'nobody.x', '--max-duration', '1s', '--json', '--home', mesh.home('asker'), ...LOOPBACK])
    assert.deepEqual([code, events.at(-1).code], [3, 'NO_CAPABLE_AGENT'])
  })
})

it('a task that has ended is not cancelled, nor one that somebody else asked for', async () => {
  await using mesh = createMesh()
  const worker = await mesh.start('worker', WORKER)
  const asker = await mesh.start('asker')
  const { events: [{ task_id: taskId }] } = await mesh.a2a(['run', 'work.steps.do', '--input', '{}', '--json', '--home', asker.home])
  for (const [home, why] of [[asker.home, /has ended already/], [worker.home, /asked for by another agent/]] as const) {
    const { code, stderr } = await mesh.a2a(['task', 'cancel', taskId, '--home', home])
    assert.equal(code, 5)
    assert.match(stderr, why)
  }
  const { stdout } = await mesh.a2a(['task', 'ls', '--home', asker.home])
  assert.match(stdout, /settled/)
})
