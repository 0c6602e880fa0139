/**
 * Moves what was committed out of the write-ahead log into the file, in place of SQLite: the checksums of the pages are on
 * the disk before the pages are. Until a checkpoint is done, all that it moves is still in the write-ahead log, which has
 * checksums of its own; so a crash at any moment leaves every page with one that says what it is to be.
 */
import { readFileSync, statSync, truncateSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { PageSums } from './page-sums.ts'
import { framesOf } from './wal.ts'

/** A write-ahead log of so many bytes is moved: about a thousand pages, as SQLite has it by default. */
const LARGEST = 4 * 1_024 * 1_024

export interface Checkpoints {
  /** To be called after each commit. */
  committed: () => void
  /** To be called after each transaction that failed: nothing of it stays in the write-ahead log, where a crash could bring it back. */
  failed: () => void
  /** @throws what SQLite and the disk say; then it is for later, and nothing is lost */
  now: () => void
}

export const walOf = (file: string): string => `${file}-wal`

export function createCheckpoints ({ database, file, sums }: { database: DatabaseSync, file: string, sums: PageSums }): Checkpoints {
  const sizeNow = (): number => statSync(walOf(file), { throwIfNoEntry: false })?.size ?? 0
  let size = sizeNow()
  /** Above LARGEST when the last attempt failed: a full disk is not asked with each commit. */
  let due = LARGEST

  const now = (): void => {
    size = sizeNow()
    if (size === 0) return
    const frames = framesOf(readFileSync(walOf(file)))
    const end = frames.findLastIndex(({ commit }) => commit > 0)
    if (end >= 0) {
      const pages = new Map(frames.slice(0, end + 1).map(({ page, bytes }) => [page, bytes]))
      sums.note(pages, frames[end]?.commit as number)
    }
    // Its row says whether somebody was in the way; nobody can be.
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    size = sizeNow()
  }

  return {
    committed: () => {
      size = sizeNow()
      if (size < due) return
      try {
        now()
        due = LARGEST
      } catch {
        due = size + LARGEST
      }
    },
    failed: () => {
      if (sizeNow() > size) truncateSync(walOf(file), size)
    },
    now
  }
}
