/** Keeps the event log within bounds while the node runs: by the age of ended tasks, and by its size. */
import { messageOf } from '../core/errors.ts'
import type { Clock, EventLog, Logger } from '../core/ports.ts'

/** How long a task stays after its end, in ms: 30 days. */
export const KEEP_MS = 30 * 86_400_000
/** Above so many bytes in use the oldest ended tasks go, whatever their age. */
export const MOST_BYTES = 1_024 * 1_024 * 1_024
/** But none that ended less than this ago, in ms: somebody may still follow it. */
const LEAST_MS = 3_600_000
/** How often it is looked at, in ms. */
const LOOK_MS = 600_000
/** Between two lots, in ms: the node's own work comes first. */
const PAUSE_MS = 100

export interface RetentionParts {
  log: Pick<EventLog, 'prune' | 'size'>
  clock: Clock
  logger: Logger
  /** Ids of the agents whose tasks are in the log. */
  agents: () => string[]
  keepMs?: number
  mostBytes?: number
}

/** Begins at once. Returns what ends it. */
export function keepWithin ({ log, clock, logger, agents, keepMs = KEEP_MS, mostBytes = MOST_BYTES }: RetentionParts): () => void {
  let isOver = false
  let cancel = (): void => {}

  const prune = async (): Promise<number> => {
    const before = clock.now() - (log.size().usedBytes > mostBytes ? Math.min(keepMs, LEAST_MS) : keepMs)
    const pruned = await Promise.all(agents().map(agent => log.prune(agent, before)))
    return pruned.reduce((sum, count) => sum + count, 0)
  }
  const look = (): void => {
    prune().catch((error: unknown) => {
      if (!isOver) logger.warn('old tasks could not be taken out of the event log', { why: messageOf(error) })
      return 0
    }).then(pruned => {
      if (!isOver) cancel = clock.after(pruned > 0 ? PAUSE_MS : LOOK_MS, look)
    }, () => {})
  }
  cancel = clock.after(0, look)
  return () => {
    isOver = true
    cancel()
  }
}
