/** A requester's task as its log tells it: folded again, the events give the state and all that was published. */
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

/** `undefined`: there are no events. All of them must be of one agent and task, oldest first. */
export function replayTask (taskId: string, [first, ...rest]: LogEvent[], step: (task: RequesterTask, event: RequesterEvent) => Step): Past | undefined {
  if (first === undefined) return undefined
  const { spec, input, output } = first.data as { spec: TaskSpec, input: string, output?: JsonSchema }
  const events: TaskEvent[] = []
  let { task } = openTask(spec)
  for (const { at, type, data } of rest) {
    const { task: next, effects } = step(task, { type, at, ...data as object } as RequesterEvent)
    task = next
    for (const effect of effects) if (effect.type === 'publish') events.push({ taskId, at, ...effect.event } as TaskEvent)
  }
  return { task, events, input: Buffer.from(input, 'base64'), output }
}
