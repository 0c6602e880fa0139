/** Bits that go over, sectors that are gone, files that are cut off: found, reported, and all that holds is saved. `FLIPS=500` tries more. */
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { systemClock as clock } from '../../src/core/clock.ts'
import { foldHistory } from '../../src/core/history.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { openDatabase } from '../../src/store/database.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { readSums } from '../../src/store/page-sums.ts'
import { checkLog, repairLog } from '../../src/store/repair.ts'
import { mendWal, readWal } from '../../src/store/wal.ts'
import { eventOf, summaryOf } from '../promises/event-log.ts'

const AGENT = 'did:key:zA'
const SECTOR = 512
/** So many that the write-ahead log has been written over in part. */
const EVENTS = 1_600
/** Bits that are turned, one at a time, over all files of a closed and of a crashed log. */
const FLIPS = Number(process.env.FLIPS ?? 100)

function folderFor (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-damage-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A life of several checkpoints: events of all sizes, values that are set again and removed, a chain of receipts. */
async function live (log: EventLog): Promise<void> {
  let previous: Uint8Array = new Uint8Array(32)
  for (let n = 0; n < EVENTS; n += 20) {
    await Promise.all(Array.from({ length: 20 }, (_, k) => {
      const data = { n: n + k, text: 'x'.repeat((n + k) % 37 * 20 + ((n + k) % 50 === 0 ? 9_000 : 0)) }
      return log.append(eventOf({ taskId: `task-${n + k >> 3}`, role: k % 2 === 0 ? 'requester' : 'provider', data }), summaryOf())
    }))
    const hash = new Uint8Array(32).fill(n / 20 + 1)
    await log.chain.append({ agent: AGENT, taskId: `task-${n}`, epoch: 1, at: n, previous, hash, statement: new Uint8Array(300 + n).fill(n) })
    previous = hash
    for (let k = 0; k < 10; k++) await log.values.set(`key-${(n + k) % 130}`, new Uint8Array(50).fill(n / 20))
    await log.values.delete(`key-${n % 130}`)
  }
}

type Files = Record<string, Buffer>

const filesIn = (folder: string): Files => Object.fromEntries(readdirSync(folder).filter(name => !name.endsWith('-shm') && (!name.endsWith('-wal') || statSync(join(folder, name)).size > 0)).map(name => [name, readFileSync(join(folder, name))]))

function lay (folder: string, files: Files): string {
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes)
  return join(folder, 'log.db')
}

/** Every row of every table, as text. */
function rowsOf (file: string): Record<string, string[]> {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    return Object.fromEntries(['events', 'tasks', 'receipts', 'kept_values'].map(table => [table, database.prepare(`SELECT * FROM ${table}`).all()
      .map(row => JSON.stringify(row, (_, value) => value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)).toSorted()]))
  } finally {
    database.close()
  }
}

/** A log that was closed, and the same one as a crash leaves it, with writes that are not in its file yet. */
async function createSpecimens (t: TestContext): Promise<{ folder: string, closed: Files, crashed: Files, rows: Record<string, string[]> }> {
  const folder = folderFor(t)
  const file = join(folder, 'log.db')
  const log = await openEventLog({ file, clock })
  await live(log)
  const crashed = filesIn(folder)
  await log.close()
  return { folder, crashed, closed: filesIn(folder), rows: rowsOf(file) }
}

const turnBit = (bytes: Buffer, bit: number): Buffer => {
  const turned = Buffer.from(bytes)
  turned[bit >> 3] = turned[bit >> 3] as number ^ 1 << (bit & 7)
  return turned
}

