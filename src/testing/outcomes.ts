/** What is left of a run: tasks, receipts and rows, as the disks of its hosts have them. */
import type { Host } from './host.ts'
import type { FailureCode } from '../core/errors.ts'
import type { ReceiptEntry, TaskRow } from '../core/ports.ts'
import type { TaskEvent, TaskSpec } from '../core/task.ts'

/** A task as its owner's log tells it. */
export interface TaskOutcome {
  taskId: string
  /** The name of the agent that asked. */
  by: string
  capability: string
  input: unknown
  /** Of one that a handler asked for. */
  parentTaskId?: string
  /** `result`, the code of its failure, or `open` when it did not end. */
  end: 'result' | 'open' | FailureCode
  /** Of a result. */
  output?: unknown
  /** Everything its owner was told. */
  events: TaskEvent[]
  spec: TaskSpec
}

/** What is on one host's disk. */
export interface Remains {
  host: string
  agentId: string
  tasks: TaskOutcome[]
  rows: TaskRow[]
  receipts: ReceiptEntry[]
}

/** @internal */
export async function remainsOf (host: Host): Promise<Remains> {
  const { name, agentId, disk: { rows: { tasks, eventsOf, receipts } } } = host
  const rows = [...tasks.values()].map(({ row }) => row)
  return {
    host: name, agentId, rows,
    receipts: receipts.get(agentId) ?? [],
    tasks: await Promise.all(rows.filter(({ role }) => role === 'requester').map(async ({ taskId }) => {
      const opened = eventsOf.get(`requester ${taskId}`)?.[0]?.data as string
      const { spec, input } = JSON.parse(opened) as { spec: TaskSpec, input: string }
      return outcomeOf({ host: name, spec, input, events: await host.eventsOf(taskId) })
    }))
  }
}

/** @param input base64, as the log has it */
export function outcomeOf ({ host, spec, input, events }: { host: string, spec: TaskSpec, input: string, events: TaskEvent[] }): TaskOutcome {
  const { taskId, capability, parentTaskId } = spec
  const last = events.at(-1)
  return {
    taskId, capability, parentTaskId, spec, events,
    by: host,
    input: JSON.parse(Buffer.from(input, 'base64').toString()) as unknown,
    end: last?.event === 'result' ? 'result' : last?.event === 'failed' ? last.failure.code : 'open',
    ...(last?.event === 'result' ? { output: last.output } : {})
  }
}

/** Whether a provider was awarded a task in an epoch. Work begun under an earlier award of its goes on under a newer one. */
export const wasAwarded = (events: readonly TaskEvent[], provider: string, epoch: unknown): boolean =>
  events.some(event => event.event === 'awarded' && event.provider === provider && event.epoch === epoch)
