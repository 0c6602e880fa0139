/** Opens the file of an event log: nobody else's, undamaged, locked for this process, and brought to today's schema. */
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Failure } from '../core/errors.ts'
import { checkFiles } from './check.ts'
import { createCheckpoints, walOf, type Checkpoints } from './checkpoint.ts'
import { openPageSums, sumsFileOf } from './page-sums.ts'
import { APPLICATION_ID, MIGRATIONS } from './schema.ts'

/** A log's file, open and locked for this process. */
export interface OpenDatabase {
  database: DatabaseSync
  checkpoints: Checkpoints
  close: () => void
}

/**
 * The lock is the kernel's: it ends with the process, however that ends. A file that is refused stays as it was, byte for
 * byte, with nothing new beside it.
 * @throws A2aError HOME_IN_USE, HOME_UNUSABLE, LOG_DAMAGED
 */
export function openDatabase (file: string, home: string): OpenDatabase {
  let database: DatabaseSync | undefined
  let fd: number | undefined
  const close = (): void => {
    database?.close()
    // Not before: it drops the locks.
    if (fd !== undefined) closeSync(fd)
  }
  try {
    // With writes left over from a crash, closing a connection that may write would move them into a damaged file.
    const leftover = sizeOf(walOf(file)) > 0
    if (sizeOf(file) === 0) create(file)
    else if (!leftover) readOnly(file, database => { refuseForeign(database, file) }, '?immutable=1')
    let hasSums = leftover && checkLeftover(file)
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
    database = new DatabaseSync(file)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    rmSync(`${file}-shm`, { force: true })
    fd = openSync(file, 'r')
    if (!leftover) hasSums = refuseDamaged(database, file, fd)
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0')
    migrate(database)
    const sums = openPageSums(file)
    const checkpoints = createCheckpoints({ database, file, sums })
    // Also for refuseForeign, which looks at the file alone.
    checkpoints.now()
    if (!hasSums) sums.rebuild(fd)
    return {
      database, checkpoints,
      close: () => {
        try {
          checkpoints.now()
        } catch {
          // All that was committed is in the write-ahead log, and is moved when it is opened next.
        }
        checkpoints.close()
        sums.close()
        close()
      }
    }
  } catch (error) {
    close()
    throw error instanceof A2aError ? error : new A2aError(failureOf(error, file, home), { cause: error })
  }
}

/** SQLite's primary result code (https://sqlite.org/rescode.html); undefined for errors that are not SQLite's. */
export function sqliteCode (error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number }
  return errcode === undefined ? undefined : errcode & 0xff
}

const BUSY = 5, CORRUPT = 11, NOTADB = 26

function failureOf (error: unknown, file: string, home: string): Failure {
  const code = sqliteCode(error)
  const why = messageOf(error)
  if (code === BUSY) return { code: 'HOME_IN_USE', home }
  if (code === CORRUPT || code === NOTADB) return { code: 'LOG_DAMAGED', file, why }
  return { code: 'HOME_UNUSABLE', home, why }
}

function create (file: string): void {
  for (const [left, what] of [[walOf(file), 'write-ahead log is'], [sumsFileOf(file), 'checksums are']] as const) {
    if (sizeOf(left) > 0) throw damaged(file, `it is empty or gone, though its ${what} still there, in ${left}`)
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  // Before SQLite does, which would leave it to the umask who may read it. Its other files take over the mode.
  closeSync(openSync(file, 'a', 0o600))
}

/**
 * Where nothing is left from a crash it is looked at as immutable: neither locks nor files beside it. And never through
 * node:fs: closing any descriptor of a file drops the locks that this process holds on it (https://sqlite.org/howtocorrupt.html, 2.2).
 */
function refuseForeign (database: DatabaseSync, file: string): void {
  const id = pragma(database, 'application_id')
  if (id !== APPLICATION_ID) throw damaged(file, 'it is a database of another application')
  refuseNewer(database, file)
}

function refuseNewer (database: DatabaseSync, file: string): void {
  const version = pragma(database, 'user_version')
  if (version > MIGRATIONS.length) throw damaged(file, newer(version))
}

/** Whether it has checksums. The connection must have the lock. */
function refuseDamaged (database: DatabaseSync, file: string, fd: number): boolean {
  const { damage, hasSums } = checkFiles(file, fd)
  if (damage.length > 0) throw damaged(file, damage.map(({ file: name, what }) => `${basename(name)}: ${what}`).join('; '))
  // Reads as much, and sees less.
  const found = hasSums ? 'ok' : String(Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})[0])
  if (found !== 'ok') throw damaged(file, found.replaceAll(/\s+/g, ' '))
  return hasSums
}

function checkLeftover (file: string): boolean {
  let fd: number | undefined
  try {
    return readOnly(file, database => {
      // Takes the lock of a reader, until the connection is closed.
      database.exec('BEGIN; SELECT 1 FROM sqlite_schema')
      fd = openSync(file, 'r')
      const hasSums = refuseDamaged(database, file, fd)
      refuseForeign(database, file)
      return hasSums
    })
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

function migrate (database: DatabaseSync): void {
  const from = pragma(database, 'user_version')
  if (from < MIGRATIONS.length) {
    database.exec(`BEGIN; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; ${MIGRATIONS.slice(from).join(';')}; COMMIT`)
  }
}

function readOnly<T> (file: string, look: (database: DatabaseSync) => T, query = ''): T {
  const database = new DatabaseSync(new URL(pathToFileURL(file).href + query), { readOnly: true })
  try {
    return look(database)
  } finally {
    database.close()
  }
}

export const newer = (version: number): string => `its schema version is ${version}, this release knows up to ${MIGRATIONS.length}; update a2a-node`

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0

const pragma = (database: DatabaseSync, name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name])

const damaged = (file: string, why: string): A2aError => new A2aError({ code: 'LOG_DAMAGED', file, why })
