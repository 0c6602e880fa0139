/**
 * Group commit: the writes of many callers, done in one transaction with one fsync. The same for the disk and for memory,
 * so that the simulator meets the order of things that production has: nothing is visible before it is committed.
 */
import { A2aError } from '../core/errors.ts'
import type { WriteOptions } from '../core/ports.ts'

/** Writes in one transaction: bounds how long a commit keeps the event loop waiting. The rest goes into the next. */
const LARGEST_GROUP = 1_024
/** Writes that may wait for their commit. More are rejected with OVERLOADED. */
const MOST_QUEUED = 65_536

export interface GroupParts {
  /** Calls `commit` soon, when those who are about to write have had their turn. */
  defer: (commit: () => void) => void
  /** Calls `commit` after so many ms, unless it is cancelled. */
  later: (ms: number, commit: () => void) => () => void
  /** Runs all of `writes`, and commits. Throws when it could not: then none of them has happened. */
  transaction: (writes: () => void) => void
  /** What callers are told when their transaction has failed. */
  failed: (error: unknown) => A2aError
  /** The fault lies in one write, not in the disk: the others of its group may be tried without it. */
  isOwnFault: (error: unknown) => boolean
}

export interface Group {
  /**
   * Does `write` in the next transaction; resolves to what it gave once that is committed, in the order of the calls. An
   * A2aError thrown by `write` refuses this one alone; it must be thrown before anything was written. Patient writes alone
   * begin no transaction before the patience of one of them is over.
   */
  add: <T>(write: () => T, options?: WriteOptions) => Promise<T>
  /** Commits what is queued, and refuses what comes later. */
  close: () => void
}

interface Waiting {
  write: () => unknown
  resolve: (value: any) => void
  reject: (error: unknown) => void
}

export function groupCommit ({ defer, later, transaction, failed, isOwnFault }: GroupParts): Group {
  let queue: Waiting[] = []
  let deferred = false
  let postponed: { ms: number, cancel: () => void } | undefined
  let closed = false

  const schedule = (patienceMs = 0) => {
    if (deferred || queue.length === 0) return
    if (patienceMs === 0) {
      deferred = true
      defer(flush)
    } else if (postponed === undefined || patienceMs < postponed.ms) {
      postponed?.cancel()
      postponed = { ms: patienceMs, cancel: later(patienceMs, () => { schedule() }) }
    }
  }

  const flush = () => {
    deferred = false
    postponed?.cancel()
    postponed = undefined
    const group = queue.slice(0, LARGEST_GROUP)
    queue = queue.slice(LARGEST_GROUP)
    schedule()
    if (group.length > 0) commit(group)
  }

  const commit = (group: Waiting[]) => {
    let answers: Array<() => void> = []
    try {
      transaction(() => {
        answers = group.map(({ write, resolve, reject }) => {
          try {
            const value = write()
            return () => resolve(value)
          } catch (error) {
            if (error instanceof A2aError) return () => reject(error)
            throw error
          }
        })
      })
    } catch (error) {
      // One that cannot be written must not take those down that happened to come with it.
      if (group.length > 1 && isOwnFault(error)) {
        for (const one of group) commit([one])
        return
      }
      answers = group.map(({ reject }) => () => reject(failed(error)))
    }
    for (const answer of answers) answer()
  }

  return {
    add: (write, { patienceMs } = {}) => new Promise((resolve, reject) => {
      if (closed) return reject(failed(new Error('the log is closed')))
      if (queue.length >= MOST_QUEUED) return reject(new A2aError({ code: 'OVERLOADED', what: 'writes to the event log', limit: MOST_QUEUED }))
      queue.push({ write, resolve, reject })
      schedule(patienceMs)
    }),
    close: () => {
      closed = true
      while (queue.length > 0) flush()
    }
  }
}
