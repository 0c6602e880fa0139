/** Content between processes: those that are killed, slow, and out of space. */
import assert from 'node:assert/strict'
import { execFileSync, fork, type ChildProcess } from 'node:child_process'
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { ContentRef, ReceivedFile } from '../../src/core/content.ts'
import { FETCH } from '../../src/content/limits.ts'
import { CHUNK, digestOfFile, fileOf, folderFor, MB } from './support.ts'
import type { Order } from './peer.ts'

interface Process {
  readonly addresses: string[]
  readonly port: string
  ask: <T>(order: Omit<Order, 'id'>, onBytes?: (bytes: number) => void) => Promise<T>
  kill: () => Promise<void>
}

async function start (t: TestContext, folder: string, seed = ''): Promise<Process> {
  mkdirSync(folder, { recursive: true })
  const child: ChildProcess = fork(join(import.meta.dirname, 'peer.ts'), [folder, seed], { execArgv: ['--expose-gc'] })
  const waiting = new Map<number, { onBytes: (bytes: number) => void, resolve: (result: any) => void, reject: (error: Error) => void }>()
  const ready = Promise.withResolvers<{ addresses: string[] }>()
  let ids = 0
  child.on('message', (message: any) => {
    if (message.ready !== undefined) ready.resolve(message.ready)
    const entry = waiting.get(message.id)
    if (message.bytes !== undefined) entry?.onBytes(message.bytes)
    else if (message.failed !== undefined) entry?.reject(new Error(message.failed))
    else entry?.resolve(message.result)
  })
  child.on('exit', () => { for (const { reject } of waiting.values()) reject(new Error('the process ended')) })
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  t.after(kill)
  const { addresses } = await ready.promise
  return {
    addresses,
    port: /\/tcp\/(\d+)/.exec(addresses[0] ?? '')?.[1] ?? '',
    ask: (order, onBytes = () => {}) => new Promise((resolve, reject) => {
      const id = ++ids
      waiting.set(id, { onBytes, resolve, reject })
      child.send({ id, ...order })
    }),
    kill
  }
}

const TOTAL = 150 * MB

/** Resolves when so much has come, or when it has ended before. */
function after (process: Process, order: Omit<Order, 'id'>, bytes: number): { reached: Promise<unknown>, ended: Promise<unknown> } {
  const reached = Promise.withResolvers<unknown>()
  const ended = process.ask(order, so => { if (so >= bytes) reached.resolve(so) })
  ended.then(reached.resolve, reached.resolve)
  ended.catch(() => {})
  return { reached: reached.promise, ended }
}

test('a receiver that is killed goes on where it was', { timeout: 120_000 }, async t => {
  const folder = folderFor(t)
  const source = await fileOf(folder, TOTAL)
  const a = await start(t, join(folder, 'a'))
  const ref = await a.ask<ContentRef>({ send: source })
  const file = join(folder, 'copy')
  for (let round = 0; round < 2; round++) {
    const b = await start(t, join(folder, 'b'))
    await after(b, { receive: { ref, file } }, randomInt(TOTAL / 20, TOTAL / 2)).reached
    await b.kill()
    assert.ok(!existsSync(file))
  }
  const b = await start(t, join(folder, 'b'))
  const { resumedBytes } = await b.ask<ReceivedFile>({ receive: { ref, file } })
  const doubled = await a.ask<number>({ served: true }) - TOTAL
  assert.equal(await digestOfFile(file), await digestOfFile(source))
  t.diagnostic(`${resumedBytes} bytes were there, ${doubled} were sent twice in two breaks`)
  assert.ok(resumedBytes > TOTAL / 20)
  // The first break loses what was on its way; whoever has been broken once asks for less ahead.
  assert.ok(doubled <= FETCH.aheadBytes + TOTAL / 100, `${doubled} bytes were sent twice`)
})

test('a sender that is killed and comes back is fetched from where it was, by the same receive', { timeout: 120_000 }, async t => {
  const folder = folderFor(t)
  const source = await fileOf(folder, TOTAL)
  const seed = randomBytes(32).toString('hex')
  const a = await start(t, join(folder, 'a'), seed)
  const ref = await a.ask<ContentRef>({ send: source })
  const b = await start(t, join(folder, 'b'))
  const file = join(folder, 'copy')
  const where = randomInt(TOTAL / 20, TOTAL / 2)
  const { reached, ended } = after(b, { receive: { ref, file } }, where)
  await reached
  await a.kill()
  const again = await start(t, join(folder, 'a'), `${seed}:${a.port}`)
  await ended
  const rest = await again.ask<number>({ served: true })
  assert.equal(await digestOfFile(file), await digestOfFile(source))
  assert.ok(rest <= TOTAL - where + TOTAL / 100, `${rest} bytes were sent for ${TOTAL - where}`)
})

