/** What pays for the delegations of handlers, for as long as it is not known what they came to. */
import { hasEnded } from '../core/ending.ts'
import type { RequesterTask } from '../core/requester.ts'
import { isUntold, totalOf } from '../core/spending.ts'
import type { DelegateOptions, Work } from '../core/agent.ts'
import type { Failure } from '../core/errors.ts'
import type { Lineage } from '../core/lineage.ts'
import type { Attempt } from './opening.ts'

/** The budget of one handler. */
export interface Account {
  /** Sets aside what a delegation may cost at most, which is what it resolves to. `undefined`: no limit. */
  reserve: (taskId: string, atMost?: number) => Promise<number | undefined>
  /** It is open, and may cost so much. */
  hold: (taskId: string, atMost?: number) => void
  /** It has ended, and came to this. */
  settle: (taskId: string, cost: number) => void
}

/** What the handler's own task leaves a delegation. */
export interface Allowance {
  account?: Account
  /** Why there can be none: it fails at once, and nobody hears of it. */
  refusal?: Failure
  /** It is an attempt at a job. */
  attempt?: Attempt
}

export type Delegate = (capability: string, input: unknown, options: DelegateOptions, lineage: Lineage, allowance?: Allowance) => Work

export interface Accounts {
  open: (taskId: string, account: Account) => void
  /** A task is in another state: its account counts it with what it may come to, or came to. */
  entered: (taskId: string, task: RequesterTask) => void
  /** Nobody will say what it came to: it stays counted with what it may have. `undefined`: it was never begun. */
  close: (taskId: string, task?: RequesterTask) => void
}

export function createAccounts (): Accounts {
  const accounts = new Map<string, Account>()

  const close: Accounts['close'] = (taskId, task) => {
    accounts.get(taskId)?.settle(taskId, task === undefined ? 0 : totalOf(task))
    accounts.delete(taskId)
  }

  return {
    open: (taskId, account) => { accounts.set(taskId, account) },
    entered: (taskId, task) => {
      if (!hasEnded(task)) accounts.get(taskId)?.hold(taskId, task.spec.maxCost)
      else if (isUntold(task)) accounts.get(taskId)?.hold(taskId, totalOf(task))
      else close(taskId, task)
    },
    close
  }
}
