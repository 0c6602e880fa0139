/**
 * Messages about a task from those who do not hold it. Who once held it is told that it is over, which is worth a word in
 * the log, a few times; anybody else may have read the task's id in an announcement, and leaves no trace.
 */
import { LRUCache } from 'lru-cache'
import { winnerOf, type RequesterTask } from '../core/requester.ts'

/** Late messages of one task that are told of. */
const TOLD = 4

/** Whether a message that says it is of this award is to be refused without a trace. */
export type Strays = (task: RequesterTask, provider: string, epoch: number) => boolean

export function createStrays (): Strays {
  const told = new LRUCache<string, number>({ maxSize: 10_000, sizeCalculation: () => 1 })
  return (task, provider, epoch) => {
    const holder = task.stage === 'settled' ? task.provider : winnerOf(task)?.provider
    if (provider === holder && epoch === task.epoch) return false
    if (provider !== holder && !task.excluded.includes(provider)) return true
    const { taskId } = task.spec
    const times = (told.get(taskId) ?? 0) + 1
    told.set(taskId, times)
    return times > TOLD
  }
}
