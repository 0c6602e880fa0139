/** Saves the rows that still stand in the pages of a damaged log, in a new one. */
import type { DatabaseSync } from 'node:sqlite'
import { freePages, pagesOf, rowsOf, type Row, type Value } from './b-tree.ts'
import { toEvent } from './event-row.ts'
import type { Image } from './image.ts'
import { toEntry } from './receipts.ts'
import { toValue } from './values.ts'

/** A table as its rows stand in pages. */
interface Shape {
  table: string
  hasRowid: boolean
  columns: Array<{ name: string, type: string, required: boolean, isRowid: boolean }>
}

/**
 * Copies all rows of `image` that can be read into the empty tables of `database`. Pages whose tree is lost above them are known by what
 * stands in them; an entry of an index can have the shape of a row, but not its checksum.
 * @returns how many rows could not be read, of those that were found
 */
export function salvage (image: Image, database: DatabaseSync): number {
  const shapes = shapesOf(database)
  const owners = ownersOf(image, shapes)
  const free = freePages(image)
  const insert = new Map(shapes.map(({ table, columns }) => [table, database.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.map(({ name }) => name).join()}) VALUES (${columns.map(() => '?').join()})`)]))
  let unread = 0
  database.exec('BEGIN')
  for (let page = 1; page <= image.count; page++) {
    const owner = owners.get(page)
    if (free.has(page) || owner === 'other') continue
    const { rows, broken } = rowsOf(image, page)
    unread += broken
    for (const row of rows) {
      const shape = owner ?? shapes.find(candidate => fits(candidate, row) && isItself(candidate, row))
      if (shape !== undefined && fits(shape, row)) insert.get(shape.table)?.run(...shape.columns.map(({ isRowid }, n) => isRowid ? row.rowid as bigint : row.values[n] ?? null))
      else if (owner !== undefined) unread++
    }
  }
  database.exec('COMMIT')
  return unread
}

function shapesOf (database: DatabaseSync): Shape[] {
  return database.prepare("SELECT name, wr FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND name NOT LIKE 'sqlite_%'").all().map(({ name, wr }) => {
    const hasRowid = wr === 0
    const columns = database.prepare('SELECT name, type, "notnull" AS required, pk FROM pragma_table_xinfo(?)').all(name as string)
      // Without a rowid, the key comes first (https://sqlite.org/fileformat.html#representation_of_sql_tables).
      .toSorted((a, b) => hasRowid ? 0 : (Number(a['pk']) || Infinity) - (Number(b['pk']) || Infinity) || 0)
      .map(column => ({
        name: column['name'] as string,
        type: column['type'] as string,
        required: column['required'] === 1,
        isRowid: hasRowid && column['pk'] === 1 && column['type'] === 'INTEGER'
      }))
    return { table: name as string, hasRowid, columns }
  })
}

/** Which table each page belongs to, as far as the trees can be followed. `other`: to an index, or to the schema. */
function ownersOf (image: Image, shapes: Shape[]): Map<number, Shape | 'other'> {
  const owners = new Map<number, Shape | 'other'>()
  for (const page of pagesOf(image, 1)) {
    owners.set(page, 'other')
    for (const { values: [type, name, , root] } of rowsOf(image, page).rows) {
      if (typeof root !== 'number' || root < 1) continue
      const owner = type === 'table' ? shapes.find(({ table }) => table === name) ?? 'other' : 'other'
      for (const owned of pagesOf(image, root)) owners.set(owned, owner)
    }
  }
  return owners
}

function fits ({ hasRowid, columns }: Shape, { rowid, values }: Row): boolean {
  // Columns that a later release added are missing at the end of earlier rows.
  return hasRowid === (rowid !== undefined) && values.length <= columns.length && columns.every(({ type, required, isRowid }, n) => {
    const value = values[n] ?? null
    if (isRowid) return value === null
    return value === null ? !required : type === typeOf(value) || (type === 'REAL' && typeOf(value) === 'INTEGER')
  })
}

const READ: Record<string, (row: Record<string, any>) => unknown> = { events: toEvent, receipts: toEntry, kept_values: toValue }

/** Whether its checksum holds, where its table has one. */
function isItself ({ table, columns }: Shape, { rowid, values }: Row): boolean {
  try {
    READ[table]?.(Object.fromEntries(columns.map(({ name, isRowid }, n) => [name, isRowid ? Number(rowid) : values[n] ?? null])))
    return true
  } catch {
    return false
  }
}

function typeOf (value: Exclude<Value, null>): string {
  if (typeof value === 'string') return 'TEXT'
  if (typeof value === 'object') return 'BLOB'
  return Number.isInteger(value) || typeof value === 'bigint' ? 'INTEGER' : 'REAL'
}
