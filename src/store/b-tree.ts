/**
 * Reads rows out of the pages of an SQLite database whose trees may have holes (https://sqlite.org/fileformat.html#b_tree_pages):
 * SQLite itself gives up at the first of them. Takes pages of 4,096 bytes in UTF-8, as all logs have them.
 */
import type { Image } from './image.ts'

export type Value = null | number | bigint | string | Uint8Array

/** A row of a table, with its rowid; or of a table WITHOUT ROWID, or an entry of an index, without. */
export interface Row {
  rowid?: bigint
  values: Value[]
}

const TABLE_LEAF = 0x0d, TABLE_INTERIOR = 0x05, INDEX_LEAF = 0x0a, INDEX_INTERIOR = 0x02
const BYTES = 4_096
/** More than any tree of this size has levels: a damaged one may go in circles. */
const DEEPEST = 20

/** Pages that are in no tree: what stands in them was deleted. */
export function freePages ({ page, count }: Image): Set<number> {
  const free = new Set<number>()
  for (let trunk = page(1)?.length === BYTES ? read32(page(1) as Uint8Array, 32) : 0; trunk !== 0 && !free.has(trunk) && trunk <= count;) {
    free.add(trunk)
    const bytes = page(trunk)
    if (bytes === undefined) break
    for (let n = 0; n < Math.min(read32(bytes, 4), BYTES / 4 - 2); n++) free.add(read32(bytes, 8 + 4 * n))
    trunk = read32(bytes, 0)
  }
  return free
}

/** Pages of a tree that can be reached from its root. */
export function * pagesOf (image: Image, root: number, depth = 0): Generator<number> {
  const bytes = image.page(root)
  if (bytes === undefined || depth > DEEPEST) return
  yield root
  const { type, cells, right } = headerOf(root, bytes)
  if (type !== TABLE_INTERIOR && type !== INDEX_INTERIOR) return
  for (const at of cells) yield * pagesOf(image, read32(bytes, at), depth + 1)
  yield * pagesOf(image, right, depth + 1)
}

/** The rows that stand in one page. Those that are not whole are left out, and counted. */
export function rowsOf (image: Image, page: number): { rows: Row[], broken: number } {
  const bytes = image.page(page)
  if (bytes === undefined) return { rows: [], broken: 0 }
  const { type, cells } = headerOf(page, bytes)
  if (type !== TABLE_LEAF && type !== INDEX_LEAF && type !== INDEX_INTERIOR) return { rows: [], broken: 0 }
  const rows: Row[] = []
  let broken = 0
  for (const at of cells) {
    try {
      rows.push(rowAt(image, bytes, type === INDEX_INTERIOR ? at + 4 : at, type === TABLE_LEAF))
    } catch {
      // It leads beyond its page, into a page that is lost, or to a value that there is none of.
      broken++
    }
  }
  return { rows, broken }
}

function headerOf (page: number, bytes: Uint8Array): { type: number, cells: number[], right: number } {
  const at = page === 1 ? 100 : 0
  const type = bytes[at] ?? 0
  const isInterior = type === TABLE_INTERIOR || type === INDEX_INTERIOR
  const first = at + (isInterior ? 12 : 8)
  const count = Math.min(read16(bytes, at + 3), (BYTES - first) / 2)
  return { type, cells: Array.from({ length: count }, (_, n) => read16(bytes, first + 2 * n)), right: isInterior ? read32(bytes, at + 8) : 0 }
}

function rowAt (image: Image, bytes: Uint8Array, at: number, isTable: boolean): Row {
  const size = varint(bytes, at)
  const rowid = isTable ? varint(bytes, size.next) : undefined
  const payload = payloadAt(image, bytes, (rowid ?? size).next, Number(size.value), isTable)
  return { ...rowid && { rowid: BigInt.asIntN(64, rowid.value) }, values: valuesOf(payload) }
}

/** With what did not fit into the page, from its overflow pages. */
function payloadAt (image: Image, bytes: Uint8Array, at: number, size: number, isTable: boolean): Uint8Array {
  const most = isTable ? BYTES - 35 : Math.floor((BYTES - 12) * 64 / 255) - 23
  const least = Math.floor((BYTES - 12) * 32 / 255) - 23
  const fitting = least + (size - least) % (BYTES - 4)
  const local = size <= most ? size : fitting <= most ? fitting : least
  if (size > image.count * BYTES) throw new RangeError('longer than the file')
  const payload = new Uint8Array(size)
  let done = put(payload, 0, bytes, at, local)
  for (let next = size > local ? read32(bytes, at + local) : 0; done < size;) {
    const more = image.page(next)
    if (more === undefined) throw new RangeError('a page is lost')
    done = put(payload, done, more, 4, Math.min(size - done, BYTES - 4))
    next = read32(more, 0)
  }
  return payload
}

function put (payload: Uint8Array, done: number, from: Uint8Array, at: number, length: number): number {
  if (at + length > from.length) throw new RangeError('beyond its page')
  payload.set(from.subarray(at, at + length), done)
  return done + length
}

/** Record format: a header with the type of each value, and the values. */
function valuesOf (payload: Uint8Array): Value[] {
  const header = varint(payload, 0)
  const values: Value[] = []
  let body = Number(header.value)
  for (let at = header.next; at < Number(header.value);) {
    const type = varint(payload, at)
    at = type.next
    const { value, length } = valueAt(payload, body, Number(type.value))
    values.push(value)
    body += length
  }
  if (body !== payload.length) throw new RangeError('not as long as its header says')
  return values
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8]
const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function valueAt (bytes: Uint8Array, at: number, type: number): { value: Value, length: number } {
  if (type === 0) return { value: null, length: 0 }
  if (type <= 6) return { value: integerAt(bytes, at, INTEGER_BYTES[type] as number), length: INTEGER_BYTES[type] as number }
  if (type === 7) return { value: new DataView(bytes.buffer, bytes.byteOffset).getFloat64(at), length: 8 }
  if (type <= 9) return { value: type - 8, length: 0 }
  if (type <= 11) throw new RangeError('no such type')
  const length = (type - (type % 2 === 0 ? 12 : 13)) / 2
  const part = bytes.subarray(at, at + length)
  if (part.length < length) throw new RangeError('beyond its record')
  return { value: type % 2 === 0 ? part : text.decode(part), length }
}

function integerAt (bytes: Uint8Array, at: number, length: number): number | bigint {
  if (at + length > bytes.length) throw new RangeError('beyond its record')
  let value = 0n
  for (let n = 0; n < length; n++) value = value << 8n | BigInt(bytes[at + n] as number)
  const signed = BigInt.asIntN(8 * length, value)
  return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed
}

function varint (bytes: Uint8Array, at: number): { value: bigint, next: number } {
  let value = 0n
  for (let n = 0; n < 9; n++) {
    const byte = bytes[at + n]
    if (byte === undefined) throw new RangeError('beyond its page')
    if (n === 8) return { value: value << 8n | BigInt(byte), next: at + 9 }
    value = value << 7n | BigInt(byte & 0x7f)
    if (byte < 0x80) return { value, next: at + n + 1 }
  }
  throw new RangeError('no varint')
}

const read16 = (bytes: Uint8Array, at: number): number => (bytes[at] as number) << 8 | bytes[at + 1] as number
const read32 = (bytes: Uint8Array, at: number): number => (read16(bytes, at) * 65_536) + read16(bytes, at + 2)
