/** What the rows of a log say of each other: the state of tasks follows from events, each receipt from the one before it. */
import type { DatabaseSync } from 'node:sqlite'
import { messageOf } from '../core/errors.ts'
import { foldHistory } from '../core/history.ts'
import { toEvent, UPSERT_TASK, type EventRow } from './event-row.ts'
import { toEntry } from './receipts.ts'
import { toValue } from './values.ts'
import { NO_RECEIPT, outcomeOf } from './projection.ts'

/** Faults of one kind that are named. */
const NAMED = 8

/** What contradicts itself, in words for people. */
export function faultsOf (database: DatabaseSync): string[] {
  return [
    ...unsealed(database, 'SELECT * FROM events', toEvent),
    ...unsealed(database, 'SELECT * FROM receipts', toEntry),
    ...unsealed(database, 'SELECT * FROM kept_values', toValue),
    ...gapsInChains(database).slice(0, NAMED)
  ]
}

/** Rows that are not what was written. */
function unsealed (database: DatabaseSync, select: string, read: (row: Record<string, any>) => unknown): string[] {
  const faults: string[] = []
  for (const row of database.prepare(select).iterate()) {
    try {
      read(row)
    } catch (error) {
      if (faults.length < NAMED) faults.push(messageOf(error))
    }
  }
  return faults
}

function gapsInChains (database: DatabaseSync): string[] {
  const heads = new Map<string, Uint8Array>()
  const gaps: string[] = []
  for (const row of database.prepare('SELECT agent, task_id, previous, hash FROM receipts ORDER BY number').iterate()) {
    const { agent, task_id: taskId, previous, hash } = row as { agent: string, task_id: string, previous: Uint8Array, hash: Uint8Array }
    if (Buffer.compare(previous, heads.get(agent) ?? NO_RECEIPT) !== 0) gaps.push(`the receipts of ${agent} have a gap before that of task ${taskId}`)
    heads.set(agent, hash)
  }
  return gaps
}

/** Brings the state of each task to its last event, where it is missing or of an earlier one. Returns of how many. */
export function mendTasks (database: DatabaseSync): number {
  const behind = database.prepare(`SELECT e.agent, e.role, e.task_id FROM (SELECT agent, role, task_id, max(position) AS last FROM events GROUP BY task_id, role, agent) e
    LEFT JOIN tasks t ON t.task_id = e.task_id AND t.role = e.role AND t.agent = e.agent WHERE t.last_position IS NOT e.last`).all()
  const events = database.prepare('SELECT * FROM events WHERE task_id = ? AND role = ? AND agent = ? ORDER BY position')
  const upsert = database.prepare(UPSERT_TASK)
  let mended = 0
  database.exec('BEGIN')
  for (const { agent, role, task_id: taskId } of behind as Array<Record<string, string>>) {
    const history = (events.all(taskId as string, role as string, agent as string) as EventRow[]).map(toEvent)
    const last = [...foldHistory(history)].at(-1)
    const first = history[0]
    // Without its first event a task cannot be folded: its state stays what it was.
    if (last === undefined || first === undefined) continue
    const { capability, stage, ended, counterpart = null, epoch = null, failure = null, cost = null, spent = null, parent = null } = last.summary
    upsert.run(agent as string, role as string, taskId as string, first.position, last.event.position, first.at, last.event.at, capability, stage, Number(ended), outcomeOf(last.summary), counterpart, epoch, failure, cost, spent, parent)
    mended++
  }
  database.exec('COMMIT')
  return mended
}
