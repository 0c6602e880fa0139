/** A provider's task as its log tells it. */
import { openOffer, stepProvider, type ProviderEvent, type ProviderTask } from '../core/provider.ts'
import { payloadOf } from '../wire/compose.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import type { EventLog, LogEvent } from '../core/ports.ts'

/** Agents of one node share its log, and may all have bid for one task. */
export const eventsOf = (log: EventLog, agentId: string, taskId: string): LogEvent[] =>
  log.eventsOf('provider', taskId).filter(({ agent }) => agent === agentId)

/** The state that the log's events lead to. */
export function foldProvider (events: LogEvent[]): ProviderTask | undefined {
  const [first, ...rest] = events.map(({ type, at, data }) => ({ type, at, ...data as object }) as ProviderEvent)
  if (first?.type !== 'offered') return undefined
  return rest.reduce((task, event) => stepProvider(task, event).task, openOffer(first).task)
}

/** Where the requester was when it made the award. */
export function requesterOf (events: LogEvent[]): { peer: string, addresses: string[] } | undefined {
  const awarded = events.findLast(({ type }) => type === 'awarded')
  if (awarded === undefined) return undefined
  const { requester_peer: peer, endpoints: addresses } = payloadOf(decodeEnvelope(Buffer.from((awarded.data as { award: string }).award, 'base64')), 'task.award')
  return { peer, addresses }
}
