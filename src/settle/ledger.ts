/**
 * The ledger of one agent: makes its receipts and countersignatures, each linked to the one before, and keeps them. An
 * agent has one ledger, so its chain never forks; settlements that come at once are linked to each other and written
 * together. A contract is settled once: asked again, the ledger gives what it gave.
 */
import { LRUCache } from 'lru-cache'
import { newId as freshId } from '../wire/id.ts'
import { A2aError } from '../core/errors.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import { sha256 } from '../wire/hash.ts'
import { parsePayload } from '../wire/messages.ts'
import { countersign, issueReceipt, openAnswer, type OpenReceipt, type Verify } from './receipt.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Settlement } from '../core/task.ts'
import { PATIENCE, type Clock, type ReceiptChain, type ReceiptEntry, type Signer } from '../core/ports.ts'

export interface LedgerParts {
  chain: ReceiptChain
  signer: Signer
  clock: Pick<Clock, 'now'>
  /** Ids of messages. Default: ULIDs. */
  newId?: () => string
  /** Checks signatures. The simulator's cost nothing. Default: verifyStatement. */
  verify?: Verify
}

/** What is rejected with LOG_WRITE_FAILED was not settled and may be tried again. */
export interface Ledger {
  /** The receipt of a contract that this agent carried out. Resolves when it is kept. */
  settleAsProvider: (outcome: Settlement) => Promise<Envelope>
  /**
   * The countersignature to a provider's receipt. Resolves when both are kept. Rejects with REFUSED when the receipt is not
   * for this agent, or the contract was settled by another receipt.
   */
  settleAsRequester: (receipt: OpenReceipt, accepted: boolean) => Promise<Envelope>
  /**
   * Keeps the requester's answer beside the receipt; `done` resolves when it is kept.
   * @throws A2aError TASK_UNKNOWN when there is no such receipt, REFUSED when it was answered otherwise, and what openCountersignature throws
   */
  attachCountersignature: (taskId: string, countersignature: Uint8Array) => { done: Promise<void> }
}

export function createLedger ({ chain, signer, clock, newId = freshId, verify }: LedgerParts): Ledger {
  const agent = signer.agentId
  const stamp = { newId, now: clock.now }
  const link = createLinker(agent, chain)
  const underWay = new Map<string, Promise<Envelope>>()
  /** Receipts by their hash, until they are answered. Those answered later than so many others are looked up. */
  const unanswered = new LRUCache<string, ReceiptEntry>({ maxSize: 1_024, sizeCalculation: () => 1 })

  /** One settlement of a contract at a time, so that the second finds what the first has kept. */
  async function once (contract: string, settle: () => Promise<Envelope>): Promise<Envelope> {
    for (let other = underWay.get(contract); other !== undefined; other = underWay.get(contract)) await other.catch(() => {})
    const mine = settle().finally(() => underWay.delete(contract))
    underWay.set(contract, mine)
    return mine
  }

  const kept = (taskId: string, epoch: number, as: 'provider' | 'requester'): ReceiptEntry | undefined =>
    chain.list(agent, { taskId }).find(entry => entry.epoch === epoch && isProviders(entry) === (as === 'provider'))

  return {
    settleAsProvider: outcome => once(`provider ${outcome.taskId} ${outcome.epoch}`, async () => {
      const before = kept(outcome.taskId, outcome.epoch, 'provider')
      if (before !== undefined) return decodeEnvelope(before.statement)
      return link(previous => {
        const envelope = issueReceipt({ ...outcome, previous }, signer, stamp)
        const statement = statementOf(envelope)
        const entry = { agent, taskId: outcome.taskId, epoch: outcome.epoch, at: stamp.now(), previous, hash: sha256(statement), statement }
        unanswered.set(toText(entry.hash), entry)
        return { envelope, entry }
      })
    }),

    settleAsRequester: async (opened, accepted) => {
      const { statement, receipt: { task_id: taskId, epoch } } = opened
      return once(`requester ${taskId} ${epoch}`, async () => {
        const before = kept(taskId, epoch, 'requester')
        if (before?.countersignature !== undefined) {
          if (same(before.statement, statement)) return decodeEnvelope(before.countersignature)
          throw new A2aError({ code: 'REFUSED', why: `task ${taskId} was settled by another receipt in epoch ${epoch}` })
        }
        return link(previous => {
          const envelope = countersign(opened, { accepted, previous }, signer, stamp)
          const countersignature = statementOf(envelope)
          return { envelope, entry: { agent, taskId, epoch, at: stamp.now(), previous, hash: sha256(countersignature), statement, countersignature } }
        })
      })
    },

    attachCountersignature: (taskId, countersignature) => {
      const { receipt_hash: wanted } = decodeEnvelope(countersignature).payload as { receipt_hash?: unknown }
      const fresh = unanswered.get(String(wanted))
      const entry = fresh?.taskId === taskId ? fresh : chain.list(agent, { taskId }).find(entry => isProviders(entry) && toText(entry.hash) === wanted)
      if (entry === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
      if (entry.countersignature !== undefined && same(entry.countersignature, countersignature)) return { done: Promise.resolve() }
      // Our own receipt needs no check by us, only its answer.
      openAnswer(countersignature, { hash: toText(entry.hash), receipt: parsePayload('task.receipt', decodeEnvelope(entry.statement).payload) }, undefined, verify)
      if (entry.countersignature !== undefined) throw new A2aError({ code: 'REFUSED', why: `the receipt of task ${taskId} has been answered otherwise` })
      const done = chain.append({ ...entry, countersignature }, { patienceMs: PATIENCE.briefMs })
      unanswered.delete(toText(entry.hash))
      return { done }
    }
  }
}

/** Makes an entry that follows `previous`, with the envelope it keeps. */
type Make = (previous: Uint8Array) => { entry: ReceiptEntry, envelope: Envelope }

/**
 * Links entries to the head of an agent's chain, each to the one before it, though that one may still be on its way to the
 * disk: those that come at once share an fsync. Should one of them fail, those linked to it fail too, and whoever comes next
 * waits for the last of them and begins at what was kept.
 */
function createLinker (agent: string, chain: ReceiptChain): (make: Make) => Promise<Envelope> {
  /** The newest entry made, while any is on its way. */
  let newest: Uint8Array = new Uint8Array()
  const underWay = new Set<Promise<void>>()
  /** Why one of those on their way could not be written. */
  let broken: unknown

  return async make => {
    for (const isBroken = () => broken !== undefined; isBroken() && underWay.size > 0;) await Promise.allSettled(underWay)
    if (underWay.size === 0) {
      newest = chain.head(agent)
      broken = undefined
    }
    const { entry, envelope } = make(newest)
    newest = entry.hash
    const written = chain.append(entry).catch((error: unknown) => {
      broken ??= error
      // What follows from one that is not there is refused for that, which is no fault of its own.
      throw broken
    }).finally(() => { underWay.delete(written) })
    underWay.add(written)
    await written
    return envelope
  }
}

/** A provider's entry is named by its receipt, a requester's by its countersignature. */
const isProviders = (entry: ReceiptEntry): boolean => same(entry.hash, sha256(entry.statement))
const toText = (hash: Uint8Array): string => Buffer.from(hash).toString('base64url')
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

function statementOf ({ auth }: Envelope): Uint8Array {
  if (auth === undefined) throw new A2aError({ code: 'INTERNAL', why: 'a settlement was not signed' })
  return auth.statement
}
