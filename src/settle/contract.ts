/** Contracts: an award that the requester signed, and the provider's signed acceptance of its hash. */
import { decodeEnvelope } from '../wire/envelope.ts'
import { hashOf } from '../wire/hash.ts'
import { parsePayload, type Payload } from '../wire/messages.ts'
import { verifyStatement } from '../identity/verify.ts'
import { expectType, tried } from './receipt.ts'

export interface ContractFacts {
  taskId: string
  epoch: number
  capability: string
  requester: string
  /** Whom it was awarded to. */
  provider: string
  terms: Payload<'task.award'>['terms']
  /** SHA-256 of the award's statement, base64url. */
  contractHash: string
  /** The requester signed the award. */
  awardHolds: boolean
  /** The provider it was awarded to signed its acceptance. */
  acceptanceHolds: boolean
}

/**
 * What a contract says, and which of its signatures hold, at the times they were made.
 * @throws A2aError when the award cannot be read as one
 */
export function checkContract (award: Uint8Array, acceptance?: Uint8Array): ContractFacts {
  const envelope = expectType(decodeEnvelope(award), 'task.award')
  const { capability, terms } = parsePayload('task.award', envelope.payload)
  const contract = {
    taskId: envelope.correlationId,
    epoch: envelope.epoch ?? 0,
    capability,
    requester: envelope.from,
    provider: envelope.to ?? '',
    terms,
    contractHash: hashOf(award)
  }
  return {
    ...contract,
    awardHolds: tried(() => verifyStatement(award)) !== undefined,
    acceptanceHolds: acceptance !== undefined && accepts(acceptance, contract)
  }
}

function accepts (acceptance: Uint8Array, contract: { taskId: string, epoch: number, provider: string, contractHash: string }): boolean {
  const envelope = tried(() => expectType(verifyStatement(acceptance).envelope, 'task.accept'))
  return envelope !== undefined &&
    envelope.from === contract.provider &&
    envelope.correlationId === contract.taskId &&
    (envelope.epoch ?? 0) === contract.epoch &&
    (envelope.payload as Payload<'task.accept'>).contract_hash === contract.contractHash
}
