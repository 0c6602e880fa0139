/** Checks a whole chain of receipts offline: every signature, every hash, every link. */
import { messageOf } from '../core/errors.ts'
import { sha256 } from '../wire/hash.ts'
import { openCountersignature, openReceipt } from './receipt.ts'
import type { ReceiptEntry } from '../core/ports.ts'

/** `brokenAt`: the index of the first entry that does not hold. */
export type ChainCheck = { ok: true } | { ok: false, brokenAt: number, why: string }

/** `entries`: all of one agent, oldest first. What was cut off at the end cannot be seen. */
export function verifyChain (entries: readonly ReceiptEntry[]): ChainCheck {
  let previous: Uint8Array = new Uint8Array(32)
  for (const [brokenAt, entry] of entries.entries()) {
    try {
      const why = faultOf(entry, previous, entries[0]?.agent)
      if (why !== undefined) return { ok: false, brokenAt, why }
    } catch (error) {
      return { ok: false, brokenAt, why: messageOf(error) }
    }
    previous = entry.hash
  }
  return { ok: true }
}

function faultOf (entry: ReceiptEntry, previous: Uint8Array, agent: string | undefined): string | undefined {
  const { statement, countersignature } = entry
  const { receipt } = openReceipt(statement)
  const answer = countersignature === undefined ? undefined : openCountersignature(countersignature, statement).answer
  const asProvider = same(entry.hash, sha256(statement))
  if (!asProvider && (countersignature === undefined || !same(entry.hash, sha256(countersignature)))) return 'its hash is that of neither statement'
  const own = asProvider ? { agent: receipt.provider, previous: receipt.previous } : { agent: receipt.requester, previous: answer?.previous ?? '' }
  if (entry.agent !== agent || own.agent !== agent) return `it is not of ${agent}`
  if (receipt.task_id !== entry.taskId || receipt.epoch !== entry.epoch) return 'it is of another task or epoch than it says'
  if (!same(entry.previous, previous) || !same(Buffer.from(own.previous, 'base64url'), previous)) return 'it does not follow the one before'
  return undefined
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
