/** The events of several tasks as one stream. */
import type { TaskEvent } from '../core/task.ts'

/** Each event as it comes; ends when all have ended. Leaving it leaves the tasks alone. */
export async function * merge (streams: Array<AsyncIterable<TaskEvent>>): AsyncGenerator<TaskEvent> {
  const iterators = streams.map(stream => stream[Symbol.asyncIterator]())
  const next = async (i: number) => ({ i, step: await iterators[i]?.next() })
  const pending = new Map(iterators.map((_, i) => [i, next(i)]))
  while (pending.size > 0) {
    const { i, step } = await Promise.race(pending.values())
    if (step === undefined || step.done === true) {
      pending.delete(i)
      continue
    }
    pending.set(i, next(i))
    yield step.value
  }
}
