/** Makes a whole log of a damaged one. The damaged one is kept, beside it and untouched. */
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { A2aError, messageOf } from '../core/errors.ts'
import { checkFilesAlone, type FileDamage } from './check.ts'
import { walOf } from './checkpoint.ts'
import { newer, sqliteCode } from './database.ts'
import { openImage, type Image } from './image.ts'
import { PAGE_BYTES, sumsFileOf } from './page-sums.ts'
import { faultsOf, mendTasks } from './rows.ts'
import { salvage } from './salvage.ts'
import { APPLICATION_ID, MIGRATIONS } from './schema.ts'

export interface LogCheck {
  file: string
  damage: FileDamage[]
  /** In the rows: what contradicts itself, though its pages are as they were written. */
  faults: string[]
  /** What is there and holds, by table. */
  rows: Record<string, number>
}

export interface LogRepair extends LogCheck {
  /** Where the damaged files are now. Empty: nothing had to be done. */
  kept: string[]
  /** Places at which one bit was put right. */
  mended: number
  /** Pages that could not be. Their rows are lost. */
  lostPages: number
  /** Events that are missing between others: from, to. */
  missing: Array<[from: number, to: number]>
  /** Tasks whose state was folded anew from their events. */
  rebuiltTasks: number
}

/**
 * Looks a log over that no node uses, and changes nothing.
 * @throws A2aError HOME_IN_USE, HOME_UNUSABLE
 */
export function checkLog (file: string): LogCheck {
  return withTemporary(file, temporary => {
    const { damage } = checkFilesAlone(file)
    using image = openImage(file)
    refuseForeign(file, image)
    build(image, temporary)
    return { file, damage, ...rowsIn(temporary) }
  })
}

/**
 * Puts a whole log in the place of a damaged one, which is kept under another name. Does nothing where nothing is wrong.
 * @throws A2aError HOME_IN_USE, HOME_UNUSABLE, NO_SPACE
 */
export function repairLog (file: string): LogRepair {
  return withTemporary(file, temporary => {
    const { damage, hasSums } = checkFilesAlone(file)
    using image = openImage(file)
    refuseForeign(file, image)
    const { mended, lost: lostPages } = image
    const { unread, rebuiltTasks } = build(image, temporary)
    const { faults, rows } = rowsIn(temporary)
    const isWhole = damage.length === 0 && unread === 0 && (hasSums || rebuiltTasks === 0)
    const missing = lostPages > 0 || unread > 0 ? missingIn(temporary) : []
    return { file, damage, faults, rows, mended, lostPages, missing, rebuiltTasks, kept: isWhole ? [] : exchange(file, temporary) }
  })
}

function withTemporary<T> (file: string, work: (temporary: string) => T): T {
  refuseUsed(file)
  const temporary = `${file}.repaired`
  const clear = (): void => { for (const name of [temporary, `${temporary}-journal`, `${temporary}-wal`, `${temporary}-shm`]) rmSync(name, { force: true }) }
  try {
    clear()
    return work(temporary)
  } catch (error) {
    const { code } = error as { code?: string }
    if (error instanceof A2aError) throw error
    throw new A2aError(code === 'ENOSPC' || sqliteCode(error) === FULL
      ? { code: 'NO_SPACE', file, why: 'a repaired log takes as much as the damaged one, which is kept' }
      : { code: 'HOME_UNUSABLE', home: dirname(file), why: messageOf(error) }, { cause: error })
  } finally {
    clear()
  }
}

const BUSY = 5, FULL = 13

/** A node that runs holds a lock on its log. Whatever else SQLite has to say of the file is to be expected. */
function refuseUsed (file: string): void {
  const hadIndex = existsSync(`${file}-shm`)
  if (!existsSync(file)) throw new A2aError({ code: 'HOME_UNUSABLE', home: dirname(file), why: 'there is no log in it' })
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    database.exec('SELECT 1 FROM sqlite_schema')
  } catch (error) {
    if (sqliteCode(error) === BUSY) throw new A2aError({ code: 'HOME_IN_USE', home: dirname(file) })
  } finally {
    database.close()
    // A reader's close leaves it.
    if (!hadIndex) rmSync(`${file}-shm`, { force: true })
  }
}

/** Whose file it is, the first page says, when it is there: bytes 60 and 68 (https://sqlite.org/fileformat.html#the_database_header). */
function refuseForeign (file: string, image: Image): void {
  const header = image.page(1)
  if (header === undefined) return
  const view = new DataView(header.buffer, header.byteOffset)
  const version = view.getUint32(60)
  if (view.getUint32(68) !== APPLICATION_ID) throw new A2aError({ code: 'LOG_DAMAGED', file, why: 'it is no event log' })
  if (version > MIGRATIONS.length) throw new A2aError({ code: 'LOG_DAMAGED', file, why: newer(version) })
}

/** A database of all that is whole: the pages as they are if all of them are, and what stands in them if not. */
function build (image: Image, temporary: string): { unread: number, rebuiltTasks: number } {
  if (image.lost === 0 && isSound(image, temporary)) return { unread: 0, rebuiltTasks: 0 }
  rmSync(temporary, { force: true })
  const database = new DatabaseSync(temporary)
  try {
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; ${MIGRATIONS.join(';')}`)
    const unread = salvage(image, database)
    return { unread, rebuiltTasks: mendTasks(database) }
  } finally {
    database.close()
  }
}

function isSound (image: Image, temporary: string): boolean {
  const fd = openSync(temporary, 'w', 0o600)
  try {
    for (let page = 1; page <= image.count; page++) {
      const bytes = image.page(page)
      if (bytes === undefined) return false
      writeSync(fd, bytes, 0, PAGE_BYTES, (page - 1) * PAGE_BYTES)
    }
  } finally {
    closeSync(fd)
  }
  const database = new DatabaseSync(temporary)
  try {
    return Object.values(database.prepare('PRAGMA integrity_check(1)').get() ?? {})[0] === 'ok'
  } catch {
    // No database at all, for SQLite.
    return false
  } finally {
    database.close()
  }
}

function rowsIn (temporary: string): Pick<LogCheck, 'faults' | 'rows'> {
  const database = new DatabaseSync(temporary)
  try {
    const tables = database.prepare("SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%' ORDER BY name").all().map(({ name }) => name as string)
    const count = (table: string): number => Number(database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.['rows'])
    return { faults: faultsOf(database), rows: Object.fromEntries(tables.map(table => [table, count(table)])) }
  } finally {
    database.close()
  }
}

function missingIn (temporary: string): Array<[number, number]> {
  const database = new DatabaseSync(temporary)
  try {
    return database.prepare('SELECT position, before FROM (SELECT position, lag(position, 1, 0) OVER (ORDER BY position) AS before FROM events) WHERE position > before + 1')
      .all().map(({ position, before }) => [Number(before) + 1, Number(position) - 1])
  } finally {
    database.close()
  }
}

/**
 * At each moment either the damaged log is in its place, or the repaired one: if it stops halfway, what is left of the
 * damaged one has the repaired one refused, and it can be repaired again.
 */
function exchange (file: string, temporary: string): string[] {
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+Z$/g, '')
  const kept = [file, walOf(file), sumsFileOf(file)].filter(path => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0).map(path => {
    const name = path.replace(file, `${file}.damaged-${stamp}`)
    linkSync(path, name)
    return name
  })
  sync(temporary)
  renameSync(temporary, file)
  sync(dirname(file))
  for (const path of [walOf(file), `${file}-shm`, sumsFileOf(file)]) rmSync(path, { force: true })
  return kept
}

function sync (path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
