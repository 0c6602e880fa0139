/** What a failure says about what was called, for its breaker: a bad input must not close a good handler to others. */
import { A2aError, type FailureCode } from '../core/errors.ts'
import type { Blame } from './breaker.ts'

/** It is the caller who has to do something else, or who gave too little. */
const OF_THE_CALLER: ReadonlySet<FailureCode> = new Set<FailureCode>(['INPUT_INVALID', 'BAD_USAGE', 'NOT_ALLOWED', 'REFUSED', 'OVER_BUDGET', 'LOOP'])
/** The time of something that it delegated was over, which is a part of its own. */
const OF_TIME: ReadonlySet<FailureCode> = new Set<FailureCode>(['DEADLINE_EXCEEDED', 'CANCELLED'])

/** Of a handler, or of something that a handler calls. @param signal the task's */
export function blameOf (error: unknown, signal: AbortSignal): Blame {
  if (signal.aborted) return signal.reason instanceof A2aError && signal.reason.code === 'HANDLER_LOST' ? 'innocent' : 'unfinished'
  if (!(error instanceof A2aError)) return 'failed'
  const { failure, cause } = error
  // Whatever a handler throws comes as this; what it was stands behind it.
  if (failure.code === 'HANDLER_FAILED' && failure.retryable && cause instanceof A2aError) return blameOf(cause, signal)
  if (failure.code === 'HANDLER_FAILED') return failure.retryable ? 'failed' : 'innocent'
  if (OF_TIME.has(failure.code)) return 'unfinished'
  return OF_THE_CALLER.has(failure.code) ? 'innocent' : 'failed'
}
