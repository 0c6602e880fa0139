/**
 * Receipts: the outcome of a contract, signed by the provider (`task.receipt`) and answered by the requester
 * (`task.countersign`), each linked by hash to its signer's receipt before. Nothing here keeps state; see ledger.ts.
 */
import { A2aError, toFailure } from '../core/errors.ts'
import { PROTOCOL_VERSION, type Envelope } from '../core/envelope.ts'
import { decodeEnvelope, signEnvelope } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import { parsePayload, type MessageName, type Payload } from '../wire/messages.ts'
import { verifyStatement } from '../identity/verify.ts'
import type { Signer } from '../core/ports.ts'
import type { ReceiptFacts, Settlement } from '../core/task.ts'

/** Opens a statement whose signature holds; see verifyStatement. */
export type Verify = typeof verifyStatement

/** Where new messages get their ids and times from. */
export interface Stamp {
  newId: () => string
  now: () => number
}

/** A receipt whose signature holds. */
export interface OpenReceipt {
  /** SHA-256 of the statement, base64url. */
  hash: string
  /** The signed bytes. */
  statement: Uint8Array
  envelope: Envelope
  receipt: Payload<'task.receipt'>
}

export interface OpenCountersignature {
  envelope: Envelope
  answer: Payload<'task.countersign'>
}

/** The provider's signed `task.receipt`. `previous` is the hash of its receipt before, 32 bytes. */
export function issueReceipt (facts: Settlement & { previous: Uint8Array }, signer: Signer, stamp: Stamp): Envelope {
  const payload: Payload<'task.receipt'> = {
    task_id: facts.taskId,
    capability: facts.capability,
    epoch: facts.epoch,
    requester: facts.requester,
    provider: signer.agentId,
    outcome: facts.outcome,
    failure: facts.failure,
    contract_hash: facts.contractHash,
    input_hash: facts.inputHash,
    output_hash: facts.outputHash,
    cost: facts.cost,
    penalty: facts.penalty,
    spent: facts.spent,
    duration_ms: facts.durationMs,
    ended_at: facts.endedAt,
    previous: toBase64(facts.previous)
  }
  return signEnvelope({
    ...fresh('task.receipt', facts.taskId, signer, stamp),
    to: facts.requester,
    epoch: facts.epoch,
    payload: parsePayload('task.receipt', payload)
  }, signer)
}

/**
 * The requester's signed `task.countersign` to a receipt that holds.
 * @throws A2aError REFUSED when the receipt is another requester's
 */
export function countersign ({ hash, envelope, receipt }: OpenReceipt, { accepted, previous }: { accepted: boolean, previous: Uint8Array }, signer: Signer, stamp: Stamp): Envelope {
  if (receipt.requester !== signer.agentId) throw new A2aError({ code: 'REFUSED', why: `this receipt is for ${receipt.requester}` })
  const payload: Payload<'task.countersign'> = { receipt_hash: hash, accepted, previous: toBase64(previous) }
  return signEnvelope({
    ...fresh('task.countersign', receipt.task_id, signer, stamp),
    causationId: envelope.messageId,
    to: receipt.provider,
    epoch: receipt.epoch,
    payload
  }, signer)
}

/**
 * What a kept receipt says, and whether both signatures hold. Signatures that do not hold are no error here: a person
 * who looks at a contract is to see what it claims.
 * @param now when the credentials must hold. Default: when each statement was made
 * @throws A2aError when the statement cannot be read as a receipt
 */
export function checkReceipt ({ statement, countersignature }: { statement: Uint8Array, countersignature?: Uint8Array }, now?: number): ReceiptFacts {
  const receipt = parsePayload('task.receipt', expectType(decodeEnvelope(statement), 'task.receipt').payload)
  const answer = countersignature === undefined ? undefined : tried(() => openCountersignature(countersignature, statement, now))
  return {
    hash: hashOf(statement),
    provider: receipt.provider,
    requester: receipt.requester,
    inputHash: receipt.input_hash,
    ...(receipt.output_hash !== undefined && { outputHash: receipt.output_hash }),
    ...(receipt.penalty !== undefined && { penalty: receipt.penalty }),
    ...(answer !== undefined && { accepted: answer.answer.accepted }),
    verified: answer !== undefined
  }
}

/**
 * A receipt that its provider signed.
 * @throws A2aError SIGNATURE_INVALID, CREDENTIAL_INVALID, MESSAGE_MALFORMED and others of verifyStatement
 */
export function openReceipt (statement: Uint8Array, now?: number, verify: Verify = verifyStatement): OpenReceipt {
  const { envelope, speaker } = verify(statement, now)
  const receipt = expectType(envelope, 'task.receipt').payload as Payload<'task.receipt'>
  if (receipt.provider !== speaker.agentId) throw invalid(`the receipt names ${receipt.provider} as provider, and ${speaker.agentId} signed it`)
  if (receipt.task_id !== envelope.correlationId || receipt.epoch !== envelope.epoch || receipt.requester !== envelope.to) throw invalid('the receipt is of another task, epoch or requester than its envelope')
  return { hash: hashOf(statement), statement, envelope, receipt }
}

/**
 * The answer to a receipt, signed by the requester that the receipt names. Checks the receipt too.
 * @throws A2aError like openReceipt
 */
export function openCountersignature (countersignature: Uint8Array, receiptStatement: Uint8Array, now?: number): OpenCountersignature {
  return openAnswer(countersignature, openReceipt(receiptStatement, now), now)
}

/**
 * The answer to a receipt that is known to hold, because it was opened or because it is this agent's own.
 * @throws A2aError like openReceipt
 */
export function openAnswer (countersignature: Uint8Array, { hash, receipt }: Pick<OpenReceipt, 'hash' | 'receipt'>, now?: number, verify: Verify = verifyStatement): OpenCountersignature {
  const { envelope, speaker } = verify(countersignature, now)
  const answer = expectType(envelope, 'task.countersign').payload as Payload<'task.countersign'>
  if (receipt.requester !== speaker.agentId) throw invalid(`the receipt names ${receipt.requester} as requester, and ${speaker.agentId} signed the answer`)
  if (answer.receipt_hash !== hash) throw invalid('the countersignature is of another receipt')
  return { envelope, answer }
}

/** @throws A2aError MESSAGE_MALFORMED */
export function expectType (envelope: Envelope, type: MessageName): Envelope {
  if (envelope.type !== type) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `a ${type} was expected, this is a ${envelope.type}` })
  return envelope
}

/** What `read` gives, or undefined when it is refused for what it says. A bug is no refusal. */
export function tried<T> (read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (toFailure(error).code === 'INTERNAL') throw error
    return undefined
  }
}

function fresh (type: MessageName, taskId: string, signer: Signer, { newId, now }: Stamp): Envelope {
  return { version: PROTOCOL_VERSION, messageId: newId(), correlationId: taskId, from: signer.agentId, timestamp: now(), type, payload: {} }
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
const invalid = (why: string): A2aError => new A2aError({ code: 'SIGNATURE_INVALID', why })
