/**
 * Work that was done under an idempotency key, so that a second award with the same key has the effect of one: the outcome of the
 * first is delivered again, and no handler is started. A failure is not kept: it is there to be tried again.
 */
import { hashOf } from '../wire/hash.ts'
import type { Clock, EventLog } from '../core/ports.ts'
import type { ContractFacts, Outcome } from '../core/provider.ts'

/** What of a task under contract tells what it is about. */
interface Contracted { taskId: string, requester: string, capability: string, contract: ContractFacts }

export interface Done {
  /** What came of work with this key, for this requester and with this input. */
  outcomeOf: (task: Contracted) => Outcome | undefined
  /** Keeps where the outcome is, in one commit with it when that is written at once. */
  keep: (task: Contracted, outcome: Outcome) => Promise<void>
  /** The requester did not accept it: it is to be done anew. */
  forget: (task: Contracted) => void
  /** Forgets what is too old. */
  prune: () => void
}

/** For how long, in ms. */
const HORIZON_MS = 86_400_000

export function createDone ({ agentId, log, clock }: { agentId: string, log: EventLog, clock: Clock }): Done {
  const prefix = `done/${agentId}/`
  const placeOf = ({ requester, capability, contract: { idempotencyKey, inputHash } }: Contracted): string | undefined =>
    idempotencyKey === undefined ? undefined : prefix + hashOf(Buffer.from(JSON.stringify([requester, capability, idempotencyKey, inputHash])))
  const read = (value: Uint8Array): { taskId: string, at: number } => JSON.parse(Buffer.from(value).toString())
  const isOld = ({ at }: { at: number }): boolean => clock.now() >= at + HORIZON_MS

  return {
    outcomeOf: task => {
      const place = placeOf(task)
      const value = place === undefined ? undefined : log.values.get(place)
      const kept = value && read(value)
      if (kept === undefined || isOld(kept)) return undefined
      const handled = log.eventsOf('provider', kept.taskId).findLast(({ agent, type }) => agent === agentId && type === 'handled')
      const outcome = (handled?.data as { outcome: Outcome } | undefined)?.outcome
      return outcome?.outcome === 'completed' ? outcome : undefined
    },
    keep: async (task, { outcome }) => {
      const place = placeOf(task)
      if (place !== undefined && outcome === 'completed') await log.values.set(place, Buffer.from(JSON.stringify({ taskId: task.taskId, at: clock.now() })))
    },
    forget: task => {
      const place = placeOf(task)
      if (place !== undefined) log.values.delete(place).catch(() => {})
    },
    prune: () => {
      for (const [place, value] of log.values.list(prefix)) if (isOld(read(value))) log.values.delete(place).catch(() => {})
    }
  }
}
