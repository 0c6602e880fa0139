/**
 * One task for many agents at once, and what counts as done when some of them fail. Each agent has a task of its own, with its
 * own contract and receipt; deadline and budget are one for all.
 */
import { merge } from './merge.ts'
import { DEFAULT_DURATION_MS } from '../core/deadline.ts'
import { A2aError, messageOf, toFailure, type Failure } from '../core/errors.ts'
import type { Agent, DelegateOptions, Work, WorkResult } from '../core/agent.ts'
import type { TaskEvent } from '../core/task.ts'

/**
 * What is to be had of it. `all`: of every agent. `{ quorum: n }`: of n. `first`: of one, the first. `best-effort`: of all that
 * can, and of one at least. As soon as there is enough, or cannot be any more, the others are cancelled; with `best-effort` all are waited for.
 */
export type FanOutPolicy = 'all' | 'first' | 'best-effort' | { quorum: number }

export interface FanOutOptions extends Omit<DelegateOptions, 'to' | 'policy' | 'hedge'> {
  /** Default `all`. */
  policy?: FanOutPolicy
  /** These agents. Default: who offers the capability, the less loaded first. */
  to?: readonly string[]
  /** Where `to` is not given: at most so many. Default and most: 64. */
  count?: number
  /** Of everything, looking for agents included, in ms. Default 60,000. */
  maxDurationMs?: number
  /** For all together: each may cost an equal share of it. */
  maxCostTokens?: number
}

/** What became of one agent's task. */
export type FanOutOutcome = { agent: string, taskId: string } & (
  | { state: 'running' }
  | { state: 'completed', output: unknown, receipt: WorkResult['receipt'], cost: number }
  | { state: 'failed', failure: Failure }
  /** Enough others had answered, or too many had failed. */
  | { state: 'cancelled' }
)

/** Under way. Iterating gives the events of all tasks as they come, from the beginning; `taskId` tells them apart. */
export interface FanOut extends AsyncIterable<TaskEvent> {
  /**
   * Every agent's outcome, in the order of `to`, as soon as the policy is satisfied.
   * @throws A2aError FAN_OUT_FAILED as soon as it cannot be any more: `outcomes` has what there is; NO_CAPABLE_AGENT, BAD_USAGE, CAPABILITY_INVALID
   */
  readonly result: Promise<FanOutOutcome[]>
  /** As they are now; nothing before the agents are known. */
  outcomes: () => FanOutOutcome[]
  /** Ends it with CANCELLED, and every task that is under way. */
  cancel: (why?: string) => Promise<void>
}

/** Tasks of one fan-out. */
const MAX_AGENTS = 64
/** How long to look when nobody is known, in ms. */
const LOOK_MS = 2_000

/**
 * Gives the same input to many agents. Starts at once.
 * @param from an agent; in a handler `{ node: agent.node, delegate: context.delegate }`, so that deadline, budget and depth are inherited
 */
