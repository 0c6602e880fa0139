/** What is read out of the log, the same for every log: outcomes, interactions, metrics, and the order of receipts. */
import { A2aError } from '../core/errors.ts'
import type { AgentCost, AgentMetrics, Interaction, ReceiptEntry, TaskRow, TaskSummary } from '../core/ports.ts'

/** How many interactions of an agent are kept at hand, and measured (T1). */
export const RECENT = 1_000
/** How many lines of costs are shown, unless more are asked for. */
export const DEAREST = 20

/** The `previous` of an agent's first receipt. */
export const NO_RECEIPT: Uint8Array = new Uint8Array(32)

type Outcome = Interaction['outcome'] | 'open'

/** How a task came out, or that it has not ended. */
export function outcomeOf ({ ended, stage, failure }: TaskSummary): Outcome {
  if (!ended) return 'open'
  if (stage === 'settled') return 'completed'
  return stage === 'cancelled' || failure === 'CANCELLED' ? 'cancelled' : 'failed'
}

/** An ended task, and no job, as one thing that its agent did with another. */
export function interactionOf (row: TaskRow): Interaction {
  const { updatedAt, taskId, role, capability, counterpart, failure, cost } = row
  return present({ at: updatedAt, taskId, role: role as Interaction['role'], capability, counterpart, outcome: outcomeOf(row) as Interaction['outcome'], failure, durationMs: durationOf(row), cost })
}

/** From its first event to its last, in ms. Never negative, though clocks can be set back. */
export const durationOf = ({ createdAt, updatedAt }: Pick<TaskRow, 'createdAt' | 'updatedAt'>): number => Math.max(0, updatedAt - createdAt)

/** Tasks of one agent and role with the same outcome. */
export interface Tally {
  role: TaskRow['role']
  outcome: Outcome
  tasks: number
  cost: number
}

/** Counters and percentiles; a role without tasks has no line. `recent` gives the durations of a role's last 1,000 interactions. */
export function metricsOf (tallies: Tally[], recent: (role: TaskRow['role']) => number[]): AgentMetrics[] {
  return (['requester', 'provider'] as const).filter(role => tallies.some(tally => tally.role === role)).map(role => {
    const count = { completed: 0, failed: 0, cancelled: 0, open: 0 }
    let totalCost = 0
    for (const { outcome, tasks, cost } of tallies.filter(tally => tally.role === role)) {
      count[outcome] += tasks
      if (outcome !== 'open') totalCost += cost
    }
    const durations = recent(role).sort((a, b) => a - b)
    return { role, ...count, p50Ms: percentile(durations, 0.5), p99Ms: percentile(durations, 0.99), totalCost }
  })
}

/** What an agent's tasks came to, the dearest first. */
export function costsOf (rows: TaskRow[], limit: number): AgentCost[] {
  const paid = rows.filter((row): row is TaskRow & Pick<AgentCost, 'role'> => row.role !== 'job' && row.ended && (row.cost ?? 0) > 0)
  return [...Map.groupBy(paid, ({ role, capability, counterpart }) => JSON.stringify([role, capability, counterpart])).values()].map(group => {
    const { role, capability, counterpart } = group[0] as typeof paid[number]
    return present<AgentCost>({ role, capability, counterpart, tasks: group.length, cost: group.reduce((sum, { cost = 0 }) => sum + cost, 0) })
  }).sort((a, b) => b.cost - a.cost).slice(0, limit)
}

/** Nearest rank of sorted values: always one that was measured. 0 when there are none. */
const percentile = (sorted: number[], share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0

/**
 * What adding a receipt means: the next link, or, when the agent's chain has this hash already, a countersignature that
 * has arrived later.
 * @throws A2aError INTERNAL when it follows another receipt than the newest
 */
export function linkOf (entry: ReceiptEntry, head: Uint8Array, known: boolean): 'next' | 'countersign' {
  if (known) return 'countersign'
  if (Buffer.compare(entry.previous, head) === 0) return 'next'
  throw new A2aError({ code: 'INTERNAL', why: `receipt ${short(entry.hash)} of ${entry.agent} for task ${entry.taskId} follows ${short(entry.previous)}, but the newest of its chain is ${short(head)}` })
}

/**
 * Refuses keys that UTF-8 cannot hold: two of them could become the same.
 * @throws A2aError INTERNAL
 */
export function checkKey (key: string): string {
  if (key.isWellFormed()) return key
  throw new A2aError({ code: 'INTERNAL', why: `the key ${JSON.stringify(key)} has half a surrogate pair` })
}

/** Without the properties that are undefined or null, so that what is read back has the shape of what was written. */
export function present<T extends object> (row: { [K in keyof T]: T[K] | null }): T {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined && value !== null)) as T
}

const short = (hash: Uint8Array): string => Buffer.from(hash).toString('hex').slice(0, 16)
