/** What a failure says about what was called, for its breaker: a bad input must not close a good handler to others. */
import { A2aError, messageOf, type FailureCode } from '../core/errors.ts'
import type { Blame } from './breaker.ts'

/** It is the caller who has to do something else. */
const OF_THE_CALLER: ReadonlySet<FailureCode> = new Set<FailureCode>(['INPUT_INVALID', 'BAD_USAGE', 'NOT_ALLOWED', 'REFUSED'])

/**
 * Of a handler, or of something that a handler calls. @param signal the task's
 */
export function blameOf (error: unknown, signal: AbortSignal): Blame {
  if (signal.aborted) return codeOf(signal.reason) === 'HANDLER_LOST' ? 'innocent' : 'unfinished'
  if (!(error instanceof A2aError)) return 'failed'
  const { failure } = error
  if (failure.code === 'HANDLER_FAILED') return failure.retryable ? 'failed' : 'innocent'
  return OF_THE_CALLER.has(failure.code) ? 'innocent' : 'failed'
}

const codeOf = (reason: unknown): FailureCode | undefined => reason instanceof A2aError ? reason.code : undefined

/** Ends with the call, or at once when the signal aborts, whether the call heeds it or not. */
export async function untilAborted<T> (call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => { reject(signal.reason instanceof Error ? signal.reason : new Error(messageOf(signal.reason))) }
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([call(signal), promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
