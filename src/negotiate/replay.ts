/**
 * A requester's task as its log tells it: folded again, the events give the state and all that its owner was told. That is what
 * numbers the owner's events: nothing is told that is not on disk, so the n-th of the fold is the n-th that was told.
 */
import { isLast } from './work.ts'
import { A2aError } from '../core/errors.ts'
import { openTask, type RequesterEvent, type RequesterTask, type Step } from '../core/requester.ts'
import type { JsonSchema } from '../core/capability.ts'
import type { LogEvent } from '../core/ports.ts'
import type { TaskEvent, TaskSpec } from '../core/task.ts'

export interface Past {
  task: RequesterTask
  events: TaskEvent[]
  input: Buffer
  /** The schema that was asked of the output. */
  output?: JsonSchema
}

type StepTask = (task: RequesterTask, event: RequesterEvent) => Step

/** Events of the log that are held at a time by whoever goes through them. */
const PAGE = 32

/** `undefined`: there are no events. All of them must be of one agent and task, oldest first. */
export function replayTask (taskId: string, [first, ...rest]: LogEvent[], step: StepTask): Past | undefined {
  if (first === undefined) return undefined
  const { input, output } = first.data as { input: string, output?: JsonSchema }
  const fold = foldOf(taskId, first, step)
  const events = rest.flatMap(fold.next)
  return { task: fold.task(), events, input: Buffer.from(input, 'base64'), output }
}

/**
 * The owner's events of a task, read out of the log a few at a time, up to its last or to what the log has by then.
 * @param read a page of the task's events in the log, after this position
 */
export function * readTask (taskId: string, read: (page: { after: number, limit: number }) => LogEvent[], step: StepTask): Generator<TaskEvent> {
  let [first, ...page] = read({ after: 0, limit: PAGE })
  if (first === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
  const fold = foldOf(taskId, first, step)
  for (let after = first.position; ; page = read({ after, limit: PAGE })) {
    if (page.length === 0) return
    for (const event of page) {
      after = event.position
      for (const told of fold.next(event)) {
        yield told
        if (isLast(told)) return
      }
    }
  }
}

/** A task that is folded event by event. */
function foldOf (taskId: string, first: LogEvent, step: StepTask): { next: (event: LogEvent) => TaskEvent[], task: () => RequesterTask } {
  let { task } = openTask((first.data as { spec: TaskSpec }).spec)
  let seq = 0
  return {
    task: () => task,
    next: ({ at, type, data }) => {
      const { task: next, effects } = step(task, { type, at, ...data as object } as RequesterEvent)
      task = next
      return effects.flatMap(effect => effect.type === 'publish' ? [{ taskId, seq: ++seq, at, ...effect.event } as TaskEvent] : [])
    }
  }
}
