/**
 * A circuit breaker, on cockatiel's: after five failures in a row nothing is let through for a while, then one call, which
 * closes it again or opens it for twice as long. Only failures that are to blame on what is called count.
 */
import { circuitBreaker, CircuitState, ConsecutiveBreaker, handleWhen, type IBackoff, type IHalfOpenAfterBackoffContext } from 'cockatiel'
import { A2aError, messageOf, type Failure } from '../core/errors.ts'
import type { BreakerRow } from '../core/status.ts'
import type { Clock } from '../core/ports.ts'

/**
 * Whom a call that failed speaks against: `failed` what was called; `unfinished`, it was ended from outside, so what was called
 * when it had taken unusually long by then; `innocent`, whoever called.
 */
export type Blame = 'failed' | 'unfinished' | 'innocent'

export interface Breaker {
  /** Why nothing may be called now: a CIRCUIT_OPEN. `undefined`: a call is let through. */
  refusal: () => Failure | undefined
  /**
   * Calls, and learns from how it ends. Whatever it throws is thrown on. It must end some time: the trial of a breaker that was
   * open keeps all others out.
   * @throws A2aError CIRCUIT_OPEN
   */
  run: <T>(call: () => Promise<T>, blame: (error: unknown) => Blame) => Promise<T>
  state: () => Pick<BreakerRow, 'state' | 'failures' | 'retryMs' | 'last'>
}

export interface BreakerParts {
  /** For people: `data.sum`, or an agent's id. */
  what: string
  clock: Pick<Clock, 'now'>
  /** From 0 to 1, for the jitter. */
  random?: () => number
  /** It has opened, or closed again. */
  changed?: (isOpen: boolean) => void
}

/** Failures in a row that open it. */
const FAILURES = 5
/** How long it stays open: at first, and at most, in ms. Between half of it and all, so that not all come back at once. */
const PAUSE = { firstMs: 1_000, maxMs: 60_000 }
/** What is unusually long: this many times as long as successes take, and so many ms at least; and, before the first one, so many ms. */
const UNUSUAL = { factor: 4, minMs: 1_000, unknownMs: 5_000 }
/** The weight of the newest success in how long they take. */
const NEWEST = 0.2
const MAX_LAST = 200

export function createBreaker ({ what, clock, random = Math.random, changed }: BreakerParts): Breaker {
  let failures = 0
  let last: string | undefined
  let usualMs: number | undefined
  let leftMs = (): number => 0

  /** Decides by our clock, and not by how long cockatiel thinks it has waited: a clock that is set back must not hold it open. */
  const pause = (level: number, lengthMs: number): IBackoff<IHalfOpenAfterBackoffContext> => {
    const begun = clock.now()
    const left = (): number => clock.now() < begun ? 0 : Math.max(0, begun + lengthMs - clock.now())
    leftMs = left
    return {
      get duration () { return left() > 0 ? Infinity : -Infinity },
      // A trial that says nothing is followed by another one.
      next: ({ result }) => 'error' in result && result.error instanceof Ended && !result.error.counts ? pause(level, 0) : jittered(level + 1)
    }
  }
  const jittered = (level: number): IBackoff<IHalfOpenAfterBackoffContext> =>
    pause(level, Math.min(PAUSE.maxMs, PAUSE.firstMs * 2 ** level) * (0.5 + random() / 2))

  const policy = circuitBreaker(handleWhen(error => error instanceof Ended && (error.counts || policy.state === CircuitState.HalfOpen)), {
    breaker: new ConsecutiveBreaker(FAILURES),
    halfOpenAfter: { next: () => jittered(0) }
  })
  policy.onBreak(() => { changed?.(true) })
  policy.onReset(() => { changed?.(false) })

  const refusal = (): Failure | undefined => {
    const retryMs = Math.ceil(leftMs())
    const refuses = policy.state === CircuitState.HalfOpen || (policy.state === CircuitState.Open && retryMs > 0)
    return refuses ? { code: 'CIRCUIT_OPEN', what, why: last ?? '', retryMs } : undefined
  }

  const isUnusual = (ms: number): boolean =>
    ms >= (usualMs === undefined ? UNUSUAL.unknownMs : Math.max(UNUSUAL.minMs, UNUSUAL.factor * usualMs))

  const succeeded = (ms: number): void => {
    failures = 0
    usualMs = usualMs === undefined ? ms : usualMs + NEWEST * (ms - usualMs)
  }

  const failed = (error: unknown, blame: Blame, ms: number): Ended => {
    const counts = blame === 'failed' || (blame === 'unfinished' && isUnusual(ms))
    if (counts) {
      failures++
      last = messageOf(error).slice(0, MAX_LAST)
    }
    return new Ended(error, counts)
  }

  return {
    refusal,
    run: async (call, blame) => {
      const refused = refusal()
      if (refused !== undefined) throw new A2aError(refused)
      const begun = clock.now()
      try {
        return await policy.execute(async () => {
          try {
            const value = await call()
            succeeded(clock.now() - begun)
            return value
          } catch (error) {
            throw failed(error, blame(error), clock.now() - begun)
          }
        })
      } catch (error) {
        throw error instanceof Ended ? error.cause : error
      }
    },
    state: () => {
      const retryMs = Math.ceil(leftMs())
      switch (policy.state) {
        case CircuitState.Open: return { state: 'open', failures, retryMs, last }
        case CircuitState.HalfOpen: return { state: 'half-open', failures, last }
        default: return { state: 'closed', failures, last }
      }
    }
  }
}

/** How a call ended, for the breaker alone. */
class Ended extends Error {
  readonly counts: boolean

  constructor (cause: unknown, counts: boolean) {
    super('the call failed', { cause })
    this.counts = counts
  }
}
