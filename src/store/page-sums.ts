/**
 * A checksum for each page of the log, in a file beside it: SQLite has none, and takes a bit that went over in a payload, a
 * key or a position for what was written. Written by checkpoint.ts, always before the page itself. And one for each frame
 * of the write-ahead log as it was at the last checkpoint: the frames stay in that file until they are written over. They
 * have checksums of their own; what is kept is what is needed to check them.
 *
 * In sectors of 512 bytes, which a disk writes whole or not at all; CRC-32s of 4 bytes, little-endian:
 *
 *   "a2aSums1" and zeros · 98 sectors of 21 frames each, and a CRC-32 over these · the CRC-32 of each page
 *
 * A frame's: the checksum of the one before it, its salts, and its checksum, as they stand in the write-ahead log. Zeros: unknown.
 */
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

export const PAGE_BYTES = 4_096
/** What a disk writes whole or not at all. */
export const SECTOR = 512
const HEADER = Buffer.alloc(SECTOR, 'a2aSums1'.padEnd(SECTOR, '\0'))
const FRAMES_A_SECTOR = 21
const FRAME_SECTORS = 98
export const SLOT_BYTES = 24
/** Frames that have one. A longer write-ahead log is to be cut off at its checkpoint. */
export const SLOTS = FRAMES_A_SECTOR * FRAME_SECTORS
const PAGES_FROM = SECTOR * (1 + FRAME_SECTORS)
/** Sums that are written together: those of 4 MiB of log. */
const BLOCK = 1_024
/** Pages read at once. */
const READ_PAGES = 256

export const sumsFileOf = (file: string): string => `${file}-sums`

export interface PageSums {
  /**
   * Notes what pages are about to be, how many the file will have, and what stands in the write-ahead log from its beginning on.
   * When that cannot be written, the sums are gone until `rebuild`.
   * @throws then, once
   */
  note: (pages: ReadonlyMap<number, number>, count: number, frames: Uint8Array) => void
  /** Begins anew, from the file as it is. */
  rebuild: (fd: number) => void
  close: () => void
}

export interface Sums {
  /** Of each page, the first's first. */
  pages: Uint32Array
  /** Of each frame of the write-ahead log, SLOT_BYTES each. */
  slots: Buffer
  /** What is wrong with their file. */
  why?: string
}

/** The sums of a log's file, when there are any. */
export function readSums (file: string): Sums | undefined {
  if (statSync(sumsFileOf(file), { throwIfNoEntry: false }) === undefined) return undefined
  const bytes = readFileSync(sumsFileOf(file))
  if (bytes.length < PAGES_FROM) return { pages: new Uint32Array(), slots: Buffer.alloc(0), why: 'it is cut off' }
  const sectors = Array.from({ length: FRAME_SECTORS }, (_, n) => bytes.subarray(SECTOR * (n + 1), SECTOR * (n + 2)))
  const good = bytes.subarray(0, SECTOR).equals(HEADER) && sectors.every(sector => crc32(sector.subarray(0, -4)) === sector.readUInt32LE(SECTOR - 4))
  return {
    slots: Buffer.concat(sectors.map(sector => sector.subarray(0, FRAMES_A_SECTOR * SLOT_BYTES))),
    pages: wordsOf(bytes.subarray(PAGES_FROM)),
    ...!good && { why: 'it is not what was written' }
  }
}

const wordsOf = (bytes: Buffer): Uint32Array => Uint32Array.from({ length: Math.floor(bytes.length / 4) }, (_, n) => bytes.readUInt32LE(4 * n))

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
  const before = readSums(file)
  let sums = before?.pages ?? new Uint32Array()
  const slots = before?.slots ?? Buffer.alloc(SLOTS * SLOT_BYTES)
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
      writeAll(open(), part, PAGES_FROM + from)
    }
    fdatasyncSync(open())
  }
  const writeSlots = (count: number): void => {
    const bytes = FRAMES_A_SECTOR * SLOT_BYTES
    const sectors = Array.from({ length: Math.ceil(count / FRAMES_A_SECTOR) }, (_, n) => {
      const sector = Buffer.alloc(SECTOR)
      slots.copy(sector, 0, n * bytes, (n + 1) * bytes)
      sector.writeUInt32LE(crc32(sector.subarray(0, -4)), SECTOR - 4)
      return sector
    })
    writeAll(open(), Buffer.concat(sectors), SECTOR)
  }

  return {
    note: (pages, count, frames) => gone ? undefined : orGone(() => {
      if (sums.length !== count) {
        const resized = new Uint32Array(count)
        resized.set(sums.subarray(0, count))
        sums = resized
      }
      const blocks = new Set<number>()
      for (const [page, sum] of pages) {
        if (page > count) continue
        sums[page - 1] = sum
        blocks.add(Math.floor((page - 1) / BLOCK))
      }
      slots.set(frames)
      writeSlots(frames.length / SLOT_BYTES)
      write(blocks)
      if (fstatSync(open()).size > PAGES_FROM + 4 * count) ftruncateSync(open(), PAGES_FROM + 4 * count)
    }),
    rebuild: pages => orGone(() => {
      const found: number[] = []
      eachPage(pages, (_, bytes) => { found.push(crc32(bytes)) })
      sums = Uint32Array.from(found)
      close()
      // Under another name until it is whole.
      fd = openSync(`${path}.new`, 'w+', 0o600)
      writeAll(fd, HEADER, 0)
      writeSlots(SLOTS)
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
