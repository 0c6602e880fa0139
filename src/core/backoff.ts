/** How long a requester waits before it announces a task again. */
import { lot } from './lot.ts'

/** The longest wait after the first round, in ms; twice that after each further one, and never more than the most. */
const FIRST_MS = 400
const MOST_MS = 5_000
const LEAST_MS = 20

/**
 * Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015), so that tasks that were turned away
 * together do not come back together. Drawn by the task and its round: a replay waits as long.
 */
export function restMs (taskId: string, round: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(round - 1, 16))
  return Math.max(LEAST_MS, Math.round(most * lot(taskId, `rest ${round}`) / 2 ** 32))
}
