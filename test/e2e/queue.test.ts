/** The background queue over processes that are killed: what was acknowledged is done once, or is a dead letter. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh, LOOPBACK, type Mesh, type Streaming } from '../support/processes.ts'

const POISON = ['--module', join(import.meta.dirname, '../support/poison.ts')]

const startsIn = (file: string): string[] => existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []

/** Queues a job at a node's home; its id. */
async function enqueue (mesh: Mesh, home: string, capability: string, input: unknown, ...more: string[]): Promise<string> {
  const { code, stderr, events: [detached] } = await mesh.a2a(['run', capability, '--input', JSON.stringify(input), '--detach', '--json', '--home', home, ...more])
  assert.equal(code, 0, stderr)
  return detached.task_id
}

/** Follows a job to its end. */
const followed = async (mesh: Mesh, home: string, id: string) => await mesh.a2a(['task', 'resume', id, '--json', '--home', home], { timeoutMs: 90_000 })

describe('a job in the queue', () => {
  it('is done once, though its requester is killed while it waits, runs and ends', async () => {
    await using mesh = createMesh()
    const file = join(mesh.folder, 'starts')
    let asker = await mesh.start('asker')
    const waiting = await enqueue(mesh, asker.home, 'work.effect.make', { ms: 0 }, '--idempotency-key', 'first')
    asker.signal('SIGKILL')
    await asker.process.finished
    await mesh.start('worker', POISON, { env: { STARTS: file } })
    asker = await mesh.start('asker')
    const running = await enqueue(mesh, asker.home, 'work.effect.make', { ms: 1_500 }, '--idempotency-key', 'second')
    const events = mesh.stream(['task', 'resume', running, '--json', '--home', asker.home])
    await events.event(({ event }) => event === 'progress')
    asker.signal('SIGKILL')
    await events.finished
    asker = await mesh.start('asker')
    for (const [id, key] of [[waiting, 'first'], [running, 'second']] as const) {
      const { code, events } = await followed(mesh, asker.home, id)
      assert.equal(code, 0, JSON.stringify(events))
      assert.deepEqual([events.at(-1).task_id, events.at(-1).output], [id, key])
      assert.equal(events.filter(({ event }) => event === 'result').length, 1)
    }
    assert.deepEqual(startsIn(file).toSorted(), ['first', 'second'])
    assert.equal(await enqueue(mesh, asker.home, 'work.effect.make', { ms: 1_500 }, '--idempotency-key', 'second'), running)
    assert.equal((await followed(mesh, asker.home, running)).events.at(-1).output, 'second')
    assert.equal(startsIn(file).length, 2)
  })

  it('that kills its provider is a dead letter after five starts over its restarts, and is done by a replay once that is mended', { timeout: 180_000 }, async () => {
    await using mesh = createMesh()
    const file = join(mesh.folder, 'starts')
    const start = (): Streaming => mesh.stream(['start', '--json', '--home', mesh.home('worker'), '--name', 'worker', ...LOOPBACK, ...POISON], { env: { STARTS: file }, timeoutMs: 180_000 })
    const asker = await mesh.start('asker')
    let worker = start()
    const id = await enqueue(mesh, asker.home, 'work.poison.do', 'x')
    for (let kill = 1; kill <= 5; kill++) {
      await worker.finished
      assert.equal(startsIn(file).length, kill)
      worker = start()
    }
    const { code, events, stderr } = await followed(mesh, asker.home, id)
    assert.equal(code, 1)
    assert.equal(events.at(-1).code, 'DEAD_LETTER')
    assert.equal(events.at(-1).facts.attempts, 5)
    assert.match(stderr, /a2a-node dead show/)
    const { events: [letter] } = await mesh.a2a(['dead', 'show', id.slice(0, 14), '--json', '--home', asker.home])
    assert.deepEqual([letter.job_id, letter.capability, letter.input, letter.attempts.length], [id, 'work.poison.do', 'x', 5])
    assert.ok(letter.attempts.every(({ provider, failure }: any) => provider !== undefined && ['PEER_UNREACHABLE', 'HANDLER_LOST', 'LEASE_EXPIRED'].includes(failure.code)), JSON.stringify(letter.attempts))
    assert.deepEqual((await mesh.a2a(['status', '--json', '--home', asker.home])).events[0].queue, { waiting: 0, running: 0, dead: 1 })
    await worker.event(({ event }) => event === 'ready')
    assert.equal(startsIn(file).length, 5)

    writeFileSync(`${file}.mended`, '')
    assert.equal((await mesh.a2a(['dead', 'replay', id, '--home', asker.home])).stdout, `${id}\n`)
    const again = await followed(mesh, asker.home, id)
    assert.equal(again.code, 0, again.stderr)
    assert.equal(again.events.at(-1).output, 'X')
    assert.equal(startsIn(file).length, 6)
    assert.deepEqual((await mesh.a2a(['dead', 'ls', '--json', '--home', asker.home])).events, [])
  })

  it('that kills the very process that asked for it is a dead letter after five starts, too', { timeout: 180_000 }, async () => {
    await using mesh = createMesh()
    const file = join(mesh.folder, 'starts')
    const home = mesh.home('alone')
    const start = (): Streaming => mesh.stream(['start', '--json', '--home', home, ...LOOPBACK, ...POISON], { env: { STARTS: file }, timeoutMs: 180_000 })
    let node = start()
    await node.event(({ event }) => event === 'ready')
    // The answer may be lost with the process.
    const asked = await mesh.a2a(['run', 'work.poison.do', '--input', '"x"', '--detach', '--idempotency-key', 'k', '--home', home])
    for (let kill = 1; kill <= 5; kill++) {
      await node.finished
      assert.equal(startsIn(file).length, kill, asked.stderr)
      node = start()
    }
    await node.event(({ event }) => event === 'ready')
    const id = await enqueue(mesh, home, 'work.poison.do', 'x', '--idempotency-key', 'k')
    assert.equal((await followed(mesh, home, id)).events.at(-1).code, 'DEAD_LETTER')
    assert.deepEqual(startsIn(file), ['k', 'k', 'k', 'k', 'k'])
    const dropped = await mesh.a2a(['dead', 'drop', '--all', '--home', home])
    assert.match(dropped.stdout, new RegExp(`dropped ${id} \\(work.poison.do, attempts: 5\\)`))
    assert.equal((await mesh.a2a(['task', 'ls', '--json', '--home', home])).events.find(({ role }) => role === 'job').stage, 'dropped')
  })
})