describe('a damaged log', () => {
  it('with one bit turned anywhere is found each time, refused as it is, and saved: whole where its checksum tells the bit', { timeout: 170_000 }, async t => {
    const { folder, closed, crashed, rows } = await createSpecimens(t)
    let unclear = 0
    const states = [closed, crashed].flatMap(files => Object.keys(files).map(name => [files, name] as const))
    assert.deepEqual(states.map(([, name]) => name), ['log.db', 'log.db-sums', 'log.db', 'log.db-sums', 'log.db-wal'])
    for (const [files, name] of states) {
      const whole = files[name] as Buffer
      for (let run = 0; run < FLIPS / states.length; run++) {
        const bit = Math.floor(Math.random() * whole.length * 8)
        const where = `bit ${bit} of ${name} of ${whole.length} bytes, ${files === closed ? 'closed' : 'crashed'}`
        const damaged = { ...files, [name]: turnBit(whole, bit) }
        const file = lay(folder, damaged)
        await assert.rejects(openEventLog({ file, clock }), { code: 'LOG_DAMAGED' }, where)
        assert.ok(Object.entries(filesIn(folder)).every(([kind, bytes]) => bytes.equals(damaged[kind] as Buffer)), where)
        const { damage, kept, lostPages, faults } = repairLog(file)
        assert.ok(damage.length > 0, where)
        for (const [kind, bytes] of Object.entries(damaged)) assert.ok(readFileSync(kept.find(path => path.endsWith(kind.slice('log.db'.length))) ?? '').equals(bytes), where)
        await (await openEventLog({ file, clock })).close()
        const saved = rowsOf(file)
        // The checksum of a frame of the write-ahead log does not always tell which bit it was: then the frame is lost, and said to be.
        if (lostPages === 0) assert.deepEqual({ saved, faults }, { saved: rows, faults: [] }, where)
        else {
          assert.equal(name, 'log.db-wal', where)
          unclear++
          assert.deepEqual(faults.filter(fault => fault.includes('not what was written')), [], where)
          for (const table of ['events', 'receipts']) {
            const known = new Set(rows[table])
            assert.deepEqual(saved[table]?.filter(row => !known.has(row)), [], where)
            assert.ok((rows[table]?.length ?? 0) - (saved[table]?.length ?? 0) <= 60, where)
          }
        }
      }
    }
    t.diagnostic(`${unclear} of ${FLIPS} in a frame whose checksum does not tell which bit it was`)
  })

  it('whose write-ahead log has one bit turned gets no frame that was not written', { timeout: 60_000 }, async t => {
    const { folder, crashed } = await createSpecimens(t)
    const slots = readSums(lay(folder, crashed))?.slots
    const wal = crashed['log.db-wal'] as Buffer
    const written = readWal(wal, slots).frames
    // The magic number names the byte order.
    const isBig = (wal[3] as number & 1) === 1
    let [mended, lost] = [0, 0]
    for (let run = 0; run < 300; run++) {
      // Half of them in bits 24 to 31 of a word, of which the checksum tells least.
      const word = Math.floor(Math.random() * wal.length / 4)
      const byte = word * 4 + (run % 2 === 0 ? isBig ? 0 : 3 : Math.floor(Math.random() * 4))
      const bit = byte * 8 + Math.floor(Math.random() * 8)
      const saved = mendWal(turnBit(wal, bit), slots)
      const where = `bit ${bit} of ${wal.length} bytes`
      if (saved.lost === 0) {
        mended++
        assert.equal(saved.mended, 1, where)
        assert.deepEqual(saved.frames, written, where)
      } else {
        lost++
        assert.equal(saved.frames.length + saved.lost, written.length, where)
        let at = 0
        for (const frame of saved.frames) {
          while (at < written.length && !isDeepStrictEqual(written[at], frame)) at++
          assert.ok(at++ < written.length, where)
        }
      }
    }
    t.diagnostic(`${mended} put right, ${lost} lost`)
    assert.ok(mended > 0 && lost > 0)
  })

  it('that lost how tasks and jobs stand has it again from their events', async t => {
    const folder = folderFor(t)
    const file = join(folder, 'log.db')
    const log = await openEventLog({ file, clock })
    const jobs = [['settled', [{ type: 'started', taskId: 'a' }, { type: 'settled', taskId: 'a', provider: 'p', cost: 3 }]], ['dead', [{ type: 'started', taskId: 'b' }, { type: 'broke', taskId: 'b', failure: { code: 'INPUT_INVALID' }, jitter: 0 }]], ['ready', []]] as const
    for (const [jobId, events] of jobs) {
      const spec = { jobId, requester: AGENT, capability: 'a.b', createdAt: 1, expiresAt: 9e12, maxAttempts: 5, inputHash: 'h', terms: {} }
      const all = [{ type: 'enqueued', spec, input: '' }, ...events].map(({ type, ...data }) => eventOf({ agent: AGENT, taskId: jobId, role: 'job', type, data }))
      for (const moment of foldHistory(all.map((event, n) => ({ ...event, position: n + 1 })))) await log.append(all[moment.event.position - 1] as typeof all[0], moment.summary)
    }
    const before = log.tasks()
    assert.deepEqual(before.map(({ stage, ended }) => [stage, ended]), [['ready', false], ['dead', false], ['settled', true]])
    await log.close()
    const database = new DatabaseSync(file, { readOnly: true })
    const root = Number(database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'tasks'").get()?.['rootpage'])
    database.close()
    writeFileSync(file, readFileSync(file).fill(0xa5, (root - 1) * 4_096, root * 4_096))
    const { lostPages, rebuiltTasks } = repairLog(file)
    assert.deepEqual([lostPages, rebuiltTasks], [1, 3])
    const again = await openEventLog({ file, clock })
    assert.deepEqual(again.tasks(), before)
    await again.close()
  })

  it('with a sector gone loses the rows of that page, and no other', { timeout: 60_000 }, async t => {
    const { folder, closed, rows } = await createSpecimens(t)
    const whole = closed['log.db'] as Buffer
    for (let run = 0; run < 20; run++) {
      // The first page has the schema: without it nothing says which table a page is of.
      const at = run === 0 ? 3 * SECTOR : Math.floor(Math.random() * whole.length / SECTOR) * SECTOR
      const file = lay(folder, { ...closed, 'log.db': Buffer.from(whole).fill(0xa5, at, at + SECTOR) })
      const { lostPages } = repairLog(file)
      assert.equal(lostPages, 1, `at ${at}`)
      await (await openEventLog({ file, clock })).close()
      const saved = rowsOf(file)
      for (const table of ['events', 'receipts', 'kept_values']) {
        const known = new Set(rows[table])
        assert.deepEqual(saved[table]?.filter(row => !known.has(row)), [], `at ${at}, ${table}`)
        // The largest page of the specimens has so many.
        assert.ok((rows[table]?.length ?? 0) - (saved[table]?.length ?? 0) <= 60, `at ${at}, ${table}`)
      }
    }
  })

  it('whose last record is cut off at any byte has all earlier ones', { timeout: 120_000 }, async t => {
    const folder = folderFor(t)
    const file = join(folder, 'log.db')
    const log = await openEventLog({ file, clock })
    for (let n = 0; n < 5; n++) await log.append(eventOf({ data: n }), summaryOf())
    const before = readFileSync(`${file}-wal`).length
    await log.append(eventOf({ data: 'the last' }), summaryOf())
    const crashed = filesIn(folder)
    await log.close()
    const wal = crashed['log.db-wal'] as Buffer
    assert.ok(wal.length > before)
    const committed = readWal(wal.subarray(0, before)).frames.length
    for (let length = before; length < wal.length; length++) {
      const { frames, damage } = readWal(wal.subarray(0, length))
      assert.deepEqual({ frames: frames.length, damage }, { frames: committed, damage: undefined }, `cut at ${length} of ${wal.length}`)
    }
    // SQLite sees it so as well: at the edges of what it writes, and between.
    for (let length = before; length <= wal.length; length = Math.min(length + 331, Math.max(length + 1, wal.length))) {
      lay(folder, { ...crashed, 'log.db-wal': wal.subarray(0, length) })
      const { database, close } = openDatabase(file, folder)
      const positions = database.prepare('SELECT position FROM events ORDER BY position').all().map(({ position }) => position)
      close()
      assert.deepEqual(positions, length === wal.length ? [1, 2, 3, 4, 5, 6] : [1, 2, 3, 4, 5], `cut at ${length} of ${wal.length}`)
    }
  })

  it('that goes bad while it is open delivers nothing that was not written', async t => {
    const folder = folderFor(t)
    const file = join(folder, 'log.db')
    const open = openDatabase(file, folder)
    open.close()
    const log = await openEventLog({ file, clock })
    await log.append(eventOf({ data: 'as it was written' }), summaryOf())
    await log.values.set('key', Uint8Array.of(1, 2, 3))
    await log.close()
    const database = new DatabaseSync(file)
    database.exec("UPDATE events SET data = '\"as it was never written\"'; UPDATE kept_values SET value = x'010204'; PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    rmSync(`${file}-sums`)
    const again = await openEventLog({ file, clock })
    assert.throws(() => again.eventsOf('requester', 'task-1'), { code: 'LOG_DAMAGED' })
    assert.throws(() => again.values.get('key'), { code: 'LOG_DAMAGED' })
    assert.throws(() => again.values.list('k'), { code: 'LOG_DAMAGED' })
    await again.close()
    assert.equal(checkLog(file).faults.length, 2)
  })

  it('is left alone by a check, and by a repair while it is in use', async t => {
    const { folder, closed } = await createSpecimens(t)
    const file = lay(folder, { ...closed, 'log.db': turnBit(closed['log.db'] as Buffer, 300_000) })
    const before = filesIn(folder)
    const { damage, rows } = checkLog(file)
    assert.match(damage[0]?.what ?? '', /^page 10 of \d+ is not what was written$/)
    assert.equal(rows.events, EVENTS)
    assert.deepEqual(filesIn(folder), before)

    lay(folder, closed)
    const log = await openEventLog({ file, clock })
    assert.throws(() => repairLog(file), { code: 'HOME_IN_USE' })
    await log.close()
    assert.deepEqual(repairLog(file).kept, [])
  })

  it('of a release without checksums is migrated, and has them from then on', async t => {
    const { folder, closed } = await createSpecimens(t)
    const file = lay(folder, { 'log.db': closed['log.db'] as Buffer })
    const old = new DatabaseSync(file)
    old.exec('ALTER TABLE events DROP COLUMN seal; ALTER TABLE receipts DROP COLUMN seal; ALTER TABLE kept_values DROP COLUMN seal; DROP TABLE tallies; PRAGMA user_version = 2')
    old.close()
    const log = await openEventLog({ file, clock })
    assert.equal(log.eventsOf('requester', 'task-1').length, 4)
    await log.append(eventOf(), summaryOf())
    await log.close()
    assert.ok(existsSync(`${file}-sums`))
    assert.deepEqual(checkLog(file).damage, [])
    cpSync(file, join(folder, 'whole'))
    writeFileSync(file, turnBit(readFileSync(file), 100_000))
    await assert.rejects(openEventLog({ file, clock }), { code: 'LOG_DAMAGED' })
    assert.equal(repairLog(file).mended, 1)
    assert.deepEqual(readFileSync(file), readFileSync(join(folder, 'whole')))
  })
})
