/** That one process alone writes a file. The lock is the kernel's, by way of SQLite: it ends with its holder, however that ends. */
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { A2aError, messageOf } from '../core/errors.ts'

/** SQLite's primary result code for a lock that another holds (https://sqlite.org/rescode.html#busy). */
const BUSY = 5

/**
 * Locks `<path>.lock`, an empty file that is there as long as the lock is, or until the next holder after a crash.
 * @returns gives the lock back
 * @throws A2aError BAD_USAGE when another has it
 */
export function lock (path: string): () => void {
  const file = `${path}.lock`
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    const { errcode = 0 } = error as { errcode?: number }
    throw new A2aError({ code: 'BAD_USAGE', why: (errcode & 0xff) === BUSY ? `${path} is being written already` : `cannot lock ${file}: ${messageOf(error)}` }, { cause: error })
  }
  const held = database
  return () => {
    rmSync(file, { force: true })
    held.close()
  }
}
