/**
 * Signatures and receipts that cost next to nothing. The network of the simulator lets nobody speak for others, so a
 * signature has nothing to prove there; that real ones hold is for the tests of identity and settle.
 */
import { createHash } from 'node:crypto'
import { A2aError } from '../core/errors.ts'
import { decodeEnvelope, signEnvelope } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import { parsePayload } from '../wire/messages.ts'
import { compose, type Author } from '../wire/compose.ts'
import type { Envelope } from '../core/envelope.ts'
import type { EventLog, Signer } from '../core/ports.ts'
import type { Settlement } from '../core/task.ts'
import type { SignedReceipt } from '../negotiate/verdict.ts'

const NO_RECEIPT = Buffer.alloc(32).toString('base64url')

/** 64 bytes that depend on agent and text. */
export const createSeal = (agentId: string): Signer => ({
  agentId,
  credential: () => Buffer.from(agentId),
  sign: bytes => createHash('sha512').update(agentId).update(bytes).digest()
})

export const issueSealed = (facts: Settlement, author: Author, signer: Signer): Envelope =>
  signEnvelope(compose('task.receipt', {
    task_id: facts.taskId, capability: facts.capability, epoch: facts.epoch, requester: facts.requester, provider: author.agentId,
    outcome: facts.outcome, failure: facts.failure, contract_hash: facts.contractHash, input_hash: facts.inputHash, output_hash: facts.outputHash,
    cost: facts.cost, spent: facts.spent, duration_ms: facts.durationMs, ended_at: facts.endedAt, previous: NO_RECEIPT
  }, author, { correlationId: facts.taskId, to: facts.requester, epoch: facts.epoch }), signer)

/** @throws A2aError MESSAGE_MALFORMED */
export function openSealed (statement: Uint8Array): SignedReceipt {
  const envelope = decodeEnvelope(statement)
  return { hash: hashOf(statement), statement, envelope, receipt: parsePayload('task.receipt', envelope.payload) }
}

export interface SealedLedger {
  settleAsProvider: (facts: Settlement) => Promise<Envelope>
  settleAsRequester: (receipt: SignedReceipt, accepted: boolean) => Promise<Envelope>
}

/** Keeps the promises of settle/ledger.ts: persisted, and a contract asked for again is answered as it was. */
export function createSealedLedger (log: EventLog, author: Author, signer: Signer): SealedLedger {
  const made = new Map<string, Promise<Envelope>>()

  async function keep (key: string, make: () => Envelope): Promise<Envelope> {
    const kept = log.values.get(key)
    if (kept !== undefined) return withStatement(kept)
    const envelope = make()
    await log.values.set(key, statementOf(envelope))
    return envelope
  }

  const once = (key: string, make: () => Envelope): Promise<Envelope> => {
    const known = made.get(key) ?? keep(key, make)
    made.set(key, known)
    return known
  }

  return {
    settleAsProvider: async facts => await once(`receipt/${facts.taskId}/${facts.epoch}`, () => issueSealed(facts, author, signer)),
    settleAsRequester: async ({ hash, envelope: { messageId }, receipt: { task_id: taskId, epoch, provider } }, accepted) => {
      const payload = { receipt_hash: hash, accepted, previous: NO_RECEIPT }
      const answer = await once(`answer/${taskId}/${epoch}`, () =>
        signEnvelope(compose('task.countersign', payload, author, { correlationId: taskId, causationId: messageId, to: provider, epoch }), signer))
      if (parsePayload('task.countersign', answer.payload).receipt_hash === hash) return answer
      throw new A2aError({ code: 'REFUSED', why: `task ${taskId} was settled by another receipt in epoch ${epoch}` })
    }
  }
}

const statementOf = ({ auth }: Envelope): Uint8Array => auth?.statement ?? new Uint8Array()

function withStatement (statement: Uint8Array): Envelope {
  const envelope = decodeEnvelope(statement)
  return { ...envelope, auth: { credential: Buffer.from(envelope.from), statement } }
}
