/** The event log of a node, on SQLite: what production uses. See memory.ts for the one of the simulator. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { A2aError, messageOf } from '../core/errors.ts'
import type { AgentCost, Clock, EventLog, Logger, TaskRow } from '../core/ports.ts'
import type { Checkpoints } from './checkpoint.ts'
import { openDatabase, sqliteCode, type OpenDatabase } from './database.ts'
import { groupCommit } from './group.ts'
import { toEvent, UPSERT_TASK } from './event-row.ts'
import { DEAREST, interactionOf, metricsOf, outcomeOf, present, RECENT } from './projection.ts'
import type { Tally } from './projection.ts'
import { pruner } from './prune.ts'
import { receiptChain } from './receipts.ts'
import { sealOfEvent } from './seal.ts'
import type { Table } from './table.ts'
import { keptValues } from './values.ts'

export interface EventLogOptions {
  /** Its folder is created where it is missing. */
  file: string
  /** The node's home, as errors name it. Default: the folder of the file. */
  home?: string
  clock: Clock
  /** Told of failed commits, and of slow ones. */
  logger?: Logger
}

/** A commit keeps the event loop waiting: one that takes longer, in ms, is worth a warning. */
const SLOW_COMMIT_MS = 500
/** A full disk fails every commit: it is said once in so many ms. */
const WARN_EACH_MS = 10_000

/**
 * Opens the log, or begins one. Nobody else can open it until it is closed or the process is gone.
 * @throws A2aError HOME_IN_USE, HOME_UNUSABLE, LOG_DAMAGED
 */
export async function openEventLog (options: EventLogOptions): Promise<EventLog> {
  const { file, home = dirname(file) } = options
  return logOn(openDatabase(file, home), options)
}

/** The log in an open database, which is closed with it. */
export function logOn ({ database, checkpoints, close }: OpenDatabase, { file, clock, logger }: EventLogOptions): EventLog {
  const sql = cached(database)
  let open = true
  let warnedAt = -Infinity

  const group = groupCommit({
    // Without a timer: what arrives during one fsync shares the next, so groups grow by themselves when the disk is slow.
    defer: setImmediate,
    later: (ms, commit) => clock.after(ms, commit),
    transaction: writes => {
      const startedAt = clock.now()
      try {
        // SQLite would go on writing into a file that has no name any more, and all of it would be lost.
        if (!existsSync(file)) throw Object.assign(new Error('the file was removed'), { errcode: CANTOPEN })
        transaction(database, checkpoints, writes)
      } catch (error) {
        if (clock.now() - warnedAt >= WARN_EACH_MS) {
          warnedAt = clock.now()
          logger?.warn('the event log could not be written', { file, why: messageOf(error) })
        }
        throw error
      }
      const tookMs = clock.now() - startedAt
      if (tookMs > SLOW_COMMIT_MS) logger?.warn('the event log is on a slow disk', { file, tookMs })
    },
    isOwnFault,
    failed: error => new A2aError({ code: 'LOG_WRITE_FAILED', file, why: messageOf(error) }, { cause: error })
  })
  const read: Table['read'] = query => {
    if (!open) throw new A2aError({ code: 'INTERNAL', why: `the event log ${file} is closed` })
    try {
      return query()
    } catch (error) {
      throw new A2aError({ code: 'LOG_DAMAGED', file, why: messageOf(error) }, { cause: error })
    }
  }
  const table: Table = { sql, read, write: group.add }

  return {
    ...events(table),
    ...pruner(table),
    chain: receiptChain(table),
    values: keptValues(table),
    close: async () => {
      if (!open) return
      group.close()
      open = false
      close()
    }
  }
}

