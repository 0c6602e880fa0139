/**
 * What the handler of a task may spend on what it delegates: the budget of the task, less the handler's own cost. What a
 * delegation may cost at most is set aside before it is announced, so that any number of them at once cannot overdraw it;
 * when it has ended it counts with what it came to, its own delegations included, and the rest is there again.
 */
export interface Purse {
  /** What is neither spent nor set aside. `undefined`: there is no limit. */
  left: () => number | undefined
  /** What the delegations came to that have ended, and what those that are open may come to. */
  committed: () => number
  /** How many are open. */
  open: () => number
  /** Sets aside what there is for a delegation, but no more than `atMost`. Returns how much; `undefined`: it has no limit. */
  reserve: (child: string, atMost?: number) => number | undefined
  /** It is open: it counts with what it may cost. */
  hold: (child: string, atMost?: number) => void
  /** It has ended, and came to this. */
  settle: (child: string, cost: number) => void
}

/** Amounts are sums of binary fractions: two that differ by less than this share are the same. */
const GRAIN = 1e-9

/** Whether an amount is more than is allowed. */
export const exceeds = (amount: number, allowed: number): boolean => amount - allowed > GRAIN * Math.max(1, Math.abs(allowed))

/** @param budget in the requester's cost units. Absent: no limit; what is spent is counted all the same */
export function openPurse (budget?: number): Purse {
  /** What each counts with. Those that came to nothing are left out. */
  const amounts = new Map<string, number>()
  const open = new Set<string>()
  let committed = 0

  const count = (child: string, amount: number): void => {
    const before = amounts.get(child) ?? 0
    if (amount === 0) amounts.delete(child)
    else amounts.set(child, amount)
    // Without a trace of what was rounded.
    committed = amounts.size === 0 ? 0 : Math.max(0, committed + amount - before)
  }
  const left = (): number | undefined => budget === undefined ? undefined : Math.max(0, budget - committed)
  const hold = (child: string, atMost = 0): void => {
    open.add(child)
    count(child, atMost)
  }

  return {
    left, hold,
    committed: () => committed,
    open: () => open.size,
    reserve: (child, atMost) => {
      const there = left()
      const amount = there === undefined ? atMost : Math.min(there, atMost ?? Infinity)
      hold(child, amount)
      return amount
    },
    settle: (child, cost) => {
      open.delete(child)
      count(child, cost)
    }
  }
}
