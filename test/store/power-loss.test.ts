/** The power fails at 200 moments of a log's life: what was acknowledged is there, and no damage is seen where there is none. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { systemClock as clock } from '../../src/core/clock.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { checkLog } from '../../src/store/repair.ts'
import { eventOf, summaryOf } from '../promises/event-log.ts'
import { callsOf, createDisk, recording } from '../support/power.ts'

const FAILURES = 200
/** Enough for several checkpoints. */
const ROUNDS = 800
const OPEN_MS = 2_000

it('loses nothing that was acknowledged when the power fails, and opens at once', { timeout: 170_000 }, async t => {
  try {
    execFileSync('strace', ['-qq', '-o', '/dev/null', 'true'], { stdio: 'pipe' })
  } catch {
    return t.skip('needs strace, and the right to trace')
  }
  const folder = mkdtempSync(join(tmpdir(), 'a2a-power-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'log.db')
  const [acks, trace] = [join(folder, 'acks'), join(folder, 'trace')]
  const names = ['log.db', 'log.db-wal', 'log.db-sums']
  await (await openEventLog({ file, clock })).close()
  const disk = createDisk(Object.fromEntries(['log.db', 'log.db-sums'].map(name => [name, readFileSync(join(folder, name))])))
  execFileSync('strace', [...recording(trace, [acks, ...names.map(name => join(folder, name))]), process.execPath, join(import.meta.dirname, 'acknowledger.ts'), file, acks, String(ROUNDS)])

  const calls = await callsOf(trace)
  const moments = Array.from({ length: FAILURES }, () => Math.floor(Math.random() * calls.length)).toSorted((a, b) => a - b)
  assert.ok(calls.filter(call => call.type === 'sync' && call.file === 'log.db').length >= 2, 'there were checkpoints')
  const acknowledged: any[] = []
  let slowestMs = 0
  for (const [n, call] of calls.entries()) {
    for (const moment of moments) if (moment === n) slowestMs = Math.max(slowestMs, await failAt(n))
    if (call.file !== 'acks') disk.play(call)
    else if (call.type === 'write') for (const line of String(call.bytes).trim().split('\n')) acknowledged.push(JSON.parse(line))
  }
  t.diagnostic(`${calls.length} calls, ${acknowledged.length} acknowledgements, ${FAILURES} failures; the slowest start took ${Math.round(slowestMs)} ms`)

  /** How long the log took to open. */
  async function failAt (moment: number): Promise<number> {
    const kept = ([0, 1, Math.random()] as const)[moment % 3] as number
    const home = join(folder, 'failed')
    rmSync(home, { recursive: true, force: true })
    mkdirSync(home)
    for (const [name, bytes] of disk.fail(kept)) writeFileSync(join(home, name), bytes)
    const begun = performance.now()
    const log = await openEventLog({ file: join(home, 'log.db'), clock })
    const ms = performance.now() - begun
    assert.ok(ms < OPEN_MS, `opened in ${ms} ms`)
    const receipts = log.chain.list('did:key:zA').length
    const values = new Map<string, number>()
    for (const ack of acknowledged) {
      if (ack.key !== undefined) values.set(ack.key, ack.n)
      else if (ack.receipt !== undefined) assert.ok(receipts >= ack.receipt / 7, `receipt ${ack.receipt}, at call ${moment} with ${kept} kept`)
    }
    for (const [key, n] of values) assert.ok(Number(Buffer.from(log.values.get(key) ?? [])) >= n, `${key}, at call ${moment} with ${kept} kept`)
    await log.append(eventOf(), summaryOf())
    await log.close()
    const database = new DatabaseSync(join(home, 'log.db'), { readOnly: true })
    const found = new Map(database.prepare('SELECT position, data FROM events').all().map(({ position, data }) => [position, JSON.parse(data as string)]))
    database.close()
    assert.equal(Math.max(...found.keys() as Iterable<number>), found.size)
    for (const { position, data } of acknowledged) if (position !== undefined) assert.equal(found.get(position), data, `event ${position}, at call ${moment} with ${kept} kept`)
    const { damage, faults } = checkLog(join(home, 'log.db'))
    assert.deepEqual({ damage, faults }, { damage: [], faults: [] }, `at call ${moment} with ${kept} kept`)
    return ms
  }
})
