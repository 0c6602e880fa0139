/** A run before it runs: who takes part, what is asked, what goes wrong. Plain JSON: the same schedule gives the same run. */
import type { DelegateOptions } from '../core/agent.ts'
import type { SlaTerms } from '../core/sla.ts'
import type { Fault } from './faults.ts'

/** A task that an agent asks for when its time comes, unless its process is down then. */
export interface PlannedTask {
  /** Milliseconds since the start. */
  at: number
  /** The name of the agent that asks. */
  by: string
  capability: string
  input?: unknown
  options?: Pick<DelegateOptions, 'maxDurationMs' | 'maxCostTokens' | 'to' | 'leaseMs' | 'bidWindowMs' | 'output'> & { sla?: SlaTerms }
  /** Its owner asks for this share of what each bid costs. Default: bids are taken as they are. */
  haggleFor?: number
  /** What handlers get that ask for input. Default: the task is cancelled. */
  answer?: unknown
  cancelAfterMs?: number
  /** It has to end with a result: it is asked when all is well. */
  must?: boolean
}

export interface Schedule {
  /** Of what is drawn under way: how long messages take, which are lost, what agents and liars choose. */
  seed: number
  agents: string[]
  tasks: PlannedTask[]
  faults: Fault[]
  /** When all is well again, in ms since the start. */
  healAtMs: number
  /** It is over then, or before, when nothing is open any more. */
  untilMs: number
}
