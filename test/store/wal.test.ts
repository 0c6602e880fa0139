/** What a power failure leaves of SQLite's write-ahead log, which is no damage. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { SECTOR } from '../../src/store/page-sums.ts'
import { frameAt, readWal } from '../../src/store/wal.ts'

/** Its header is in two sectors: the first words in one, the salts in the next. */
const SPLIT = 41

it('a last transaction that was not written whole is none, also where a frame has the first words of the one that was there before', t => {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-wal-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'x.db')
  using database = new DatabaseSync(file)
  database.exec('PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (id INTEGER PRIMARY KEY, bytes BLOB)')
  const insert = database.prepare('INSERT INTO t VALUES (?, randomblob(3000))')
  for (let id = 1; id <= 8; id++) insert.run(id)
  const touch = (id: number): void => { database.exec(`UPDATE t SET bytes = randomblob(3000) WHERE id = ${id}`) }
  // Each commit is one page, so that each frame ends a transaction.
  database.exec('PRAGMA wal_checkpoint(RESTART)')
  for (let n = 0; n < 60; n++) touch(1)
  const before = readFileSync(`${file}-wal`)
  database.exec('PRAGMA wal_checkpoint(RESTART)')
  for (let n = 0; n < SPLIT - 1; n++) touch(1)
  database.exec('BEGIN')
  for (let id = 1; id <= 8; id++) touch(id)
  database.exec('COMMIT')
  const after = readFileSync(`${file}-wal`)
  const whole = readWal(after).frames.length
  assert.ok(whole > SPLIT + 2 && frameAt(SPLIT) % SECTOR === SECTOR - 8, `${whole} frames`)

  const torn = Buffer.from(after)
  const from = Math.ceil(frameAt(SPLIT - 1) / SECTOR) * SECTOR
  before.copy(torn, from, from, frameAt(whole))
  for (let n = SPLIT; n < whole; n++) {
    const at = Math.floor((frameAt(n) + 8) / SECTOR) * SECTOR
    after.copy(torn, at, at, at + SECTOR)
  }
  const { frames, damage } = readWal(torn)
  assert.deepEqual({ frames: frames.length, damage }, { frames: SPLIT - 1, damage: undefined })
})
