/** What only a log on disk can promise: crashes, other processes, damaged files, full disks. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import type { TestContext } from 'node:test'
import { systemClock as clock } from '../../src/core/clock.ts'
import type { EventLog } from '../../src/core/ports.ts'
import { openDatabase } from '../../src/store/database.ts'
import { logOn, openEventLog } from '../../src/store/event-log.ts'
import { eventOf, summaryOf } from '../promises/event-log.ts'

function homeFor (t: TestContext): { home: string, file: string } {
  const home = mkdtempSync(join(tmpdir(), 'a2a-log-'))
  t.after(() => rmSync(home, { recursive: true }))
  return { home, file: join(home, 'events.db') }
}

function startAppender (t: TestContext, file: string): { child: ChildProcess, lines: AsyncIterable<string> } {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'appender.ts'), file], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  return { child, lines: createInterface({ input: child.stdout }) }
}

const append = (log: EventLog, data: unknown = 0) => log.append(eventOf({ data }), summaryOf())

/** A log with some pages, closed. */
async function writeLog (file: string): Promise<void> {
  const log = await openEventLog({ file, clock })
  await Promise.all(Array.from({ length: 100 }, () => append(log, 'x'.repeat(1_000))))
  await log.close()
}

const snapshot = (home: string) => Object.fromEntries(readdirSync(home).toSorted().map(name => [name, readFileSync(join(home, name)).toString('base64')]))

/** The file is refused, and nothing in its folder has changed. */
async function assertRefused (home: string, file: string, why: RegExp): Promise<void> {
  const before = snapshot(home)
  await assert.rejects(openEventLog({ file, clock }), (error: any) => {
    assert.equal(error.code, 'LOG_DAMAGED')
    assert.match(error.failure.why, why)
    return true
  })
  assert.deepEqual(snapshot(home), before)
}

it('has everything it acknowledged after kill -9', { timeout: 60_000 }, async t => {
  const { file } = homeFor(t)
  let committed = 0
  for (let round = 1; round <= 5; round++) {
    const { child, lines } = startAppender(t, file)
    const closed = once(child, 'close')
    let acknowledged = 0
    for await (const line of lines) {
      acknowledged = Math.max(acknowledged, Number(line))
      if (acknowledged > committed + 40 * round) child.kill('SIGKILL')
    }
    assert.deepEqual(await closed, [null, 'SIGKILL'])

    const log = await openEventLog({ file, clock })
    const positions = log.eventsOf('requester', 'task-1').map(event => event.position)
    await log.close()
    assert.ok(positions.length >= acknowledged, `${acknowledged} acknowledged, ${positions.length} found`)
    assert.deepEqual(positions, Array.from(positions, (_, n) => n + 1))
    committed = positions.length
  }
})

it('belongs to one process at a time, and is free at once when that is killed', { timeout: 30_000 }, async t => {
  const { home, file } = homeFor(t)
  // The second time the file is there already, and in another journal mode from the beginning.
  for (let time = 1; time <= 2; time++) {
    const { child, lines } = startAppender(t, file)
    for await (const _ of lines) break
    const before = performance.now()
    await assert.rejects(openEventLog({ file, home, clock }), { failure: { code: 'HOME_IN_USE', home } })
    assert.ok(performance.now() - before < 500)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await openEventLog({ file, clock })).close()
  }
})

it('is refused within the same process too, and its lock outlives the attempt', { timeout: 30_000 }, async t => {
  const { home, file } = homeFor(t)
  await writeLog(file)
  const log = await openEventLog({ file, clock })
  await assert.rejects(openEventLog({ file, home, clock }), { code: 'HOME_IN_USE' })
  const attempt = `import { openEventLog } from ${JSON.stringify(join(import.meta.dirname, '../../src/store/event-log.ts'))}
    await openEventLog({ file: ${JSON.stringify(file)} }).then(() => console.log('opened'), error => console.log(error.code))`
  assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', attempt], { encoding: 'utf8' }).trim(), 'HOME_IN_USE')
  await append(log)
  await log.close()
})

