/**
 * Moves what was committed out of the write-ahead log into the file, in place of SQLite: the checksums of the pages are on
 * the disk before the pages are. Until a checkpoint is done, all that it moves is still in the write-ahead log, which has
 * checksums of its own; so a crash at any moment leaves every page with one that says what it is to be.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync, truncateSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { SLOTS, type PageSums } from './page-sums.ts'
import { FRAME_HEADER, frameAt, framesOf, HEADER, readWal, slotOf } from './wal.ts'

/** A write-ahead log of so many pages is moved, as SQLite has it by default. */
const LARGEST = 1_000

export interface Checkpoints {
  /** To be called after each commit. */
  committed: () => void
  /** To be called after each transaction that failed: nothing of it stays in the write-ahead log, where a crash could bring it back. */
  failed: () => void
  /** Moves all there is, and leaves the write-ahead log empty. @throws what SQLite and the disk say; then it is for later, and nothing is lost */
  now: () => void
  close: () => void
}

export const walOf = (file: string): string => `${file}-wal`

export function createCheckpoints ({ database, file, sums }: { database: DatabaseSync, file: string, sums: PageSums }): Checkpoints {
  let fd: number | undefined
  /** Frames that are committed and not moved yet. */
  let frames = 0
  let due = LARGEST
  const header = Buffer.alloc(HEADER)
  const frame = Buffer.alloc(FRAME_HEADER)
  const salts = Buffer.alloc(8)

  /** Follows the frames that a commit has added: up to the first that ends one. */
  const follow = (): boolean => {
    if (fd === undefined && statSync(walOf(file), { throwIfNoEntry: false }) === undefined) return false
    fd ??= openSync(walOf(file), 'r')
    if (readSync(fd, header, 0, HEADER, 0) < HEADER) return false
    if (salts.compare(header, 16, 24) !== 0) {
      // SQLite has begun anew at the beginning.
      header.copy(salts, 0, 16, 24)
      frames = 0
    }
    for (let n = frames; readSync(fd, frame, 0, FRAME_HEADER, frameAt(n)) === FRAME_HEADER && salts.compare(frame, 8, 16) === 0; n++) {
      if (frame.readUInt32BE(4) === 0) continue
      frames = n + 1
      return true
    }
    return false
  }

  const move = (how: 'RESTART' | 'TRUNCATE'): void => {
    if (frames > 0) {
      const bytes = Buffer.allocUnsafe(frameAt(frames))
      readSync(fd as number, bytes, 0, bytes.length, 0)
      const pages = new Map<number, number>()
      const slots = new Uint32Array(Math.min(frames, SLOTS))
      const all = framesOf(bytes)
      for (const [n, { page, header: own, bytes: content }] of all.entries()) {
        const sum = crc32(content)
        pages.set(page, sum)
        if (n < SLOTS) slots[n] = slotOf(own, sum)
      }
      sums.note(pages, all.at(-1)?.commit as number, slots)
    }
    // Its row says whether somebody was in the way; nobody can be.
    database.exec(`PRAGMA wal_checkpoint(${how})`)
    frames = 0
  }

  // What a crash has left. SQLite does not take what does not hold either.
  if (follow()) frames = readWal(readFileSync(walOf(file))).frames.length

  return {
    committed: () => {
      follow()
      if (frames < due) return
      try {
        move(frames > SLOTS ? 'TRUNCATE' : 'RESTART')
        due = LARGEST
      } catch {
        // A full disk is not asked again with each commit.
        due = frames + LARGEST
      }
    },
    failed: () => {
      if (fd !== undefined && fstatSync(fd).size > frameAt(frames)) truncateSync(walOf(file), frames === 0 ? 0 : frameAt(frames))
    },
    now: () => { move('TRUNCATE') },
    close: () => {
      if (fd !== undefined) closeSync(fd)
    }
  }
}
