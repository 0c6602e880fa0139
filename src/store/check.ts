/** Looks a log's files over, byte by byte: what is not as it was written. */
import { closeSync, fstatSync, openSync, readFileSync, statSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { walOf } from './checkpoint.ts'
import { eachPage, PAGE_BYTES, readSums, sumsFileOf } from './page-sums.ts'
import { readWal, type Wal } from './wal.ts'

export interface FileDamage {
  file: string
  /** What is wrong, in words for people. */
  what: string
}

export interface FilesCheck {
  damage: FileDamage[]
  /** Without checksums nothing can be said of the pages: a log of an older release, or one whose checksums were removed. */
  hasSums: boolean
}

/** Faulty pages that are named; of more only the number is given. */
const NAMED = 8

/**
 * Reads all of it: a second for some 1.7 GB. Whoever calls it has the log's lock, and `fd` open on the file. Both stay open:
 * closing a descriptor drops the locks that this process has on the file (https://sqlite.org/howtocorrupt.html, 2.2).
 */
export function checkFiles (file: string, fd: number): FilesCheck {
  const sums = readSums(file)
  const wal = readWal(sizeOf(walOf(file)) > 0 ? readFileSync(walOf(file)) : new Uint8Array(), sums?.slots)
  const damage: FileDamage[] = wal.damage === undefined ? [] : [{ file: walOf(file), what: wal.damage }]
  if (sums === undefined) return { damage, hasSums: false }
  const { pages, why } = sums
  if (why !== undefined) damage.push({ file: sumsFileOf(file), what: why })
  const faults = faultyPages(fd, pages, wal)
  if (faults.length > 0) damage.push({ file, what: `${faults.length === 1 ? 'page' : `${faults.length} pages:`} ${faults.slice(0, NAMED).join(', ')}${faults.length > NAMED ? ', …' : ''} of ${pages.length} ${faults.length === 1 ? 'is' : 'are'} not what ${faults.length === 1 ? 'was' : 'were'} written` })
  return { damage, hasSums: true }
}

/** As checkFiles, of files that nobody uses. */
export function checkFilesAlone (file: string): FilesCheck {
  const fd = openSync(file, 'r')
  try {
    return checkFiles(file, fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Pages that are not what their checksum says. Of those that are in the write-ahead log too, it may be that of their newest
 * form already: then a checkpoint was under way, and will be done again.
 */
function faultyPages (fd: number, sums: Uint32Array, { frames, pages }: Wal): number[] {
  const rewritten = new Map(frames.map(({ page, bytes }) => [page, bytes]))
  const there = Math.ceil(fstatSync(fd).size / PAGE_BYTES)
  const count = pages ?? Math.max(there, sums.length)
  const faulty: number[] = []
  eachPage(fd, (page, bytes) => {
    if (page > count) return
    const newest = rewritten.get(page)
    const holds = bytes.length === PAGE_BYTES && crc32(bytes) === sums[page - 1]
    if (!holds && (newest === undefined || crc32(newest) !== sums[page - 1])) faulty.push(page)
  })
  for (let page = there + 1; page <= count; page++) if (!rewritten.has(page)) faulty.push(page)
  return faulty
}

const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
