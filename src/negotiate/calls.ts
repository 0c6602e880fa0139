/** A requester's calls for proposals: whom they go to, and when the others of the domain hear of them too. */
import { composeCall, type Sender } from './offers.ts'
import { messageOf } from '../core/errors.ts'
import { stickyKeyOf } from '../core/policy.ts'
import { callees, type Callee } from '../core/ranking.ts'
import type { Standing } from '../core/reputation.ts'
import { loopThrough } from '../core/lineage.ts'
import { budgetOf } from '../core/spending.ts'
import type { AnswerTimes } from './answer-times.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { RequesterEvent, RequesterTask } from '../core/requester.ts'

/** Somebody who offers the capability, as far as is known. */
export interface Candidate extends Callee {
  peer: string
  addresses: string[]
}

export interface CallParts {
  /** Who might do it. Looks for `timeoutMs` when nobody is known. Where there are too many, `spread` draws lots. */
  candidates: (capability: string, options: { to?: string, timeoutMs: number, spread: string }) => Promise<Candidate[]>
  /**
   * Announces straight to the candidates, and to the capability's domain by gossip when bids are still `wanted` `afterMs` later, or, when
   * somebody has `answered` by then, `othersMs` later. Tells which candidates cannot be reached.
   */
  announce: (envelope: Envelope, candidates: Candidate[], options: { gossip?: { afterMs: number, othersMs: number, answered: () => boolean, wanted: () => boolean }, unreachable: (agentId: string, why: string) => void }) => void
  sender: () => Sender
  stateOf: (taskId: string) => RequesterTask | undefined
  standingOf: (agentId: string) => Standing
  /** Has an event stepped and written. */
  happen: (taskId: string, event: RequesterEvent) => void
  inputBytes: (taskId: string) => number
  answerTimes: AnswerTimes
  clock: Clock
  logger: Logger
}

/** Looks for whom to call, writes down who they are, and sends the call, unless bids are not taken any more. */
export type Announce = (task: RequesterTask, round: number) => Promise<void>

/** Agents that are called directly for one task; the others hear of it by gossip. */
const MAX_CALLED = 32
/** How long to look for candidates when nobody is known, in ms: in the first round, and in later ones. */
const LOOK_MS = 1_000
const LOOK_AGAIN_MS = 250
/** How much of the window for bids those already known have to themselves: when none of them answers, and when some do. */
const FEW_KNOWN = [1 / 4, 1 / 2] as const
/**
 * Of so many, some live and will answer: if not soon, then because they have too much to do, and gossip gives everybody more. So the
 * others hear of it after four windows only, in which none of them has bid.
 */
const ENOUGH_KNOWN = 3
const ENOUGH = [4, 4] as const

export function createCalls ({ candidates: look, announce, sender, stateOf, standingOf, happen, inputBytes, answerTimes, clock, logger }: CallParts): Announce {
  const isOpen = (taskId: string, round: number): boolean => {
    const task = stateOf(taskId)
    return task?.stage === 'announced' && task.round === round
  }

  const isAnswered = (taskId: string): boolean => {
    const task = stateOf(taskId)
    return task?.stage === 'announced' && task.bids.length + task.passes.length > 0
  }

  return async (called, round) => {
    const { spec, excluded } = called
    const { taskId, capability, to, deadlineAt, bidWindowMs, policy } = spec
    const spread = `${taskId} ${round}`
    const found = await look(capability, { to, spread, timeoutMs: Math.min(round === 1 ? LOOK_MS : LOOK_AGAIN_MS, deadlineAt - clock.now()) }).catch(error => {
      logger.warn('looking for candidates failed', { taskId, why: messageOf(error) })
      return []
    })
    if (!isOpen(taskId, round)) return
    const [onPath, others] = partition(found.filter(({ agentId }) => !excluded.includes(agentId)), ({ agentId }) => loopThrough(spec, agentId) !== undefined)
    const candidates = callees(others, { limit: MAX_CALLED, spread, key: stickyKeyOf(policy), all: round > 1, standingOf })
    const envelope = composeCall(spec, round, { inputBytes: inputBytes(taskId), excluded, maxCost: budgetOf(called) }, sender())
    const [at, asked] = [clock.now(), candidates.map(({ agentId }) => agentId)]
    answerTimes.called(envelope.messageId, at)
    happen(taskId, { type: 'called', at, round, call: envelope.messageId, asked, waitMs: answerTimes.within(asked), ...(onPath.length > 0 && { onPath: onPath.map(({ agentId }) => agentId) }) })
    const [unanswered, answered] = candidates.length < ENOUGH_KNOWN ? FEW_KNOWN : ENOUGH
    announce(envelope, candidates, {
      gossip: to === undefined ? { afterMs: unanswered * bidWindowMs, othersMs: answered * bidWindowMs, answered: () => isAnswered(taskId), wanted: () => isOpen(taskId, round) } : undefined,
      unreachable: (provider, why) => { happen(taskId, { type: 'passed', at: clock.now(), provider, round, reason: why }) }
    })
  }
}

const partition = <T>(list: T[], test: (entry: T) => boolean): [those: T[], others: T[]] => [list.filter(test), list.filter(entry => !test(entry))]
