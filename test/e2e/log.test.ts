/** The event log of a real node: damaged and repaired, replayed, on a full disk, on a disk that fails. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connectControl, type ControlClient } from '../../src/control/client.ts'
import { createMesh } from '../support/processes.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]
const DO = 'work.steps.do'
const QUICK = { steps: 1, stepMs: 1 }
const REFUSED_MS = 100
const BACK_MS = 5_000

async function control (home: string): Promise<ControlClient & Disposable> {
  const client = await connectControl(home)
  assert.ok(client)
  return Object.assign(client, { [Symbol.dispose]: () => { client.close() } })
}

/** Asks for a task, and says how it ended, and how long that took. */
async function ask (client: ControlClient): Promise<{ taskId?: string, code: string, message: string, ms: number, told: number }> {
  const begun = performance.now()
  let last: TaskEvent | undefined
  let told = 0
  try {
    for await (const event of client.run({ capability: DO, input: QUICK, maxDurationMs: 10_000 })) {
      last = event
      told++
    }
  } catch (error: any) {
    return { taskId: last?.taskId, code: error.code, message: error.message, ms: performance.now() - begun, told }
  }
  const code = last?.event === 'failed' ? last.failure.code : String(last?.event)
  return { taskId: last?.taskId, code, message: JSON.stringify(last), ms: performance.now() - begun, told }
}

