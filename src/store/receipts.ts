/** Receipts on SQLite: one chain for each agent. */
import type { ReceiptChain, ReceiptEntry } from '../core/ports.ts'
import type { Table } from './table.ts'
import { linkOf, NO_RECEIPT, present } from './projection.ts'

export function receiptChain ({ sql, read, write }: Table): ReceiptChain {
  const headOf = (agent: string) =>
    sql('SELECT hash FROM receipts WHERE agent = ? ORDER BY number DESC LIMIT 1').get(agent)?.['hash'] as Uint8Array | undefined ?? NO_RECEIPT.slice()

  return {
    head: agent => read(() => headOf(agent)),
    append: async (given, options) => {
      const { agent, taskId, epoch, at } = given
      const [previous, hash, statement, countersignature = null] = [given.previous, given.hash, given.statement, given.countersignature].map(bytes => bytes && Uint8Array.from(bytes)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array?]
      return write(() => {
        // Inside the transaction, so that receipts queued together see each other.
        const known = sql('SELECT 1 FROM receipts WHERE agent = ? AND hash = ?').get(agent, hash) !== undefined
        if (linkOf(given, headOf(agent), known) === 'countersign') {
          sql('UPDATE receipts SET countersignature = coalesce(?, countersignature) WHERE agent = ? AND hash = ?').run(countersignature, agent, hash)
        } else {
          sql('INSERT INTO receipts (agent, task_id, epoch, at, previous, hash, statement, countersignature) VALUES (?, ?, ?, ?, ?, ?, ?, ?)').run(agent, taskId, epoch, at, previous, hash, statement, countersignature)
        }
      }, options)
    },
    list: (agent, { taskId, limit = -1 } = {}) => read(() => taskId === undefined
      ? sql('SELECT * FROM receipts WHERE agent = ? ORDER BY number LIMIT ?').all(agent, limit)
      : sql('SELECT * FROM receipts WHERE agent = ? AND task_id = ? ORDER BY number LIMIT ?').all(agent, taskId, limit)).map(toEntry)
  }
}

const toEntry = ({ agent, task_id: taskId, epoch, at, previous, hash, statement, countersignature }: Record<string, any>): ReceiptEntry =>
  present<ReceiptEntry>({ agent, taskId, epoch, at, previous, hash, statement, countersignature })
