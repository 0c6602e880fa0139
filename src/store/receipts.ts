/** Receipts on SQLite: one chain for each agent. */
import type { ReceiptChain, ReceiptEntry } from '../core/ports.ts'
import type { Table } from './table.ts'
import { checkSeal, sealOfReceipt } from './seal.ts'
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
          const kept = toEntry(sql('SELECT * FROM receipts WHERE agent = ? AND hash = ?').get(agent, hash) as ReceiptRow)
          const entry = countersignature === null ? kept : { ...kept, countersignature }
          sql('UPDATE receipts SET countersignature = ?, seal = ? WHERE agent = ? AND hash = ?').run(entry.countersignature ?? null, sealOfReceipt(entry), agent, hash)
        } else {
          const seal = sealOfReceipt({ agent, taskId, epoch, at, previous, hash, statement, ...countersignature && { countersignature } })
          sql('INSERT INTO receipts (agent, task_id, epoch, at, previous, hash, statement, countersignature, seal) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)').run(agent, taskId, epoch, at, previous, hash, statement, countersignature, seal)
        }
      }, options)
    },
    list: (agent, { taskId, limit = -1 } = {}) => read(() => (taskId === undefined
      ? sql('SELECT * FROM receipts WHERE agent = ? ORDER BY number LIMIT ?').all(agent, limit)
      : sql('SELECT * FROM receipts WHERE agent = ? AND task_id = ? ORDER BY number LIMIT ?').all(agent, taskId, limit)).map(toEntry))
  }
}

type ReceiptRow = Record<string, any>

/** @throws Error when it is not what was written */
export function toEntry ({ agent, task_id: taskId, epoch, at, previous, hash, statement, countersignature, seal }: ReceiptRow): ReceiptEntry {
  const entry = present<ReceiptEntry>({ agent, taskId, epoch, at, previous, hash, statement, countersignature })
  checkSeal(seal, sealOfReceipt(entry), `the receipt of task ${taskId}`)
  return entry
}
