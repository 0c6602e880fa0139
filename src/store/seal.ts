/**
 * A checksum over all columns of a row, checked whenever it is read: what goes bad while a node runs is not delivered
 * either. Rows of earlier releases have none; their pages do.
 */
import { crc32 } from 'node:zlib'
import type { LogEvent, ReceiptEntry } from '../core/ports.ts'

/** `data`: as it is kept, JSON text. Without the position, which the log gives it as it is written. */
export const sealOfEvent = ({ at, agent, role, taskId, type }: Omit<LogEvent, 'data' | 'position'>, data: string): number =>
  crc32(`${at}\0${agent}\0${role}\0${taskId}\0${type}\0${data}`)

export function sealOfReceipt ({ agent, taskId, epoch, at, previous, hash, statement, countersignature }: ReceiptEntry): number {
  const seal = crc32(statement, crc32(hash, crc32(previous, crc32([agent, taskId, epoch, at].join('\0')))))
  return countersignature == null ? seal : crc32(countersignature, seal)
}

export const sealOfValue = (key: string, value: Uint8Array): number => crc32(value, crc32(key))

/** @throws Error when a row has another seal than its columns call for */
export function checkSeal (kept: unknown, due: number, what: string): void {
  if (typeof kept === 'number' && kept !== due) throw new Error(`${what} is not what was written`)
}