it('can be read by its owner only, and leaves nothing beside its file', async t => {
  const { home, file } = homeFor(t)
  const log = await openEventLog({ file, clock })
  await append(log)
  for (const name of readdirSync(home)) assert.equal(statSync(join(home, name)).mode & 0o777, 0o600, name)
  await log.close()
  assert.deepEqual(readdirSync(home), ['events.db', 'events.db-sums'])
  chmodSync(file, 0o644)
  await (await openEventLog({ file, clock })).close()
  assert.equal(statSync(file).mode & 0o777, 0o600)
})

it('refuses a file that is not a database', async t => {
  const { home, file } = homeFor(t)
  for (const content of ['{}', 'no database at all\n'.repeat(1_000), 'SQLite format 3\0']) {
    writeFileSync(file, content)
    await assertRefused(home, file, /not a database/)
  }
})

it('refuses the database of another application', async t => {
  const { home, file } = homeFor(t)
  const foreign = new DatabaseSync(file)
  foreign.exec('PRAGMA journal_mode = WAL; CREATE TABLE events (position INTEGER PRIMARY KEY); PRAGMA application_id = 7')
  foreign.close()
  await assertRefused(home, file, /another application/)
})

it('refuses a log that a newer release has written', async t => {
  const { home, file } = homeFor(t)
  await writeLog(file)
  const newer = new DatabaseSync(file)
  newer.exec('PRAGMA user_version = 1000')
  newer.close()
  await assertRefused(home, file, /schema version is 1000, this release knows up to \d+; update/)
})

it('refuses a damaged log', async t => {
  const { home, file } = homeFor(t)
  await writeLog(file)
  const whole = readFileSync(file)
  writeFileSync(file, Buffer.from(whole).fill(0xa5, 4_096, 20_000))
  await assertRefused(home, file, /./)
  writeFileSync(file, whole.subarray(0, whole.length - 8_192))
  await assertRefused(home, file, /./)
})

it('refuses a damaged log with writes left from a crash, and leaves those where they are', { timeout: 30_000 }, async t => {
  const { file } = homeFor(t)
  await writeLog(file)
  const { child, lines } = startAppender(t, file)
  for await (const line of lines) if (Number(line) > 150) break
  child.kill('SIGKILL')
  await once(child, 'exit')
  const before = readFileSync(file).fill(0xa5, 4_096, 100_000)
  const leftover = readFileSync(`${file}-wal`)
  writeFileSync(file, before)
  await assert.rejects(openEventLog({ file, clock }), { code: 'LOG_DAMAGED' })
  assert.ok(readFileSync(file).equals(before))
  assert.ok(readFileSync(`${file}-wal`).equals(leftover))
})

it('refuses to begin anew where only the write-ahead log is left', async t => {
  const { home, file } = homeFor(t)
  writeFileSync(`${file}-wal`, 'the only copy')
  await assertRefused(home, file, /write-ahead log is still there/)
})

it('says that a home cannot be used: not a folder, or a folder where the file should be', async t => {
  const { home, file } = homeFor(t)
  writeFileSync(join(home, 'plain'), '')
  await assert.rejects(openEventLog({ file: join(home, 'plain', 'events.db'), clock }), { code: 'HOME_UNUSABLE' })
  mkdirSync(file)
  await assert.rejects(openEventLog({ file, clock }), { code: 'HOME_UNUSABLE' })
})

it('creates its folder, for its owner only', async t => {
  const { home } = homeFor(t)
  await (await openEventLog({ file: join(home, 'new', 'events.db'), clock })).close()
  assert.equal(statSync(join(home, 'new')).mode & 0o777, 0o700)
})

