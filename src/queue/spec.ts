/** What is put into the queue: the options of `enqueue`, checked, as they are kept. */
import { QUEUE } from './limits.ts'
import { parseCapability } from '../core/capability.ts'
import { A2aError } from '../core/errors.ts'
import type { EnqueueOptions } from '../core/queue.ts'
import type { JobSpec } from '../core/job.ts'

/** @throws A2aError CAPABILITY_INVALID, BAD_USAGE */
export function specOf (capability: string, options: EnqueueOptions, given: Pick<JobSpec, 'jobId' | 'requester' | 'createdAt' | 'inputHash'>): JobSpec {
  parseCapability(capability)
  const { notBefore, maxAttempts = QUEUE.maxAttempts, idempotencyKey, maxDurationMs, maxCostTokens, to, leaseMs, bidWindowMs } = options
  const expiresAt = options.expiresAt ?? Math.max(given.createdAt, notBefore ?? 0) + QUEUE.lifeMs
  if (!Number.isInteger(maxAttempts) || maxAttempts < 1 || maxAttempts > QUEUE.mostAttempts) throw usage(`a job has 1 to ${QUEUE.mostAttempts} attempts, not ${maxAttempts}`)
  if (idempotencyKey !== undefined && (idempotencyKey === '' || idempotencyKey.length > QUEUE.keyLength)) throw usage(`an idempotency key has 1 to ${QUEUE.keyLength} characters`)
  if (!Number.isFinite(expiresAt) || !Number.isFinite(notBefore ?? 0)) throw usage('notBefore and expiresAt are times in ms since the epoch')
  if (expiresAt <= Math.max(given.createdAt, notBefore ?? 0)) throw usage('the job would expire before it may begin')
  return { ...given, capability, notBefore, expiresAt, maxAttempts, idempotencyKey, terms: { maxDurationMs, maxCostTokens, to, leaseMs, bidWindowMs } }
}

/** Clocks further apart than this, in ms, were set; nearer ones are only read one after the other. */
const SET_MS = 1_000

/** The same times by a clock that is so much ahead of the caller's. */
export function shifted (options: EnqueueOptions, aheadMs: number): EnqueueOptions {
  const { notBefore, expiresAt } = options
  if (Math.abs(aheadMs) < SET_MS) return options
  return { ...options, notBefore: notBefore === undefined ? undefined : notBefore + aheadMs, expiresAt: expiresAt === undefined ? undefined : expiresAt + aheadMs }
}

const usage = (why: string): A2aError => new A2aError({ code: 'BAD_USAGE', why })
