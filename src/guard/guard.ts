/** What keeps the failures of one thing from the others, for one agent: its breakers, put where calls are made. */
import { blameOf } from './blame.ts'
import { createBreakers } from './breakers.ts'
import { watchContracts, type Contracts } from './contracts.ts'
import { messageOf, type Failure } from '../core/errors.ts'
import type { HandlerContext } from '../core/agent.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { BreakerRow } from '../core/status.ts'

export interface Guard {
  /** Why a handler must not be called now: its own breaker is open, or that of something it cannot do without. */
  refusal: (capability: string, dependsOn?: string[]) => Failure | undefined
  /** Calls a handler. @throws A2aError CIRCUIT_OPEN, and what the handler throws */
  handle: <T>(capability: string, signal: AbortSignal, run: () => Promise<T>) => Promise<T>
  /** `guard` of a handler's context, until its signal aborts. */
  outside: (signal: AbortSignal) => HandlerContext['guard']
  /** Why nothing is to be asked of an agent now. */
  peerRefusal: (agentId: string) => Failure | undefined
  contracts: Contracts
  breakers: () => BreakerRow[]
}

export function createGuard (parts: { clock: Pick<Clock, 'now'>, logger: Logger }): Guard {
  const breakers = createBreakers(parts)
  return {
    refusal: (capability, dependsOn = []) => breakers.refusal('capability', capability) ??
      dependsOn.map(name => breakers.refusal('adapter', name)).find(refused => refused !== undefined),
    handle: (capability, signal, run) => breakers.run('capability', capability, run, error => blameOf(error, signal)),
    outside: signal => (name, call) => breakers.run('adapter', name, () => untilAborted(call, signal), error => blameOf(error, signal)),
    peerRefusal: agentId => breakers.refusal('peer', agentId),
    contracts: watchContracts(breakers, parts.clock),
    breakers: breakers.rows
  }
}

/** Ends with the call, or at once when the signal aborts, whether the call heeds it or not. */
async function untilAborted<T> (call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = (): void => { reject(signal.reason instanceof Error ? signal.reason : new Error(messageOf(signal.reason))) }
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([call(signal), promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
