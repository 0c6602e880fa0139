/**
 * Moves what was committed out of the write-ahead log into the file, in place of SQLite: the checksums of the pages are on
 * the disk before the pages are. Until a checkpoint is done, all that it moves is still in the write-ahead log, which has
 * checksums of its own; so a crash at any moment leaves every page with one that says what it is to be.
 */
import { closeSync, openSync, readFileSync, readSync, statSync, truncateSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { PAGE_BYTES, SLOT_BYTES, SLOTS, type PageSums } from './page-sums.ts'
import { FRAME_HEADER, frameAt, HEADER, readWal } from './wal.ts'

/** A write-ahead log of so many pages is moved: some 6 MiB. Below SLOTS by more than one commit has, or it would be cut off each time. */
const LARGEST = 1_400
/** After so many rows its length is looked at. */
const ROWS = 64

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
  const changesNow = database.prepare('SELECT total_changes() AS changes')
  let changes = 0
  let lookedAt = 0
  let fd: number | undefined
  /** Transactions in the write-ahead log: each has a last frame that says so. */
  let commits = 0
  let due = LARGEST
  const header = Buffer.alloc(HEADER)
  const frame = Buffer.alloc(FRAME_HEADER)

  const salts = (): Buffer => header.subarray(16, 24)
  const readHeader = (): boolean => {
    if (fd === undefined && statSync(walOf(file), { throwIfNoEntry: false }) === undefined) return false
    fd ??= openSync(walOf(file), 'r')
    return readSync(fd, header, 0, HEADER, 0) === HEADER
  }

  /**
   * Passes the headers of the frames of all transactions that were committed, with the checksum that each begins with.
   * Returns how many they are.
   */
  const eachFrame = (visit: (n: number, frame: Buffer, before: Buffer) => void): number => {
    const before = Buffer.from(header.subarray(24, 32))
    let frames = 0
    for (let left = commits; left > 0; frames++) {
      if (readSync(fd as number, frame, 0, FRAME_HEADER, frameAt(frames)) < FRAME_HEADER) throw new Error(`${walOf(file)} is shorter than what was committed`)
      visit(frames, frame, before)
      frame.copy(before, 0, 16, 24)
      if (frame.readUInt32BE(4) > 0) left--
    }
    return frames
  }

  const move = (how: 'RESTART' | 'TRUNCATE'): void => {
    if (commits > 0 && readHeader()) {
      const slots = Buffer.alloc(SLOT_BYTES * SLOTS)
      const newest = new Map<number, number>()
      let count = 0
      const frames = eachFrame((n, own, before) => {
        newest.set(own.readUInt32BE(0), n)
        count = own.readUInt32BE(4) || count
        if (n >= SLOTS) return
        before.copy(slots, n * SLOT_BYTES)
        own.copy(slots, n * SLOT_BYTES + 8, 8, 24)
      })
      const page = Buffer.allocUnsafe(PAGE_BYTES)
      const pages = new Map([...newest].map(([number, n]) => {
        readSync(fd as number, page, 0, PAGE_BYTES, frameAt(n) + FRAME_HEADER)
        return [number, crc32(page)]
      }))
      sums.note(pages, count, slots.subarray(0, SLOT_BYTES * Math.min(frames, SLOTS)))
      if (frames > SLOTS) how = 'TRUNCATE'
    }
    const done = database.prepare(`PRAGMA wal_checkpoint(${how})`).get()
    if (done?.['busy'] !== 0) throw new Error(`somebody else uses ${walOf(file)}`)
    commits = 0
  }

  // What a crash has left. SQLite does not take what does not hold either.
  if (readHeader()) commits = readWal(readFileSync(walOf(file))).frames.filter(({ commit }) => commit > 0).length

  return {
    committed: () => {
      const before = changes
      changes = Number(changesNow.get()?.['changes'])
      if (changes === before) return
      commits++
      if (commits === 1) readHeader()
      if (fd === undefined || changes < lookedAt + ROWS) return
      lookedAt = changes
      const isLong = readSync(fd, frame, 0, FRAME_HEADER, frameAt(due - 1)) === FRAME_HEADER && salts().compare(frame, 8, 16) === 0
      if (!isLong) return
      try {
        move('RESTART')
        due = LARGEST
      } catch {
        // A full disk is not asked again with each commit.
        due += LARGEST
      }
    },
    failed: () => {
      if (!readHeader()) return
      const frames = commits === 0 ? 0 : eachFrame(() => {})
      truncateSync(walOf(file), frames === 0 ? 0 : frameAt(frames))
    },
    now: () => {
      due = LARGEST
      move('TRUNCATE')
    },
    close: () => {
      if (fd !== undefined) closeSync(fd)
    }
  }
}