export function fanOut (from: Pick<Agent, 'node' | 'delegate'>, capability: string, input: unknown, options: FanOutOptions = {}): FanOut {
  const { policy = 'all', to, count = MAX_AGENTS, maxDurationMs = DEFAULT_DURATION_MS, maxCostTokens, signal, ...rest } = options
  const until = Date.now() + maxDurationMs
  const decided = Promise.withResolvers<FanOutOutcome[]>()
  const branches: Array<{ work: Work, outcome: FanOutOutcome }> = []
  let cancelled: A2aError | undefined

  const outcomes = (): FanOutOutcome[] => branches.map(({ outcome }) => outcome)
  const cancelRest = async (why: string): Promise<void> => {
    const running = branches.filter(({ outcome }) => outcome.state === 'running')
    for (const branch of running) branch.outcome = { agent: branch.outcome.agent, taskId: branch.outcome.taskId, state: 'cancelled' }
    await Promise.allSettled(running.map(({ work }) => work.cancel(why)))
  }

  const agentsFor = async (): Promise<string[]> => {
    if (to !== undefined) return [...new Set(to)]
    const found = await from.node.find(capability, { limit: count, timeoutMs: Math.min(LOOK_MS, maxDurationMs), signal })
    return found.map(({ agentId }) => agentId)
  }

  const start = async (): Promise<void> => {
    if (count < 1 || count > MAX_AGENTS || (to?.length ?? 0) > MAX_AGENTS) throw new A2aError({ code: 'BAD_USAGE', why: `a fan-out is for 1 to ${MAX_AGENTS} agents` })
    const agents = await agentsFor()
    if (agents.length === 0) throw new A2aError({ code: 'NO_CAPABLE_AGENT', capability, waitedMs: maxDurationMs - (until - Date.now()) })
    const needed = neededOf(policy, agents.length)
    if (agents.length < needed) throw new A2aError({ code: 'FAN_OUT_FAILED', capability, completed: 0, needed, of: agents.length, last: 'there are too few agents' })
    if (cancelled !== undefined) throw cancelled
    const share = maxCostTokens === undefined ? undefined : maxCostTokens / agents.length
    for (const agent of agents) {
      const work = from.delegate(capability, input, { ...rest, to: agent, maxDurationMs: Math.max(1, until - Date.now()), maxCostTokens: share })
      branches.push({ work, outcome: { agent, taskId: work.taskId, state: 'running' } })
    }
    for (const branch of branches) {
      const { agent, taskId } = branch.outcome
      const ended = (outcome: FanOutOutcome): void => {
        if (branch.outcome.state !== 'running') return
        branch.outcome = outcome
        judge(needed)
      }
      branch.work.result.then(
        ({ output, receipt, cost }) => { ended({ agent, taskId, state: 'completed', output, receipt, cost }) },
        error => { ended({ agent, taskId, state: 'failed', failure: toFailure(error) }) }
      )
    }
  }

  /** After each end: enough, too few, or on. */
  const judge = (needed: number): void => {
    const completed = branches.filter(({ outcome }) => outcome.state === 'completed').length
    const running = branches.filter(({ outcome }) => outcome.state === 'running').length
    const isEnough = completed >= needed && (policy !== 'best-effort' || running === 0)
    if (!isEnough && completed + running >= needed) return
    void cancelRest(isEnough ? 'enough others have answered' : 'too many others have failed')
    if (isEnough) return decided.resolve(outcomes())
    const last = outcomes().flatMap(outcome => outcome.state === 'failed' ? [new A2aError(outcome.failure).message] : []).at(-1) ?? ''
    decided.reject(new A2aError({ code: 'FAN_OUT_FAILED', capability, completed, needed, of: branches.length, last }))
  }

  const cancel = async (why = 'its owner asked for it'): Promise<void> => {
    cancelled = new A2aError({ code: 'CANCELLED', why })
    decided.reject(cancelled)
    await cancelRest(why)
  }
  const onAbort = (): void => { void cancel(messageOf(signal?.reason)) }
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  // Whoever only iterates has not asked for the result: its rejection is no accident.
  decided.promise.catch(() => {}).finally(() => { signal?.removeEventListener('abort', onAbort) })
  const started = start().catch(async error => {
    decided.reject(error)
    await cancelRest('the others could not be asked')
  })

  return {
    result: decided.promise,
    outcomes,
    cancel,
    [Symbol.asyncIterator]: async function * () {
      await started
      yield * merge(branches.map(({ work }) => work))
    }
  }
}

/** @throws A2aError BAD_USAGE */
function neededOf (policy: FanOutPolicy, agents: number): number {
  if (policy === 'all') return agents
  if (policy === 'first' || policy === 'best-effort') return 1
  const { quorum } = policy
  if (!Number.isInteger(quorum) || quorum < 1) throw new A2aError({ code: 'BAD_USAGE', why: `a quorum of ${quorum} is none` })
  return quorum
}