it('rejects the appends of a group that finds no space, exactly those, and goes on when there is some', async t => {
  const { home, file } = homeFor(t)
  const database = openDatabase(file, home)
  const log = logOn(database, { file, clock })
  await append(log, 'first')
  database.database.exec('PRAGMA max_page_count = 40')
  const group = await Promise.allSettled([append(log, 'small'), append(log, 'x'.repeat(400_000)), log.values.set('v', Uint8Array.of(1))])
  for (const write of group) assert.equal(write.status === 'rejected' && write.reason.code, 'LOG_WRITE_FAILED')
  assert.equal(log.values.get('v'), undefined)
  assert.equal((await append(log, 'fits')).position, 2)

  database.database.exec('PRAGMA max_page_count = 1000000')
  assert.equal((await append(log, 'x'.repeat(400_000))).position, 3)
  await log.close()
  const again = await openEventLog({ file, clock })
  assert.deepEqual(again.eventsOf('requester', 'task-1').map(event => String(event.data).slice(0, 5)), ['first', 'fits', 'xxxxx'])
  await again.close()
})

it('rejects one append that does not fit its type, and takes those that came with it', async t => {
  const { file } = homeFor(t)
  const log = await openEventLog({ file, clock })
  const wrong = eventOf({ agent: null as unknown as string })
  const [good, bad, after] = await Promise.allSettled([append(log), log.append(wrong, summaryOf()), append(log)])
  assert.equal(good.status, 'fulfilled')
  assert.equal(bad.status === 'rejected' && bad.reason.code, 'LOG_WRITE_FAILED')
  assert.equal(after.status === 'fulfilled' && after.value.position, 2)
  await log.close()
})

it('warns of a slow disk, and of failed commits', async t => {
  const { home, file } = homeFor(t)
  const warnings: string[] = []
  const logger = { debug () {}, info () {}, warn: (what: string) => { warnings.push(what) }, error () {} }
  let now = 0
  const database = openDatabase(file, home)
  const log = logOn(database, { file, logger, clock: { ...clock, now: () => now += 600 } })
  await append(log)
  database.database.exec('PRAGMA max_page_count = 1')
  await assert.rejects(append(log, 'x'.repeat(400_000)))
  assert.deepEqual(warnings, ['the event log is on a slow disk', 'the event log could not be written'])
  await log.close()
})

it('survives a full disk, and has what it acknowledged', { timeout: 30_000 }, async t => {
  const { home } = homeFor(t)
  const small = join(home, 'small')
  mkdirSync(small)
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small], { stdio: 'pipe' })
  } catch {
    return t.skip('a file system of limited size can be mounted by root only')
  }
  try {
    const file = join(small, 'events.db')
    const log = await openEventLog({ file, clock })
    const ballast = openSync(join(small, 'ballast'), 'w')
    writeFileSync(ballast, Buffer.alloc(300_000))
    let acknowledged = 0
    await assert.rejects(async () => {
      for (;;) acknowledged = (await append(log, 'x'.repeat(5_000))).position
    }, { code: 'LOG_WRITE_FAILED' })
    assert.ok(acknowledged > 0)

    ftruncateSync(ballast)
    closeSync(ballast)
    assert.equal((await append(log)).position, acknowledged + 1)
    await log.close()
    const again = await openEventLog({ file, clock })
    assert.equal(again.eventsOf('requester', 'task-1').length, acknowledged + 1)
    await again.close()
    assert.ok(!existsSync(`${file}-wal`))
  } finally {
    execFileSync('umount', [small])
  }
})

it('acknowledges nothing once its file was removed, and says so once in a while', async t => {
  const { home, file } = homeFor(t)
  const warned: string[] = []
  const say = (): void => {}
  const log = await openEventLog({ file, clock, logger: { debug: say, info: say, warn: what => { warned.push(what) }, error: say } })
  await append(log)
  rmSync(home, { recursive: true })
  for (let i = 0; i < 20; i++) await assert.rejects(append(log), { code: 'LOG_WRITE_FAILED' })
  assert.equal(warned.length, 1)
  mkdirSync(home)
  await log.close()
})