test('a file is written by one process at a time, and is free again when that one is killed', { timeout: 120_000 }, async t => {
  const folder = folderFor(t)
  const source = await fileOf(folder, TOTAL)
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(name => start(t, join(folder, name))))
  assert.ok(a !== undefined && b !== undefined && c !== undefined)
  const ref = await a.ask<ContentRef>({ send: source })
  const file = join(folder, 'copy')
  await after(b, { receive: { ref, file } }, 1).reached
  await assert.rejects(c.ask({ receive: { ref, file } }), /BAD_USAGE/)
  await assert.rejects(b.ask({ receive: { ref, file } }), /BAD_USAGE/)
  await b.kill()
  await c.ask({ receive: { ref, file } })
  assert.equal(await digestOfFile(file), await digestOfFile(source))
  assert.deepEqual(['', '.partial', '.partial.lock'].map(end => existsSync(file + end)), [true, false, false])
})

test('a slow reader costs neither end memory', { timeout: 120_000 }, async t => {
  const folder = folderFor(t)
  const source = await fileOf(folder, 500 * MB)
  const [a, b] = await Promise.all([start(t, join(folder, 'a')), start(t, join(folder, 'b'))])
  const ref = await a.ask<ContentRef>({ send: source })
  // Once at full speed, so that the code is there and the heaps have their size.
  const warm = await a.ask<ContentRef>({ send: await fileOf(folder, 60 * MB, 'warm') })
  await b.ask({ receive: { ref: warm } })
  await Promise.all([a.ask({ memory: true }), b.ask({ memory: true })])
  await Promise.all([a.ask({ memory: true }), b.ask({ memory: true })])
  const before = await Promise.all([a.ask<number>({ memory: true }), b.ask<number>({ memory: true })])
  const { reached } = after(b, { receive: { ref, perSecond: 8 * MB } }, 24 * MB)
  await reached
  const most = await Promise.all([a.ask<number>({ memory: true }), b.ask<number>({ memory: true })])
  const grown = most.map((bytes, index) => Math.round((bytes - (before[index] ?? 0)) / 1_048_576))
  t.diagnostic(`the sender grew by ${grown[0]} MiB, the receiver by ${grown[1]} MiB`)
  assert.ok(Math.max(...grown) <= 32, `${grown.join(' and ')} MiB`)
  assert.ok(await a.ask<number>({ served: true }) < 200 * MB)
})

test('a full disk is said, what was there is kept, and nothing half-written counts as whole', { timeout: 60_000 }, async t => {
  const folder = folderFor(t)
  const small = join(folder, 'small')
  mkdirSync(small)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=300m', 'tmpfs', small], { stdio: 'pipe' })
  } catch {
    t.skip('this needs the right to mount')
    return
  }
  try {
    const [a, b] = await Promise.all([start(t, join(folder, 'a')), start(t, join(folder, 'b'))])
    // Too large to begin with.
    const large = await a.ask<ContentRef>({ send: await fileOf(folder, 300 * MB, 'large') })
    await assert.rejects(b.ask({ receive: { ref: large, file: join(small, 'large') } }), /NO_SPACE/)
    assert.deepEqual([existsSync(join(small, 'large')), statSync(join(small, 'large.partial')).size], [false, 0])
    // It fits, until somebody else takes the space. It takes longer to come than that does.
    const ref = await a.ask<ContentRef>({ send: await fileOf(folder, 200 * MB, 'fits') })
    const file = join(small, 'fits')
    let filled = false
    await assert.rejects(b.ask({ receive: { ref, file } }, bytes => {
      if (bytes < 2 * MB || filled) return
      filled = true
      execFileSync('sh', ['-c', `head -c 320000000 /dev/zero > ${join(small, 'other')} || true`], { stdio: 'pipe' })
    }), /NO_SPACE/)
    assert.ok(filled && !existsSync(file))
    await rm(join(small, 'other'))
    const { resumedBytes } = await b.ask<ReceivedFile>({ receive: { ref, file } })
    assert.ok(resumedBytes >= 2 * MB - CHUNK)
    assert.equal(await digestOfFile(file), await digestOfFile(join(folder, 'fits')))
    await Promise.all([a.kill(), b.kill()])
  } finally {
    execFileSync('umount', ['-l', small], { stdio: 'pipe' })
  }
})
