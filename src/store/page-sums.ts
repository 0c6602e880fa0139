/**
 * A checksum for each page of the log, in a file beside it: SQLite has none, and takes a bit that went over in a payload, a
 * key or a position for what was written. Written by checkpoint.ts, always before the page itself.
 *
 *   "a2aSums1", then the CRC-32 of each page from the first on, 4 bytes each, little-endian
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

export const PAGE_BYTES = 4_096
const MAGIC = Buffer.from('a2aSums1')
/** Sums that are written together: those of 4 MiB of log. */
const BLOCK = 1_024
/** Pages read at once. */
const READ_PAGES = 256

export const sumsFileOf = (file: string): string => `${file}-sums`

export interface PageSums {
  /** Notes what pages are about to be, and how many the file will have. When that cannot be written, the sums are gone until `rebuild`. @throws then, once */
  note: (pages: ReadonlyMap<number, Uint8Array>, count: number) => void
  /** Begins anew, from the file as it is. */
  rebuild: (fd: number) => void
  close: () => void
}

/** The sums of a log's file, the first page's first, when there are any. `why`: what is wrong with their file. */
export function readSums (file: string): { sums?: Uint32Array, why?: string } {
  if (statSync(sumsFileOf(file), { throwIfNoEntry: false }) === undefined) return {}
  const bytes = readFileSync(sumsFileOf(file))
  const sums = Uint32Array.from({ length: Math.max(0, Math.floor(bytes.length / 4) - 2) }, (_, n) => bytes.readUInt32LE(MAGIC.length + 4 * n))
  return bytes.subarray(0, MAGIC.length).equals(MAGIC) && bytes.length % 4 === 0 ? { sums } : { sums, why: 'it does not begin or end as it must' }
}

/** Calls `each` with every page of a file, from 1 on. The bytes are valid only during the call. The last may be short. */
export function eachPage (fd: number, each: (page: number, bytes: Uint8Array) => void): void {
  const buffer = Buffer.allocUnsafe(READ_PAGES * PAGE_BYTES)
  for (let first = 0; ; first += READ_PAGES) {
    const length = readSync(fd, buffer, 0, buffer.length, first * PAGE_BYTES)
    for (let at = 0; at < length; at += PAGE_BYTES) each(first + at / PAGE_BYTES + 1, buffer.subarray(at, Math.min(at + PAGE_BYTES, length)))
    if (length < buffer.length) return
  }
}

/** The sums of a log, to be kept up to date. Those that are there must hold. */
export function openPageSums (file: string): PageSums {
  const path = sumsFileOf(file)
  const before = readSums(file).sums
  let sums = before ?? new Uint32Array()
  let fd: number | undefined
  let gone = before === undefined
  const open = (): number => fd ??= openSync(path, 'r+')

  const close = (): void => {
    if (fd !== undefined) closeSync(fd)
    fd = undefined
  }
  /** Sums that are wrong are worse than none. */
  const orGone = (write: () => void): void => {
    try {
      write()
      gone = false
    } catch (error) {
      gone = true
      close()
      rmSync(path, { force: true })
      throw error
    }
  }
  const write = (blocks: Iterable<number>): void => {
    const bytes = Buffer.from(sums.buffer, sums.byteOffset, sums.byteLength)
    for (const block of blocks) {
      const from = block * BLOCK * 4
      const part = bytes.subarray(from, from + BLOCK * 4)
      writeAll(open(), part, MAGIC.length + from)
    }
    fdatasyncSync(open())
  }

  return {
    note: (pages, count) => gone ? undefined : orGone(() => {
      if (sums.length !== count) {
        const resized = new Uint32Array(count)
        resized.set(sums.subarray(0, count))
        sums = resized
      }
      const blocks = new Set<number>()
      for (const [page, bytes] of pages) {
        if (page > count) continue
        sums[page - 1] = crc32(bytes)
        blocks.add(Math.floor((page - 1) / BLOCK))
      }
      write(blocks)
      if (fstatSync(open()).size > MAGIC.length + 4 * count) ftruncateSync(open(), MAGIC.length + 4 * count)
    }),
    rebuild: pages => orGone(() => {
      const found: number[] = []
      eachPage(pages, (_, bytes) => { found.push(crc32(bytes)) })
      sums = Uint32Array.from(found)
      close()
      // Under another name until it is whole.
      fd = openSync(`${path}.new`, 'w+', 0o600)
      writeAll(fd, MAGIC, 0)
      write(Array.from({ length: Math.ceil(sums.length / BLOCK) }, (_, n) => n))
      renameSync(`${path}.new`, path)
    }),
    close
  }
}

/** A disk that is almost full takes a part. */
function writeAll (fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
