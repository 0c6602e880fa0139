/** What a delegation asks for, with our defaults, as it is written down. */
import { DEFAULT_DURATION_MS } from '../core/deadline.ts'
import { A2aError } from '../core/errors.ts'
import { policyOf } from '../core/policy.ts'
import { rankByValue, type RankingPolicy } from '../core/ranking.ts'
import { encodeJson } from '../wire/body.ts'
import { hashOf } from '../wire/hash.ts'
import { MAX_CONTENT } from '../wire/messages.ts'
import type { DelegateOptions } from '../core/agent.ts'
import type { TaskSpec } from '../core/task.ts'
import type { Author } from '../wire/compose.ts'

/** What a delegation inherits from the task it is part of. */
export interface Lineage {
  depth: number
  visited: string[]
  parentTaskId?: string
}

export interface Opening {
  spec: TaskSpec
  input: Buffer
  policy: RankingPolicy
}

const DEFAULTS = { maxDurationMs: DEFAULT_DURATION_MS, leaseMs: 5_000, bidWindowMs: 500, patient: false }
/** Announcements of one task: as many as a message can count, for who is patient. */
const ROUNDS = { few: 3, many: 65_535 }

/** @throws A2aError MESSAGE_TOO_LARGE, BAD_USAGE when there is no policy of that name */
export function openingOf (capability: string, value: unknown, options: DelegateOptions, lineage: Lineage, { author, region }: { author: Author, region?: string }): Opening {
  const input = encodeJson(value)
  if (input.length > MAX_CONTENT) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: input.length, limit: MAX_CONTENT })
  const { maxDurationMs, leaseMs, bidWindowMs, patient } = { ...DEFAULTS, ...definedOf(options) }
  const { policy = rankByValue } = options
  const createdAt = author.now()
  const spec: TaskSpec = {
    taskId: author.newId(), requester: author.agentId, capability, createdAt,
    deadlineAt: createdAt + maxDurationMs, maxCost: options.maxCostTokens, leaseMs, bidWindowMs, maxRounds: patient ? ROUNDS.many : ROUNDS.few,
    to: options.to, policy: typeof policy === 'string' ? policy : undefined, region, ...lineage, inputHash: hashOf(input)
  }
  return { spec, input, policy: typeof policy === 'string' ? policyOf(policy) : policy }
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
