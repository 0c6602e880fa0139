/** The owner's handle on a task: its events from any of them to the last, for any number of readers, and its end. */
import { orAborted } from '../core/deadline.ts'
import { A2aError } from '../core/errors.ts'
import type { TaskEvent } from '../core/task.ts'
import type { WorkResult } from '../core/agent.ts'

export interface EventFeed extends AsyncIterable<TaskEvent> {
  push: (event: TaskEvent) => void
  /** The events after the first `count`, and on until the last, or until the signal aborts. */
  after: (count: number, signal?: AbortSignal) => AsyncIterableIterator<TaskEvent>
  /** How many were pushed. */
  readonly count: number
  readonly result: Promise<WorkResult>
}

export interface FeedOptions {
  /** The events from the first on, as they were pushed, out of the log: then only the newest are kept here. */
  past?: () => Iterable<TaskEvent>
  /** Bytes of them that are kept. Default 1 MiB. */
  keepBytes?: number
}

/** Of one task's events this much is in memory, in bytes; a reader who is further behind reads the log. An event counts as so many at least. */
const KEEP_BYTES = 1_024 * 1_024
const EVENT_BYTES = 512

export const isLast = ({ event }: TaskEvent): boolean => event === 'result' || event === 'failed'

/** Has the events for readers who begin anywhere, each at its own pace. Ends with `result` or `failed`. */
export function createFeed ({ past, keepBytes = KEEP_BYTES }: FeedOptions = {}): EventFeed {
  /** The newest; those before them are in the log. */
  const kept: TaskEvent[] = []
  let dropped = 0
  let bytes = 0
  const end = Promise.withResolvers<WorkResult>()
  // Whoever only iterates has not asked for the result: its rejection is no accident.
  end.promise.catch(() => {})
  let more = Promise.withResolvers<void>()
  let ended = false
  const count = (): number => dropped + kept.length

  async function * after (from: number, signal?: AbortSignal): AsyncGenerator<TaskEvent> {
    let next = from
    while (!isLeft(signal)) {
      if (next < dropped && past !== undefined) {
        const begun = next
        let place = 0
        for (const event of past()) {
          if (place++ < next) continue
          yield event
          // Once it has come to what is kept here, and never beyond what was told.
          if (++next >= dropped || isLeft(signal)) break
        }
        if (next === begun) throw new A2aError({ code: 'TASK_UNKNOWN', taskId: kept[0]?.taskId ?? '' })
      } else if (next < count()) yield kept[next++ - dropped] as TaskEvent
      else if (ended) return
      else await orAborted(more.promise, signal)
    }
  }

  const dropOldest = (): void => {
    while (bytes > keepBytes && kept.length > 1) {
      bytes -= sizeOf(kept.shift() as TaskEvent)
      dropped++
    }
  }

  return {
    result: end.promise,
    get count () { return count() },
    push: event => {
      if (ended) return
      kept.push(event)
      bytes += sizeOf(event)
      if (past !== undefined) dropOldest()
      if (event.event === 'result') {
        const { output, receipt, provider, epoch, cost, spent = 0 } = event
        end.resolve({ output, receipt, provider, epoch, cost, spent })
      }
      if (event.event === 'failed') end.reject(new A2aError(event.failure))
      ended = isLast(event)
      more.resolve()
      more = Promise.withResolvers()
    },
    after,
    [Symbol.asyncIterator]: () => after(0)
  }
}

const sizeOf = (event: TaskEvent): number => EVENT_BYTES + (event.event === 'artifact' ? event.data.length : 0)

const isLeft = (signal?: AbortSignal): boolean => signal?.aborted === true
