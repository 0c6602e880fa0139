/**
 * Messages about a task from those who do not hold it. Who once held it is told that it is over, which is worth a word in
 * the log, a few times; anybody else may have read the task's id in an announcement, and leaves no trace.
 */
import { LRUCache } from 'lru-cache'
import { winnerOf } from '../core/ending.ts'
import type { RequesterTask } from '../core/requester.ts'

/** Late messages of one task that are told of. */
const TOLD = 4

/** Whether a message that says it is of this award is to be refused without a trace. */
export type Strays = (task: RequesterTask, provider: string, epoch: number) => boolean

export function createStrays (): Strays {
  const mayTell = upTo(TOLD)
  return (task, provider, epoch) => {
    const holder = task.stage === 'settled' ? task.provider : winnerOf(task)?.provider
    if (provider === holder && epoch === task.epoch) return false
    if (provider !== holder && !task.excluded.includes(provider)) return true
    return !mayTell(task.spec.taskId)
  }
}

/** Whether something may be done for a task once more: so many times for each. */
export function upTo (times: number): (taskId: string) => boolean {
  const done = new LRUCache<string, number>({ maxSize: 10_000, sizeCalculation: () => 1 })
  return taskId => {
    const count = (done.get(taskId) ?? 0) + 1
    done.set(taskId, count)
    return count <= times
  }
}
