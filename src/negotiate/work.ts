/** The owner's handle on a task: its events from the first to the last, for any number of readers, and its end. */
import { A2aError } from '../core/errors.ts'
import type { TaskEvent } from '../core/task.ts'
import type { WorkResult } from '../core/agent.ts'

export interface EventFeed extends AsyncIterable<TaskEvent> {
  push: (event: TaskEvent) => void
  readonly result: Promise<WorkResult>
}

export const isLast = ({ event }: TaskEvent): boolean => event === 'result' || event === 'failed'

/** Keeps the events, so that each reader begins at the beginning. Ends with `result` or `failed`. */
export function createFeed (): EventFeed {
  const events: TaskEvent[] = []
  const end = Promise.withResolvers<WorkResult>()
  // Whoever only iterates has not asked for the result: its rejection is no accident.
  end.promise.catch(() => {})
  let more = Promise.withResolvers<void>()
  let ended = false

  return {
    result: end.promise,
    push: event => {
      if (ended) return
      events.push(event)
      if (event.event === 'result') {
        const { output, receipt, provider, epoch, cost, spent = 0 } = event
        end.resolve({ output, receipt, provider, epoch, cost, spent })
      }
      if (event.event === 'failed') end.reject(new A2aError(event.failure))
      ended = isLast(event)
      more.resolve()
      more = Promise.withResolvers()
    },
    async * [Symbol.asyncIterator] () {
      for (let next = 0; ; next++) {
        while (next === events.length) {
          if (ended) return
          await more.promise
        }
        yield events[next] as TaskEvent
        if (ended && next === events.length - 1) return
      }
    }
  }
}
