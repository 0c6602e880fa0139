/** How bids are compared: a pure function that gives each bid a score and the reason, so that a lost bid can be explained. */
import type { Bid, RankedBid, TaskSpec } from './task.ts'

/** Best first. Must not leave any bid out. */
export type RankingPolicy = (bids: readonly Bid[], spec: TaskSpec) => RankedBid[]

export interface Weights {
  cost: number
  time: number
  confidence: number
  load: number
  rtt: number
}

const DEFAULT_WEIGHTS: Weights = { cost: 0.35, time: 0.25, confidence: 0.2, load: 0.15, rtt: 0.05 }

/**
 * Weighted sum of shares from 0 to 1: cost and time against the best bid on the table, confidence and free capacity as
 * they are, round trip against 100 ms. A bidder that promises no time gets half the share for time. Equal scores are
 * ordered by a hash of task and provider, so that equals share the work and every replay decides alike.
 */
export function rankByValue (bids: readonly Bid[], spec: TaskSpec, weights: Weights = DEFAULT_WEIGHTS): RankedBid[] {
  const cheapest = Math.min(...bids.map(bid => bid.cost))
  const fastest = Math.min(...bids.map(bid => bid.durationMs ?? Infinity))
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  const ranked = bids.map(bid => {
    const shares: Weights = {
      cost: against(cheapest, bid.cost),
      time: bid.durationMs === undefined ? 0.5 : against(fastest, bid.durationMs),
      confidence: bid.confidence,
      load: 1 - bid.load,
      rtt: bid.rttMs === undefined ? 0.5 : 100 / (100 + bid.rttMs)
    }
    const score = Object.entries(shares).reduce((sum, [name, share]) => sum + share * weights[name as keyof Weights], 0) / total
    return { bid, score: Math.round(score * 1_000) / 1_000 }
  })
  ranked.sort((a, b) => b.score - a.score || lot(spec.taskId, a.bid.provider) - lot(spec.taskId, b.bid.provider) || (a.bid.provider < b.bid.provider ? -1 : 1))
  return ranked.map((entry, place) => ({ ...entry, reason: reasonOf(entry.bid, entry.score, place, ranked.length, ranked[place === 0 ? 1 : 0]?.score) }))
}

/** The cheapest; among equals the better value. */
export const rankByCost: RankingPolicy = (bids, spec) =>
  rankByValue(bids, spec).sort((a, b) => a.bid.cost - b.bid.cost)

/** The soonest; those that promise no time come last. */
export const rankByTime: RankingPolicy = (bids, spec) =>
  rankByValue(bids, spec).sort((a, b) => (a.bid.durationMs ?? Number.MAX_VALUE) - (b.bid.durationMs ?? Number.MAX_VALUE))

/**
 * The least loaded of them. Where more are equally loaded than are wanted, `spread` draws lots, so that over many draws each of
 * them has its turn (rendezvous hashing: Thaler and Ravishankar, 1998).
 */
export function leastLoaded<T extends { agentId: string, load: number }> (entries: T[], limit: number, spread?: string): T[] {
  if (spread === undefined || entries.length <= limit) return entries.sort((a, b) => a.load - b.load).slice(0, limit)
  return entries.map(entry => ({ entry, lot: lot(spread, entry.agentId) }))
    .sort((a, b) => a.entry.load - b.entry.load || a.lot - b.lot)
    .slice(0, limit)
    .map(({ entry }) => entry)
}

/** 1 for the best value there is, falling as it gets worse; 1 when all cost nothing. */
const against = (best: number, value: number): number => value <= best ? 1 : (best + 1) / (value + 1)

/** FNV-1a, mixed as MurmurHash3 ends: a draw that nobody can bias by arriving first, and fair to names that are alike. */
function lot (taskId: string, provider: string): number {
  let hash = 0x811c9dc5
  for (const char of taskId + provider) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function reasonOf (bid: Bid, score: number, place: number, of: number, other: number | undefined): string {
  const terms = [
    `cost ${bid.cost}`,
    bid.durationMs === undefined ? 'no promised time' : `${bid.durationMs} ms`,
    `confidence ${bid.confidence}`,
    `load ${bid.load}`,
    ...(bid.rttMs === undefined ? [] : [`round trip ${Math.round(bid.rttMs * 10) / 10} ms`])
  ].join(', ')
  if (of === 1) return `the only bid: ${terms}`
  const than = place === 0 ? `next best ${other}` : `best ${other}`
  return `score ${score} (${than}), place ${place + 1} of ${of}: ${terms}`
}
