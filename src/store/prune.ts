/**
 * Takes ended tasks and jobs out of the log, a few at a time, so that it does not grow for ever. Their receipts stay, and what they
 * add to the counters; of each agent and role the last 1,000 stay whole, however old. A dead letter has not ended: it stays
 * until its owner says so.
 */
import { PATIENCE, type EventLog, type Role } from '../core/ports.ts'
import { RECENT } from './projection.ts'
import type { Table } from './table.ts'

/** Tasks in one transaction: some 200 events, a few ms. */
const MOST_AT_ONCE = 16
const ROLES: readonly Role[] = ['requester', 'provider', 'job']

export function pruner ({ sql, read, write }: Table): Pick<EventLog, 'prune' | 'size'> {
  const pruneRole = (agent: string, role: Role, endedBefore: number): number => {
    const newest = sql('SELECT last_position AS position FROM tasks WHERE agent = ? AND role = ? AND ended = 1 ORDER BY last_position DESC LIMIT 1 OFFSET ?').get(agent, role, RECENT - 1)
    if (newest === undefined) return 0
    const old = sql('SELECT task_id, outcome, coalesce(cost, 0) AS cost FROM tasks WHERE agent = ? AND role = ? AND ended = 1 AND last_position < ? AND updated_at < ? ORDER BY last_position LIMIT ?')
      .all(agent, role, newest['position'] as number, endedBefore, MOST_AT_ONCE)
    for (const { task_id: taskId, outcome, cost } of old as Array<Record<string, string>>) {
      sql('INSERT INTO tallies VALUES (?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET tasks = tasks + 1, cost = cost + excluded.cost').run(agent, role, outcome as string, Number(cost))
      sql('DELETE FROM events WHERE task_id = ? AND role = ? AND agent = ?').run(taskId as string, role, agent)
      sql('DELETE FROM tasks WHERE task_id = ? AND role = ? AND agent = ?').run(taskId as string, role, agent)
    }
    return old.length
  }

  return {
    prune: (agent, endedBefore) => write(() => ROLES.reduce((pruned, role) => pruned + pruneRole(agent, role, endedBefore), 0), { patienceMs: PATIENCE.briefMs }),
    size: () => read(() => {
      const value = (name: string): number => Number(Object.values(sql(`PRAGMA ${name}`).get() ?? {})[0])
      const pages = value('page_count')
      return { bytes: pages * value('page_size'), usedBytes: (pages - value('freelist_count')) * value('page_size') }
    })
  }
}