describe('the event log of a node', () => {
  it('that is damaged is refused with what to do, and is whole again after a repair', async () => {
    await using mesh = createMesh()
    await mesh.start('worker', WORKER)
    const asker = await mesh.start('asker')
    const tasks: string[] = []
    for (let n = 0; n < 5; n++) {
      const { events } = await mesh.a2a(['run', DO, '--input', JSON.stringify(QUICK), '--json', '--home', asker.home])
      assert.equal(events.at(-1).event, 'result')
      tasks.push(events.at(-1).task_id)
    }
    const used = await mesh.a2a(['log', 'repair', '--home', asker.home])
    assert.equal(used.code, 6)
    assert.match(used.stderr, new RegExp(`in use by process ${asker.pid}`))
    await asker.stop()
    const file = join(asker.home, 'log.db')
    const whole = readFileSync(file)
    const damaged = Buffer.from(whole)
    damaged[whole.length >> 1] = damaged[whole.length >> 1] as number ^ 16
    writeFileSync(file, damaged)

    const refused = await mesh.a2a(['start', '--home', asker.home, '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns'])
    assert.equal(refused.code, 6)
    assert.match(refused.stderr, /log\.db: page \d+ of \d+ is not what was written.*a2a-node log repair/)
    const check = await mesh.a2a(['log', 'check', '--json', '--home', asker.home])
    assert.equal(check.code, 1)
    assert.equal(check.events[0].damage.length, 1)
    assert.ok(readFileSync(file).equals(damaged))
    const repair = await mesh.a2a(['log', 'repair', '--json', '--home', asker.home])
    assert.equal(repair.code, 0, repair.stderr)
    assert.deepEqual([repair.events[0].mended, repair.events[0].lost_pages], [1, 0])
    assert.ok(readFileSync(file).equals(whole))
    assert.ok(readFileSync(repair.events[0].kept[0]).equals(damaged))

    const again = await mesh.start('asker')
    for (const task of tasks) assert.equal((await mesh.a2a(['task', 'resume', task, '--json', '--home', again.home])).events.at(-1).event, 'result')
  })

  it('is replayed step by step, by the node and without it', async () => {
    await using mesh = createMesh()
    const worker = await mesh.start('worker', WORKER)
    const asker = await mesh.start('asker')
    const { events } = await mesh.a2a(['run', DO, '--input', '{"steps":3,"stepMs":20}', '--json', '--home', asker.home])
    const { task_id: taskId } = events[0]
    const running = await mesh.a2a(['replay', taskId, '--json', '--home', asker.home])
    assert.equal(running.code, 0, running.stderr)
    const last = running.events.at(-1)
    assert.deepEqual([last.role, last.type, last.state.stage, last.summary.ended], ['requester', 'result', 'settled', true])
    assert.deepEqual(running.events.map(({ step }) => step), running.events.map((_, n) => n + 1))
    assert.ok(running.events.some(({ type, effects }) => type === 'chosen' && effects.some((effect: any) => effect.type === 'award')))
    const provided = await mesh.a2a(['replay', taskId, '--json', '--home', worker.home])
    assert.deepEqual([provided.events.at(-1).role, provided.events.at(-1).state.stage], ['provider', 'closed'])
    const [{ task_id: jobId }] = (await mesh.a2a(['run', DO, '--input', JSON.stringify(QUICK), '--detach', '--json', '--home', asker.home])).events
    assert.equal((await mesh.a2a(['task', 'resume', jobId, '--json', '--home', asker.home])).events.at(-1).event, 'result')
    const job = await mesh.a2a(['replay', jobId, '--json', '--home', asker.home])
    assert.equal(job.code, 0, job.stderr)
    assert.deepEqual(job.events.map(({ role, type, state }) => [role, type, state.stage]), [['job', 'enqueued', 'ready'], ['job', 'started', 'running'], ['job', 'settled', 'settled']])
    await asker.stop()
    const stopped = await mesh.a2a(['replay', taskId, '--json', '--home', asker.home])
    assert.equal(stopped.stdout, running.stdout)
    const forPeople = await mesh.a2a(['replay', taskId, '--home', asker.home])
    assert.match(forPeople.stdout, /chosen +awarded, epoch 1, with \S+ +tell its owner: awarded, award \S+/)
  })

  it('on a full disk of 8 MB refuses at once, loses nothing, and goes on when there is space', { timeout: 120_000 }, async t => {
    await using mesh = createMesh()
    const home = mesh.home('small')
    mkdirSync(home, { recursive: true })
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', home], { stdio: 'pipe' })
    } catch {
      return t.skip('a file system of limited size can be mounted by root only')
    }
    try {
      await mesh.start('worker', WORKER)
      const small = await mesh.start('small')
      using client = await control(home)
      const acknowledged: string[] = []
      const keep = (answer: { taskId?: string, code: string }): void => { if (answer.code === 'result') acknowledged.push(answer.taskId as string) }
      for (let n = 0; n < 5; n++) keep(await ask(client))
      assert.equal(acknowledged.length, 5)

      const ballast = openSync(join(home, 'ballast'), 'w')
      assert.throws(() => { for (;;) writeSync(ballast, Buffer.alloc(4_096)) }, { code: 'ENOSPC' })
      let first = await ask(client)
      for (let n = 0; n < 100 && first.code === 'result'; n++, first = await ask(client)) keep(first)
      const refusals = [await ask(client), await ask(client), await ask(client), await ask(client), await ask(client)]
      for (const { code, message, ms } of [first, ...refusals]) {
        assert.equal(code, 'LOG_WRITE_FAILED', message)
        assert.match(message, /nothing was acknowledged|disk is full/)
        if (code !== first.code || first.ms !== ms) assert.ok(ms < REFUSED_MS, `refused after ${ms} ms`)
      }
      assert.equal((await client.status()).pid, small.pid)
      t.diagnostic(`${acknowledged.length} done before the disk was full; refused in ${refusals.map(({ ms }) => Math.round(ms)).join(', ')} ms`)

      const freed = performance.now()
      ftruncateSync(ballast)
      closeSync(ballast)
      let back = await ask(client)
      while (back.code !== 'result' && performance.now() - freed < BACK_MS) back = await ask(client)
      assert.equal(back.code, 'result', back.message)
      t.diagnostic(`works again ${Math.round(performance.now() - freed)} ms after there was space`)
      keep(back)

      small.signal('SIGKILL')
      await small.process.finished
      const again = await mesh.start('small')
      const { events } = await mesh.a2a(['task', 'ls', '--limit', '1000', '--json', '--home', again.home])
      const settled = new Set(events.filter(({ stage }) => stage === 'settled').map(row => row.task_id))
      for (const task of acknowledged) assert.ok(settled.has(task), task)
      await again.stop()
    } finally {
      execFileSync('umount', ['-l', home])
    }
  })

  it('whose fsync fails acknowledges nothing, and nothing of it comes back', { timeout: 120_000 }, async t => {
    await using mesh = createMesh()
    const worker = await mesh.start('worker', WORKER)
    const asker = await mesh.start('asker')
    using client = await control(asker.home)
    assert.equal((await ask(client)).code, 'result')

    const threads = readdirSync(`/proc/${asker.pid}/task`).flatMap(thread => ['-p', thread])
    const tracer = spawn('strace', [...threads, '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO', '-o', '/dev/null'], { stdio: ['ignore', 'ignore', 'pipe'] })
    const attached = await Promise.race([once(tracer.stderr, 'data').then(String), once(tracer, 'error').then(() => undefined), once(tracer, 'exit').then(() => undefined)])
    if (attached === undefined || !attached.includes('attached')) return t.skip(`needs strace, and the right to trace: ${attached ?? 'it is not there'}`)
    const refused = []
    for (let n = 0; n < 10; n++) refused.push(await ask(client))
    for (const { code, message, told } of refused) {
      assert.equal(code, 'LOG_WRITE_FAILED', message)
      assert.equal(told, 1, 'its owner is told of its failure, and of nothing else')
    }
    const before = await client.tasks()
    tracer.kill('SIGTERM')
    await once(tracer, 'close')
    assert.equal((await ask(client)).code, 'result')

    asker.signal('SIGKILL')
    await asker.process.finished
    const again = await mesh.start('asker')
    const after = (await mesh.a2a(['task', 'ls', '--json', '--home', again.home])).events
    assert.equal(before.length, 1)
    assert.equal(after.length, 2)
    assert.ok(worker.pid > 0)
  })
})
