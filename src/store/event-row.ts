import type { LogEvent } from '../core/ports.ts'
import { checkSeal, sealOfEvent } from './seal.ts'

export type EventRow = Record<string, any>

/** @throws Error when it is not what was written */
export function toEvent ({ position, at, agent, role, task_id: taskId, type, data, seal }: EventRow): LogEvent {
  const event = { position, at, agent, role, taskId, type }
  checkSeal(seal, sealOfEvent(event, data), `event ${position}, of task ${taskId},`)
  return { ...event, data: JSON.parse(data) }
}

/** How a task stands after its newest event. */
export const UPSERT_TASK = `INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
  last_position = excluded.last_position, updated_at = excluded.updated_at, capability = excluded.capability, stage = excluded.stage,
  ended = excluded.ended, outcome = excluded.outcome, counterpart = excluded.counterpart, epoch = excluded.epoch, failure = excluded.failure, cost = excluded.cost, spent = excluded.spent`