function events ({ sql, read, write }: Table): Omit<EventLog, 'chain' | 'values' | 'close' | 'prune' | 'size'> {
  return {
    append: async (event, summary, options) => {
      const { at, agent, role, taskId, type } = event
      const data = JSON.stringify(event.data) ?? 'null'
      const seal = sealOfEvent(event, data)
      const { capability, stage, ended, counterpart = null, epoch = null, failure = null, cost = null, spent = null, parent = null } = summary
      const outcome = outcomeOf(summary)
      return write(() => {
        const { lastInsertRowid } = sql('INSERT INTO events (at, agent, role, task_id, type, data, seal) VALUES (?, ?, ?, ?, ?, ?, ?)').run(at, agent, role, taskId, type, data, seal)
        const position = Number(lastInsertRowid)
        sql(UPSERT_TASK).run(agent, role, taskId, position, position, at, at, capability, stage, Number(ended), outcome, counterpart, epoch, failure, cost, spent, parent)
        return { ...event, position }
      }, options)
    },
    eventsOf: (role, taskId, { after = 0, limit = -1 } = {}) =>
      read(() => sql('SELECT * FROM events WHERE task_id = ? AND role = ? AND position > ? ORDER BY position LIMIT ?').all(taskId, role, after, limit).map(toEvent)),
    tasks: ({ agent, role, ended, parent, limit = -1 } = {}) => {
      const wanted = Object.entries({ agent, role, parent, ended: ended === undefined ? undefined : Number(ended) }).filter(([, value]) => value !== undefined) as Array<[string, string | number]>
      // Literal, for the planner uses a partial index only for what it can prove.
      const where = wanted.map(([column, value]) => column === 'ended' ? `ended = ${value}` : `${column} = ?`).join(' AND ') || 'TRUE'
      const values = wanted.filter(([column]) => column !== 'ended').map(([, value]) => value)
      return read(() => sql(`SELECT * FROM tasks WHERE ${where} ORDER BY first_position DESC LIMIT ?`).all(...values, limit)).map(toTask)
    },
    task: (role, taskId) => {
      const row = read(() => sql('SELECT * FROM tasks WHERE task_id = ? AND role = ? ORDER BY last_position DESC LIMIT 1').get(taskId, role))
      return row === undefined ? undefined : toTask(row)
    },
    interactions: (agent, limit = RECENT) =>
      read(() => sql('SELECT * FROM tasks WHERE agent = ? AND ended = 1 AND role != \'job\' ORDER BY last_position DESC LIMIT ?').all(agent, limit)).map(row => interactionOf(toTask(row))),
    costs: (agent, limit = DEAREST) =>
      read(() => sql(`SELECT role, capability, counterpart, count(*) AS tasks, sum(cost) AS cost FROM tasks
        WHERE agent = ? AND ended = 1 AND cost > 0 AND role != 'job' GROUP BY role, capability, counterpart ORDER BY sum(cost) DESC, role, capability, counterpart LIMIT ?`).all(agent, limit)).map(row => present<AgentCost>(row as unknown as AgentCost)),
    metrics: agent => {
      const tallies = read(() => sql('SELECT role, outcome, count(*) AS tasks, coalesce(sum(cost), 0) AS cost FROM tasks WHERE agent = ? GROUP BY role, outcome UNION ALL SELECT role, outcome, tasks, cost FROM tallies WHERE agent = ?').all(agent, agent)) as unknown as Tally[]
      return metricsOf(tallies, role => read(() =>
        sql('SELECT max(0, updated_at - created_at) AS ms FROM tasks WHERE agent = ? AND role = ? AND ended = 1 ORDER BY last_position DESC LIMIT ?').all(agent, role, RECENT)).map(row => row['ms'] as number))
    }
  }
}

/** Statements are prepared once; there are as many as there are texts in this folder. */
function cached (database: DatabaseSync): Table['sql'] {
  const statements = new Map<string, StatementSync>()
  return text => {
    let statement = statements.get(text)
    if (statement === undefined) statements.set(text, statement = database.prepare(text))
    return statement
  }
}

const CANTOPEN = 14, TOOBIG = 18, CONSTRAINT = 19, MISMATCH = 20

function transaction (database: DatabaseSync, checkpoints: Checkpoints, writes: () => void): void {
  try {
    database.exec('BEGIN IMMEDIATE')
    writes()
    database.exec('COMMIT')
  } catch (error) {
    // For some errors SQLite has rolled back already, and refuses to do it twice.
    attempt(() => database.exec('ROLLBACK'))
    // A commit whose fsync failed stands in the write-ahead log all the same, and a crash would bring it back.
    attempt(checkpoints.failed)
    throw error
  }
  checkpoints.committed()
}

function attempt (run: () => void): void {
  try {
    run()
  } catch {}
}

/** Values that do not fit the table, against what their types say. */
function isOwnFault (error: unknown): boolean {
  const code = sqliteCode(error)
  return code === undefined || code === TOOBIG || code === CONSTRAINT || code === MISMATCH
}

type Row = Record<string, any>

const toTask = ({ task_id: taskId, agent, role, created_at: createdAt, updated_at: updatedAt, capability, stage, ended, counterpart, epoch, failure, cost, spent, parent }: Row): TaskRow =>
  present<TaskRow>({ taskId, agent, role, createdAt, updatedAt, capability, stage, ended: ended === 1, counterpart, epoch, failure, cost, spent, parent })
