/**
 * What a provider can take on: so many handlers of a capability at once, and so many contracts that wait for one of them to end.
 * A bid is a promise that may be taken up, so those outstanding take room too, for as long as their requester is likely to
 * choose: of a hundred announcements that come at once, only as many are bid for as could be honoured.
 */
import type { Clock } from '../core/ports.ts'

/** A capability with its room. */
export interface Room {
  capability: string
  /** How many may run at once. */
  maxConcurrent: number
  /** How many contracts may wait beside them. Default 0. */
  queue?: number
}

export interface Capacity {
  /** A task of this capability is under contract, or is not any more. */
  contract: (taskId: string, capability: string | undefined) => void
  /** Whether a task is under contract. */
  holds: (taskId: string) => boolean
  /** The tasks of a capability that are. */
  contractsOf: (capability: string) => string[]
  /** Whether there is room for the contract of a task, which may be there already. */
  admits: (room: Room, taskId: string) => boolean
  /** Room for a bid, for so long: how long its work is expected to wait, in ms. `undefined`: there is none. */
  reserve: (room: Room, bid: { taskId: string, requester: string, forMs: number }) => number | undefined
  /** Its bid has become a contract, came to nothing, or is not the first. */
  release: (taskId: string) => void
  /** Does the work as soon as a handler may run, first come, first served. Rejects with the signal's reason when it aborts before that. */
  enter: <T>(room: Room, signal: AbortSignal, work: () => Promise<T>) => Promise<T>
  /** Handlers at work. */
  running: () => number
  /** Contracts that wait. */
  queued: () => number
}

/** Bids for the same room: most are not chosen, and who is refused an award has others to give it to. */
const OVERBOOKING = 2
/** A handler that was aborted and does not end keeps its place for so long, in ms. */
const ABORTED_MS = 10_000
/** How much the newest duration counts for the mean. */
const SMOOTHING = 0.2

interface Line { running: number, waiting: Array<() => void>, meanMs?: number }

export function createCapacity (clock: Clock): Capacity {
  const contracts = new Map<string, string>()
  const bids = new Map<string, { capability: string, requester: string, until: number }>()
  const lines = new Map<string, Line>()

  const lineOf = (capability: string): Line => {
    const line = lines.get(capability) ?? { running: 0, waiting: [] }
    lines.set(capability, line)
    return line
  }
  const contractsOf = (capability: string): string[] => [...contracts].flatMap(([taskId, other]) => other === capability ? [taskId] : [])
  const sum = (of: (line: Line) => number): number => [...lines.values()].reduce((all, line) => all + of(line), 0)

  function free ({ capability, maxConcurrent, queue = 0 }: Room): number {
    return maxConcurrent + queue - contractsOf(capability).length
  }

  return {
    contract: (taskId, capability) => {
      if (capability === undefined) contracts.delete(taskId)
      else contracts.set(taskId, capability)
    },
    holds: taskId => contracts.has(taskId),
    contractsOf,
    admits: (room, taskId) => contracts.has(taskId) || free(room) > 0,
    reserve: (room, { taskId, requester, forMs }) => {
      const { capability, maxConcurrent } = room
      const now = clock.now()
      for (const [other, { until }] of bids) if (until <= now || other === taskId) bids.delete(other)
      const outstanding = [...bids.values()].filter(bid => bid.capability === capability)
      const left = free(room)
      // One requester alone can take up no more than there is: who asks for much and awards nothing must not keep out others.
      if (outstanding.length >= left * OVERBOOKING || outstanding.filter(bid => bid.requester === requester).length >= left) return undefined
      bids.set(taskId, { capability, requester, until: now + forMs })
      const ahead = contractsOf(capability).length - maxConcurrent + 1
      return ahead <= 0 ? 0 : Math.round(ahead * (lineOf(capability).meanMs ?? 0) / maxConcurrent)
    },
    release: taskId => { bids.delete(taskId) },
    enter: async ({ capability, maxConcurrent }, signal, work) => {
      const line = lineOf(capability)
      signal.throwIfAborted()
      if (line.running < maxConcurrent) line.running++
      else await turn(line, signal)
      const begun = clock.now()
      let left = false
      const leave = (): void => {
        if (left) return
        left = true
        // Whoever is next takes the place as it is.
        const next = line.waiting.shift()
        if (next === undefined) line.running--
        else next()
      }
      let stop = (): void => {}
      const onAbort = (): void => { stop = clock.after(ABORTED_MS, leave) }
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await work()
      } finally {
        signal.removeEventListener('abort', onAbort)
        stop()
        const tookMs = clock.now() - begun
        line.meanMs = line.meanMs === undefined ? tookMs : line.meanMs + SMOOTHING * (tookMs - line.meanMs)
        leave()
      }
    },
    running: () => sum(({ running }) => running),
    queued: () => sum(({ waiting }) => waiting.length)
  }
}

/** Waits for a place in the line, which whoever leaves hands over. */
async function turn (line: Line, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const onAbort = (): void => {
    line.waiting = line.waiting.filter(other => other !== resolve)
    reject(signal.reason)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  line.waiting.push(resolve)
  await promise
  signal.removeEventListener('abort', onAbort)
}
