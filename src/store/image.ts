/** The pages of a log, as they should be: those of its file, under those of its write-ahead log, mended where that can be. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { differInOneBit, turnBackTo } from './bits.ts'
import { walOf } from './checkpoint.ts'
import { eachPage, PAGE_BYTES, readSums } from './page-sums.ts'
import { mendWal } from './wal.ts'

export interface Image extends Disposable {
  /** How many pages the database has. */
  count: number
  /** `undefined`: it is lost. */
  page: (page: number) => Uint8Array | undefined
  /** Pages and frames in which one bit was put right. */
  mended: number
  /** Pages, and frames of the write-ahead log, that cannot be mended. */
  lost: number
  /** Whether there were checksums: without them nothing is known to be lost, and nothing can be mended. */
  hasSums: boolean
}

/** Reads a log's files, and changes none of them. Nobody else may write to them meanwhile. */
export function openImage (file: string): Image {
  const fd = openSync(file, 'r')
  const sums = readSums(file)
  const wal = mendWal(statSync(walOf(file), { throwIfNoEntry: false }) === undefined ? new Uint8Array() : readFileSync(walOf(file)), sums?.slots)
  const known = new Map<number, Uint8Array | undefined>(wal.frames.map(({ page, bytes }) => [page, bytes]))
  const there = Math.ceil(fstatSync(fd).size / PAGE_BYTES)
  const count = wal.pages ?? Math.max(there, sums?.pages.length ?? 0)
  let { mended, lost } = wal

  const mend = (page: number, bytes: Uint8Array): void => {
    const sum = sums?.pages[page - 1]
    if (sum === undefined || crc32(bytes) === sum || known.has(page) || page > count) return
    const copy = Buffer.alloc(PAGE_BYTES)
    copy.set(bytes)
    if (differInOneBit(crc32(copy), sum)) {
      // It is the checksum that is damaged.
      mended++
    } else if (turnBackTo(copy, sum)) {
      mended++
      known.set(page, copy)
    } else {
      lost++
      known.set(page, undefined)
    }
  }
  eachPage(fd, mend)
  for (let page = there + 1; page <= count; page++) if (!known.has(page)) lost++

  return {
    count, mended, lost, hasSums: sums !== undefined,
    page: page => {
      if (known.has(page)) return known.get(page)
      const bytes = Buffer.alloc(PAGE_BYTES)
      return page >= 1 && page <= count && readSync(fd, bytes, 0, PAGE_BYTES, (page - 1) * PAGE_BYTES) === PAGE_BYTES ? bytes : undefined
    },
    [Symbol.dispose]: () => { closeSync(fd) }
  }
}
