/** What a delegation asks for, with our defaults, as it is written down. */
import { DEFAULT_DURATION_MS } from '../core/deadline.ts'
import { A2aError } from '../core/errors.ts'
import { MAX_DEPTH, type Lineage } from '../core/lineage.ts'
import { policyOf } from '../core/policy.ts'
import { rankByValue, type RankingPolicy } from '../core/ranking.ts'
import { encodeJson } from '../wire/body.ts'
import type { SlaTerms } from '../core/sla.ts'
import { hashOf } from '../wire/hash.ts'
import { MAX_CONTENT } from '../wire/messages.ts'
import type { Account } from './accounts.ts'
import type { Haggler } from './bargain.ts'
import type { DelegateOptions } from '../core/agent.ts'
import type { TaskSpec } from '../core/task.ts'
import type { Author } from '../wire/compose.ts'

/** What a delegation is, when it is an attempt at a job. */
export interface Attempt {
  taskId: string
  jobId: string
  idempotencyKey: string
}

export interface Opening {
  taskId: string
  input: Buffer
  policy: RankingPolicy
  /** The task that is asked for. @param maxCost for all of it @param at when it begins, by the clock that deadlines go by */
  specOf: (maxCost: number | undefined, at: number) => TaskSpec
}

const DEFAULTS = { maxDurationMs: DEFAULT_DURATION_MS, leaseMs: 5_000, bidWindowMs: 500, patient: false }
/** Announcements of one task: as many as a message can count, for who is patient. */
const ROUNDS = { few: 3, many: 65_535 }

export interface Wanted {
  capability: string
  value: unknown
  options: DelegateOptions
  lineage: Lineage
  attempt?: Attempt
  /** The budget of the handler that it is for. */
  account?: Account
}

/** What its owner has to say to bids. A handler has set aside what a delegation may cost, and has no more time: it takes nothing beyond that. */
export const hagglerOf = ({ counter, acceptCounter }: DelegateOptions, account?: Account): Haggler | undefined => {
  const haggler = account === undefined ? { counter, acceptCounter } : { counter }
  return Object.values(haggler).some(say => say !== undefined) ? haggler : undefined
}

/** Terms of service that a provider has to agree to. @throws A2aError BAD_USAGE */
function termsAsked ({ sla: { progressEveryMs, latePenalty } = {} }: DelegateOptions): SlaTerms | undefined {
  if (progressEveryMs !== undefined && !(progressEveryMs > 0 && Number.isFinite(progressEveryMs))) throw new A2aError({ code: 'BAD_USAGE', why: 'sla.progressEveryMs is no time', hint: 'give it in ms, above 0' })
  if (latePenalty !== undefined && !(latePenalty >= 0 && latePenalty <= 1)) throw new A2aError({ code: 'BAD_USAGE', why: 'sla.latePenalty is no share', hint: 'give it from 0 to 1' })
  return progressEveryMs === undefined && latePenalty === undefined ? undefined : { progressEveryMs, latePenalty }
}

/** @throws A2aError MESSAGE_TOO_LARGE, BAD_USAGE when there is no policy of that name, and about the terms of service */
export function openingOf ({ capability, value, options, lineage, attempt, account }: Wanted, { author, region }: { author: Author, region?: string }): Opening {
  const input = encodeJson(value)
  if (input.length > MAX_CONTENT) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: input.length, limit: MAX_CONTENT })
  const { maxDurationMs, leaseMs, bidWindowMs, patient } = { ...DEFAULTS, ...definedOf(options) }
  const { policy = rankByValue, to, maxDepth = MAX_DEPTH } = options
  const { depth, deepest = MAX_DEPTH - 1 } = lineage
  const sla = termsAsked(options)
  const taskId = attempt?.taskId ?? author.newId()
  return {
    taskId, input,
    policy: typeof policy === 'string' ? policyOf(policy) : policy,
    specOf: (maxCost, at) => ({
      taskId, requester: author.agentId, capability, createdAt: at,
      deadlineAt: at + maxDurationMs, maxCost, leaseMs, bidWindowMs, maxRounds: patient ? ROUNDS.many : ROUNDS.few,
      to, ...(sla && { sla }), ...(hagglerOf(options, account) && { counters: true as const }), policy: typeof policy === 'string' ? policy : undefined, region,
      ...lineage, deepest: Math.min(deepest, depth + Math.max(0, Math.trunc(maxDepth))), ...attempt, inputHash: hashOf(input)
    })
  }
}

/** The policy of a task from the log: by its name, as far as it is known here. */
export function policyIn ({ policy }: TaskSpec): RankingPolicy {
  try {
    return policy === undefined ? rankByValue : policyOf(policy)
  } catch {
    return rankByValue
  }
}

/** The options that were given: `undefined` means the default. */
const definedOf = <T extends object>(options: T): Partial<T> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>
