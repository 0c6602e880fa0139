/**
 * The breakers of those whom work is given to. A contract is the call: its provider fails it by silence, or by not being there.
 * Whoever answers, and were it with a failure, is there: what its handler does is for its own breaker.
 */
import { A2aError, type Failure } from '../core/errors.ts'
import type { Blame } from './breaker.ts'
import type { Breakers } from './breakers.ts'
import type { Clock } from '../core/ports.ts'
import type { TaskEvent } from '../core/task.ts'

export interface Contracts {
  /** A task is about to be awarded. A failure: its provider's breaker is open, so it must not be. */
  begin: (taskId: string, provider: string) => Failure | undefined
  /** Follows a task's events to the end of each of its contracts. */
  observe: (event: TaskEvent) => void
}

interface Contract {
  provider: string
  begunAt: number
  answered: boolean
  end: (blame?: Blame, failure?: Failure) => void
}

/** A provider that has not accepted when the task is over was silent, if it had so long for it, in ms. */
const ACCEPTS_WITHIN_MS = 1_000

export function watchContracts (breakers: Breakers, clock: Pick<Clock, 'now'>): Contracts {
  /** One at most for each task under way. */
  const contracts = new Map<string, Contract>()

  const blameFor = ({ answered, begunAt }: Contract, { code }: Failure): Blame | undefined => {
    if (code === 'LEASE_EXPIRED' || code === 'PEER_UNREACHABLE') return 'failed'
    if (code !== 'DEADLINE_EXCEEDED' && code !== 'CANCELLED') return undefined
    if (answered) return undefined
    return code === 'DEADLINE_EXCEEDED' && clock.now() - begunAt >= ACCEPTS_WITHIN_MS ? 'failed' : 'innocent'
  }

  return {
    begin: (taskId, provider) => {
      // The same award again, after a restart.
      if (contracts.get(taskId)?.provider === provider) return undefined
      const refused = breakers.refusal('peer', provider)
      if (refused !== undefined) return refused
      const ended = Promise.withResolvers<void>()
      let blamed: Blame = 'innocent'
      contracts.set(taskId, {
        provider, begunAt: clock.now(), answered: false,
        end: (blame, failure) => {
          contracts.delete(taskId)
          if (blame === undefined || failure === undefined) return ended.resolve()
          blamed = blame
          ended.reject(new A2aError(failure))
        }
      })
      breakers.run('peer', provider, () => ended.promise, () => blamed).catch(() => {})
      return undefined
    },
    observe: event => {
      const contract = contracts.get(event.taskId)
      if (contract === undefined || ('provider' in event && event.provider !== contract.provider)) return
      switch (event.event) {
        case 'accepted':
        case 'progress':
        case 'artifact':
        case 'input-required':
          contract.answered = true
          return
        case 'moved':
        case 'failed': return contract.end(blameFor(contract, event.failure), event.failure)
        case 'result': return contract.end()
      }
    }
  }
}
