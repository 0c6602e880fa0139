import type { StatementSync } from 'node:sqlite'
import type { Group } from './group.ts'

/** What the tables have in common: cached statements, reads, and writes in group commits. */
export interface Table {
  sql: (text: string) => StatementSync
  /** @throws A2aError LOG_DAMAGED, or INTERNAL after `close` */
  read: <T>(query: () => T) => T
  write: Group['add']
}
