/** An agent under test: what its author wrote, on a host of the simulator instead of a node. */
import { compileProvision, runHandler } from '../execute/runner.ts'
import { createBulkhead, type Bulkhead } from '../guard/bulkhead.ts'
import { parseCapability } from '../core/capability.ts'
import { answerOf } from '../core/counter.ts'
import { A2aError } from '../core/errors.ts'
import type { Agent, HandlerContext, Provision } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'
import type { Service } from '../negotiate/provider.ts'
import type { Delegate } from '../negotiate/accounts.ts'
import type { Guard } from './guard.ts'
import type { Random } from './random.ts'

/** What of an agent works in the simulator: its tasks, both ends. */
export type SimulatedAgent = Pick<Agent, 'id' | 'name' | 'provide' | 'delegate'>

/** Time and chance, in place of the real ones. */
export interface Surroundings {
  /** Milliseconds since the epoch, by the clock of its host, which faults may set. */
  now: () => number
  /** Rejects with the signal's reason when that aborts. Whoever sleeps in a process that dies never wakes. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** From 0 up to, and without, 1. */
  random: () => number
}

/**
 * Makes an agent of what its host gives it, by `provide` and perhaps `delegate`. It is called again after each crash: what it
 * kept in memory is lost.
 */
export type BuildAgent = (agent: SimulatedAgent, surroundings: Surroundings) => void | Promise<void>

/** @internal */
export interface HostedParts {
  name: string
  agentId: string
  /** The wall clock of its host. */
  clock: Clock
  random: Random
  guard: Guard
  delegate: Delegate
  /** Told of each capability, once it is provided. */
  provided: (capability: string) => void
}

/** @internal */
export interface Hosted {
  agent: SimulatedAgent
  surroundings: Surroundings
  service: (capability: string, version?: number) => Service | undefined
}

const MAX_CONCURRENT = 16
const QUEUE = 4

/** @internal */
export function hostSimulated ({ name, agentId, clock, random, guard, delegate, provided }: HostedParts): Hosted {
  const provisions = new Map<string, { version: number, provision: Provision, bulkhead: Bulkhead }>()

  function service (capability: string, version?: number): Service | undefined {
    const offered = provisions.get(capability)
    if (offered === undefined || (version !== undefined && version !== offered.version)) return undefined
    const { provision, bulkhead, provision: { priceHint = 0, maxConcurrent = MAX_CONCURRENT, queue = QUEUE } } = offered
    return {
      capability, maxConcurrent, queue,
      version: offered.version,
      public: true,
      bid: async (call, load) => provision.bid === undefined ? { cost: priceHint, confidence: 0.5 } : await guard.within(name, async () => await provision.bid?.(call, load)),
      counter: async (call, counter) => provision.onCounter === undefined ? answerOf(counter) : await guard.within(name, async () => await provision.onCounter?.(call, counter)),
      refusal: bulkhead.refusal,
      run: async (input, context) => (await guard.within(name, async () => await runHandler(provision, input, Object.assign(context, { send: notSimulated, receive: notSimulated, guard: callThrough(context.signal) })))).output
    }
  }

  return {
    service,
    agent: {
      id: agentId,
      name,
      delegate: (capability, input, options = {}) => delegate(capability, input, options, { depth: 0, visited: [agentId], traceparent: options.traceparent }),
      provide: async (text, definition) => {
        const { name: capability, version = 1 } = parseCapability(text)
        if (provisions.has(capability)) throw new A2aError({ code: 'BAD_USAGE', why: `${capability} is offered already` })
        const provision = definition as Provision
        await compileProvision(provision)
        const { maxConcurrent = MAX_CONCURRENT, queue = QUEUE } = provision
        provisions.set(capability, { version, provision, bulkhead: createBulkhead(maxConcurrent + queue, clock) })
        provided(capability)
        return { capability, [Symbol.asyncDispose]: async () => { provisions.delete(capability) } }
      }
    },
    surroundings: {
      now: clock.now,
      random: random.next,
      sleep: async (ms, signal) => {
        signal?.throwIfAborted()
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        const stop = clock.after(ms, resolve)
        const onAbort = (): void => {
          stop()
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        await promise.finally(() => { signal?.removeEventListener('abort', onAbort) })
      }
    }
  }
}

const callThrough = (signal: AbortSignal): HandlerContext['guard'] => async (_name, call) => await call(signal)

const notSimulated = (() => {
  throw new A2aError({ code: 'BAD_USAGE', why: 'content is not simulated', hint: 'test what sends or receives it on real nodes' })
}) as unknown as HandlerContext['send'] & HandlerContext['receive']
