/**
 * What a handler delegates: within the time, the budget, the depth and the way that its own task has left, and over when
 * the handler is.
 */
import { A2aError, toFailure, type Failure } from '../core/errors.ts'
import { childLineage } from '../core/lineage.ts'
import { openPurse } from '../core/purse.ts'
import { nextTraceparent } from '../wire/trace.ts'
import type { TaskContext } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'
import type { ProviderTask } from '../core/provider.ts'
import type { Account, Delegate } from './accounts.ts'

export interface DelegationsParts {
  agentId: string
  task: ProviderTask & { stage: 'working' }
  /** Milliseconds that the task has left, now. */
  remainingMs: () => number
  clock: Clock
  /** Aborts when the task is over. */
  signal: AbortSignal
  delegate: Delegate
}

export interface Delegations {
  delegate: TaskContext['delegate']
  /** What is left of the budget now. `undefined`: there is no limit. */
  left: () => number | undefined
  /**
   * Cancels those that are open, and takes no more. Resolves to what all of them came to, those under them included, once
   * they have said so, or have had their time to.
   */
  end: (failure: Failure) => Promise<number>
}

/** What a delegation leaves its own caller of the deadline, in ms. */
const MARGIN_MS = 50
/** How long a handler that is over waits to hear what those cost that it cancelled, in ms: after that, they count with what they may cost. */
const LAST_WORDS_MS = 1_000

export function createDelegations ({ agentId, task, remainingMs, clock, signal, delegate }: DelegationsParts): Delegations {
  const { taskId, call, contract, startedAt } = task
  const purse = openPurse(contract.budget)
  /** A task of an older node has none. */
  const trace = call.traceparent ?? nextTraceparent()
  const ended = new AbortController()
  const quiet = Promise.withResolvers<void>()
  const account: Account = {
    reserve: createSharing(purse.reserve, purse.left),
    hold: purse.hold,
    settle: (child, cost) => {
      purse.settle(child, cost)
      if (ended.signal.aborted && purse.open() === 0) quiet.resolve()
    }
  }

  const refusal = (leftMs: number): Failure | undefined => {
    const over = [signal, ended.signal].find(({ aborted }) => aborted)
    if (over !== undefined) return toFailure(over.reason, why => ({ code: 'CANCELLED', taskId, why }))
    return leftMs < 1 ? { code: 'DEADLINE_EXCEEDED', taskId, afterMs: clock.now() - startedAt } : undefined
  }

  return {
    delegate: (capability, input, options = {}) => {
      const leftMs = remainingMs() - MARGIN_MS
      return delegate(capability, input, {
        ...options,
        maxDurationMs: Math.min(options.maxDurationMs ?? Infinity, leftMs),
        signal: AbortSignal.any([signal, ended.signal, ...(options.signal === undefined ? [] : [options.signal])])
      }, childLineage(call, { taskId, agentId, traceparent: nextTraceparent(options.traceparent ?? trace) }), { account, refusal: refusal(leftMs) })
    },
    left: purse.left,
    end: async failure => {
      ended.abort(new A2aError(failure))
      if (purse.open() === 0) return purse.committed()
      const stop = clock.after(LAST_WORDS_MS, quiet.resolve)
      await quiet.promise
      stop()
      return purse.committed()
    }
  }
}

type Reserve = ReturnType<typeof openPurse>['reserve']

/**
 * Sets aside for delegations that begin at once: first for those with a limit of their own, each in its turn, then what is
 * left in equal parts for the others, so that `Promise.all` does not leave all to the first.
 */
function createSharing (reserve: Reserve, left: () => number | undefined): Account['reserve'] {
  interface Waiting { taskId: string, resolve: (amount?: number) => void }
  let unlimited: Waiting[] = []

  const share = (): void => {
    const all = unlimited
    unlimited = []
    for (const [i, { taskId, resolve }] of all.entries()) {
      const there = left()
      resolve(reserve(taskId, there === undefined ? undefined : there / (all.length - i)))
    }
  }

  return async (taskId, atMost) => {
    if (atMost !== undefined) return reserve(taskId, atMost)
    const { promise, resolve } = Promise.withResolvers<number | undefined>()
    if (unlimited.push({ taskId, resolve }) === 1) queueMicrotask(share)
    return await promise
  }
}
