/**
 * Signatures that cost next to nothing. The network of the simulator lets nobody speak for others, so a signature has
 * nothing to prove there; that real ones hold is for the tests of identity and settle.
 */
import { createHash } from 'node:crypto'
import { A2aError } from '../core/errors.ts'
import { decodeEnvelope, openStatement } from '../wire/envelope.ts'
import { parsePayload, type MessageName } from '../wire/messages.ts'
import { issueReceipt, type Verify } from '../settle/receipt.ts'
import type { Author } from '../wire/compose.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Signer } from '../core/ports.ts'
import type { Settlement } from '../core/task.ts'

const NO_RECEIPT = new Uint8Array(32)

/** 64 bytes that depend on agent and text. */
const seal = (agentId: string, bytes: Uint8Array): Uint8Array => createHash('sha512').update(agentId).update(bytes).digest()

export const createSeal = (agentId: string): Signer => ({
  agentId,
  credential: () => Buffer.from(agentId),
  sign: bytes => seal(agentId, bytes)
})

/** Like verifyStatement, for seals. */
export const verifySeal: Verify = statement => {
  const envelope = decodeEnvelope(statement)
  const { signed, signature } = openStatement(statement)
  const { from: agentId, type } = envelope
  if (Buffer.compare(seal(agentId, signed), signature) !== 0) throw new A2aError({ code: 'SIGNATURE_INVALID', why: `${agentId} did not sign this ${type}` })
  return { envelope: { ...envelope, payload: parsePayload(type as MessageName, envelope.payload) }, speaker: { agentId, peerId: '' } }
}

/** A receipt that follows no other one. */
export const issueSealed = (facts: Settlement, { newId, now }: Author, signer: Signer): Envelope =>
  issueReceipt({ ...facts, previous: NO_RECEIPT }, signer, { newId, now })
