/** What a result is: the outcome it says, or a failure of its provider when it does not hold what it says. */
import { parseJson } from '../wire/body.ts'
import { hashOf } from '../wire/hash.ts'
import { payloadOf } from '../wire/compose.ts'
import type { Envelope } from '../core/envelope.ts'
import { readFailure, type Failure } from '../core/errors.ts'
import { MAX_DEPTH } from '../core/lineage.ts'
import { exceeds } from '../core/purse.ts'
import { penaltyOf, type ContractTerms } from '../core/sla.ts'
import type { RequesterEvent } from '../core/requester.ts'
import type { ReceiptFacts, TaskSpec } from '../core/task.ts'
import type { Payload } from '../wire/messages.ts'

/** A receipt whose signature holds, and the hash it is known by. */
export interface SignedReceipt { hash: string, statement: Uint8Array, envelope: Envelope, receipt: Payload<'task.receipt'> }

export interface Expected {
  spec: TaskSpec
  /** Of the award it must settle. Absent: that of an award from before a restart is not known. */
  contractHash?: string
  /** What was agreed: it gets no more, and less when it was late. */
  terms?: ContractTerms
  /** And no more with its delegations. */
  budget?: number
  /** What is wrong with the output, by the schema that was asked for. */
  check: (output: unknown) => Promise<string | undefined>
  at: number
}

export interface Verdict {
  event: RequesterEvent & ({ type: 'result' } | { type: 'broke' })
  /** Whether the countersignature agrees with what the receipt says. */
  accepted: boolean
}

const MAX_WHY = 1_024
/** Characters of an agent's id. */
const MAX_AGENT = 128

/** Judges a `task.result` by its receipt, whose provider's signature has been checked. */
export async function judgeResult (envelope: Envelope, { hash, receipt }: Pick<SignedReceipt, 'hash' | 'receipt'>, { spec, contractHash, terms, budget = Infinity, check, at }: Expected): Promise<Verdict> {
  const { from: provider, epoch = 0, content = new Uint8Array() } = envelope
  const { outcome, failure } = payloadOf(envelope, 'task.result')
  const { taskId, capability, requester, inputHash } = spec
  const common = { at, provider, epoch }
  const spent = receipt.spent === undefined ? {} : { spent: Math.min(receipt.spent, budget) }
  const bad = (why: string): Verdict =>
    ({ event: { type: 'broke', ...common, failure: { code: 'OUTPUT_INVALID', capability, why }, retryable: true }, accepted: false })

  const isAboutIt = receipt.task_id === taskId && receipt.epoch === epoch && receipt.provider === provider && receipt.requester === requester &&
    receipt.input_hash === inputHash && receipt.outcome === outcome && (contractHash === undefined || receipt.contract_hash === contractHash)
  if (!isAboutIt) return bad('its receipt is about something else')
  const penalty = terms === undefined || outcome === 'failed' ? 0 : penaltyOf(terms, receipt.duration_ms)
  if (terms !== undefined && exceeds(receipt.cost, terms.cost - penalty)) return bad(`its receipt asks for more than ${penalty > 0 ? 'a late result is worth' : 'its bid'}`)
  if (outcome === 'failed') return { event: { type: 'broke', ...common, ...reported(failure, capability), ...spent }, accepted: true }
  if (exceeds(receipt.cost + (receipt.spent ?? 0), budget)) return bad('its receipt asks for more than the budget')
  if (receipt.output_hash !== hashOf(content)) return bad('its hash is not that of the receipt')
  const output = read(content)
  if (output === undefined) return bad('it is no JSON')
  const why = await check(output.value)
  if (why !== undefined) return bad(why)
  const facts: ReceiptFacts = { hash, provider, requester, inputHash, outputHash: receipt.output_hash, ...(penalty > 0 && { penalty }), verified: true }
  return { event: { type: 'result', ...common, output: output.value, cost: receipt.cost, ...spent, durationMs: receipt.duration_ms, receipt: facts }, accepted: true }
}

/** A failure as the provider tells it. Its word is taken for what went wrong, not for the shape of our own errors. */
function reported (told: unknown, capability: string): { failure: Failure, retryable: boolean } {
  const stated: Partial<Record<string, unknown>> = readFailure(told) ?? {}
  const { code, why: said = code ?? 'it did not say why', retryable = true } = stated
  const why = String(said).slice(0, MAX_WHY)
  if (code === 'LOOP') return { failure: { code, path: (stated['path'] as string[]).slice(0, MAX_DEPTH + 1).map(agent => agent.slice(0, MAX_AGENT)) }, retryable: true }
  if (code === 'INPUT_INVALID') return { failure: { code, capability, why }, retryable: false }
  if (code === 'OUTPUT_INVALID' || code === 'HANDLER_LOST') return { failure: { code, capability, why }, retryable: true }
  return { failure: { code: 'HANDLER_FAILED', capability, why, retryable: retryable !== false }, retryable: retryable !== false }
}

function read (content: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: parseJson(content) }
  } catch {
    return undefined
  }
}
