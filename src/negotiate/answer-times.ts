/**
 * How long agents take to answer a call for proposals, by the estimator of TCP's retransmission timer (RFC 6298): a smoothed mean, and four
 * times the smoothed deviation from it. Who answers after its call was closed counts too, or nobody could become slower.
 */
import { LRUCache } from 'lru-cache'

export interface AnswerTimes {
  /** A call is out. */
  called: (callId: string, at: number) => void
  /** An agent has answered a call, in time or not. */
  answered: (callId: string | undefined, agentId: string, at: number) => void
  /** Ms within which all of them are likely to answer, LEAST_MS at least. `undefined`: one of them never has, or there are none. */
  within: (agentIds: string[]) => number | undefined
}

interface Estimate { mean: number, deviation: number }

const LEAST_MS = 50
/** Newer calls and agents push out older ones. */
const MOST_CALLS = 4_096
const MOST_AGENTS = 4_096
/** One that was stopped answers everything when it wakes up: what it slept says nothing of how it answers. */
const MOST_MS = 1_000
const OF_MEAN = 1 / 8
const OF_DEVIATION = 1 / 4

export function createAnswerTimes (): AnswerTimes {
  const calls = new LRUCache<string, number>({ maxSize: MOST_CALLS, sizeCalculation: () => 1 })
  const estimates = new LRUCache<string, Estimate>({ maxSize: MOST_AGENTS, sizeCalculation: () => 1 })
  return {
    called: (callId, at) => { calls.set(callId, at) },
    answered: (callId, agentId, at) => {
      const calledAt = callId === undefined ? undefined : calls.get(callId)
      const tookMs = calledAt === undefined ? Infinity : Math.max(0, at - calledAt)
      if (tookMs > MOST_MS) return
      const known = estimates.get(agentId)
      estimates.set(agentId, known === undefined ? { mean: tookMs, deviation: tookMs / 2 } : {
        mean: known.mean + OF_MEAN * (tookMs - known.mean),
        deviation: known.deviation + OF_DEVIATION * (Math.abs(tookMs - known.mean) - known.deviation)
      })
    },
    within: agentIds => {
      const all = agentIds.map(agentId => estimates.get(agentId))
      if (all.length === 0 || !all.every(estimate => estimate !== undefined)) return undefined
      return Math.ceil(Math.max(LEAST_MS, ...all.map(({ mean, deviation }) => mean + 4 * deviation)))
    }
  }
}
