/** How bids are compared: pure functions that give each bid a place and the reason, so that a lost bid can be explained. */
import { lot } from './lot.ts'
import { levelOf, reputationOf, UNKNOWN, type Standing } from './reputation.ts'
import type { Bid, RankedBid, TaskSpec } from './task.ts'

/** Best first. Must not leave any bid out. */
export type RankingPolicy = (bids: readonly Bid[], spec: TaskSpec) => RankedBid[]

export interface Weights {
  cost: number
  time: number
  confidence: number
  load: number
  rtt: number
  reputation: number
  region: number
}

const DEFAULT_WEIGHTS: Weights = { cost: 0.3, time: 0.2, confidence: 0.1, load: 0.1, rtt: 0.05, reputation: 0.2, region: 0.05 }
/** Of so many tasks, one goes to somebody new though there is somebody proven. */
const TRIAL_ONE_IN = 32

/**
 * By a weighted sum of shares from 0 to 1: cost and time against the best bid on the table, confidence and free capacity as
 * they are, the share of contracts kept, by quarters, round trip against 100 ms, and whether it is the requester's region.
 * What is not known gets half a share. Equal scores are ordered by a hash of task and provider, so that equals share the work
 * and every replay decides alike.
 *
 * Whatever they bid, the doubtful come last, and who is new holds one contract at a time until it has kept one, while there
 * are others. Where those who were new broke more contracts than they kept, the proven come first, and one task of 32, drawn by
 * its id, goes to somebody new, drawn by its node: so newcomers can earn a reputation, and no number of them, nor anything that
 * they bid, gets them more.
 */
export function rankByValue (bids: readonly Bid[], spec: TaskSpec, weights: Weights = DEFAULT_WEIGHTS): RankedBid[] {
  const tried = trialOf(bids, spec)
  const ranked = scored(bids, spec, weights).map(entry => ({ ...entry, tier: entry.bid === tried ? 0 : tierOf(standingOf(entry.bid)), draw: lot(spec.taskId, entry.bid.provider) }))
  ranked.sort((a, b) => a.tier - b.tier || b.score - a.score || a.draw - b.draw || (a.bid.provider < b.bid.provider ? -1 : 1))
  return ranked.map(({ bid, score }, place) => {
    const than = place === 0 ? `next best ${ranked[1]?.score}` : `best ${ranked[0]?.score}`
    const head = ranked.length === 1 ? 'the only bid' : `${bid === tried ? 'a trial for somebody new, ' : ''}score ${score} (${than}), place ${place + 1} of ${ranked.length}`
    return { bid, score, reason: `${head}: ${termsOf(bid, spec)}` }
  })
}

/** The one newcomer that a task is a trial for: when it fails, the proven come next. */
function trialOf (bids: readonly Bid[], spec: TaskSpec): Bid | undefined {
  if (lot(spec.taskId, 'trial') % TRIAL_ONE_IN !== 0 || !bids.some(bid => levelOf(standingOf(bid)) === 'proven')) return undefined
  const suspects = bids.filter(bid => tierOf(standingOf(bid)) === SUSPECT).map(bid => ({ bid, node: lot(spec.taskId, bid.peer) }))
  return suspects.sort((a, b) => a.node - b.node || byLot(spec.taskId, a.bid, b.bid))[0]?.bid
}

/** The tier of who is new where newcomers broke their contracts. */
const SUSPECT = 2

/** Lower comes first. */
function tierOf (standing: Standing): number {
  const level = levelOf(standing)
  if (level === 'proven') return 1
  if (level === 'doubtful') return 4
  if (standing.open > 0) return 3
  return standing.newcomers >= 0.5 ? 1 : SUSPECT
}

/** The cheapest of those who are not doubtful; among equals the better value. */
export const rankByCost: RankingPolicy = (bids, spec) =>
  rankBy('cheapest', bids, spec, (a, b) => a.cost - b.cost)

/** The soonest of those who are not doubtful; those that promise no time come last. */
export const rankByTime: RankingPolicy = (bids, spec) =>
  rankBy('fastest', bids, spec, (a, b) => (a.durationMs ?? Number.MAX_VALUE) - (b.durationMs ?? Number.MAX_VALUE))

/**
 * The same provider for the same key, as long as it bids and is not doubtful; and when it goes, only its keys move
 * (rendezvous hashing: Thaler and Ravishankar, 1998).
 */
export const rankByKey = (key: string): RankingPolicy => (bids, spec) =>
  rankBy(`the place of "${key}"`, bids, spec, (a, b) => byLot(key, a, b))

/** The doubtful last; the others in the order of `compare`, and by value where it sees no difference. */
function rankBy (what: string, bids: readonly Bid[], spec: TaskSpec, compare: (a: Bid, b: Bid) => number): RankedBid[] {
  const doubt = (bid: Bid): number => levelOf(standingOf(bid)) === 'doubtful' ? 1 : 0
  return rankByValue(bids, spec)
    .sort((a, b) => doubt(a.bid) - doubt(b.bid) || compare(a.bid, b.bid))
    .map(({ bid, score }, place) => ({ bid, score, reason: `${what}, ${bids.length === 1 ? 'the only bid' : `place ${place + 1} of ${bids.length}`}: ${termsOf(bid, spec)}` }))
}

/** Somebody who might be called for a task. */
export interface Callee {
  agentId: string
  /** 0 to 1; 0 when it is not known. */
  load?: number
}

/** Whom to call when more are known than are called. */
export interface Calling {
  limit: number
  /** Draws lots among equals: another one for each task, so that over many each has its turn. */
  spread: string
  /** Who should be called first, whatever its load: by its key. */
  key?: string
  /** The doubtful too, though there are others. */
  all: boolean
  standingOf: (agentId: string) => Standing
}

/**
 * The least loaded of those who are proven, and in a quarter of the places at least those who are new: many new ones that say
 * that they are free must not keep the others from being asked.
 */
export function callees<T extends Callee> (known: readonly T[], { limit, spread, key, all, standingOf }: Calling): T[] {
  const byLevel = Map.groupBy(known, ({ agentId }) => levelOf(standingOf(agentId)))
  const inOrder = (entries: T[] = []): T[] =>
    entries.toSorted((a, b) => (key === undefined ? (a.load ?? 0) - (b.load ?? 0) : 0) || lot(key ?? spread, a.agentId) - lot(key ?? spread, b.agentId))
  const [proven, fresh, doubtful] = [inOrder(byLevel.get('proven')), inOrder(byLevel.get('new')), inOrder(byLevel.get('doubtful'))]
  const forNew = Math.min(fresh.length, Math.max(limit - proven.length, Math.floor(limit / 4)))
  const chosen = [...proven.slice(0, limit - forNew), ...fresh.slice(0, forNew)]
  return all || chosen.length === 0 ? [...chosen, ...doubtful].slice(0, limit) : chosen
}

/**
 * The least loaded of them. Where more are equally loaded than are wanted, `spread` draws lots, so that over many draws each of
 * them has its turn (rendezvous hashing: Thaler and Ravishankar, 1998). Half of the places are drawn without a look at the load,
 * which is each one's own word: many who say that they are free must not keep all the others out.
 */
export function leastLoaded<T extends { agentId: string, load: number }> (entries: T[], limit: number, spread?: string): T[] {
  if (spread === undefined || entries.length <= limit) return entries.sort((a, b) => a.load - b.load).slice(0, limit)
  const drawn = entries.map(entry => ({ entry, lot: lot(spread, entry.agentId) })).sort((a, b) => a.entry.load - b.entry.load || a.lot - b.lot)
  const byLoad = Math.ceil(limit / 2)
  return [...drawn.slice(0, byLoad), ...drawn.slice(byLoad).sort((a, b) => a.lot - b.lot).slice(0, limit - byLoad)].map(({ entry }) => entry)
}

/** Each bid with its score, from 0 to 1. */
function scored (bids: readonly Bid[], spec: TaskSpec, weights: Weights): Array<{ bid: Bid, score: number }> {
  const cheapest = Math.min(...bids.map(bid => bid.cost))
  const fastest = Math.min(...bids.map(bid => bid.durationMs ?? Infinity))
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  return bids.map(bid => {
    const shares: Weights = {
      cost: against(cheapest, bid.cost),
      time: bid.durationMs === undefined ? 0.5 : against(fastest, bid.durationMs),
      confidence: bid.confidence,
      load: 1 - bid.load,
      rtt: bid.rttMs === undefined ? 0.5 : 100 / (100 + bid.rttMs),
      reputation: keptShare(standingOf(bid)),
      region: bid.region === undefined || spec.region === undefined ? 0.5 : bid.region === spec.region ? 1 : 0
    }
    const score = Object.entries(shares).reduce((sum, [name, share]) => sum + share * weights[name as keyof Weights], 0) / total
    return { bid, score: Math.round(score * 1_000) / 1_000 }
  })
}

/** By quarters, so that who had one contract more than its equals does not get all the others too. */
function keptShare (standing: Standing): number {
  const { kept, broken, newcomers } = standing
  return Math.round(4 * (levelOf(standing) === 'new' ? newcomers : kept / (kept + broken))) / 4
}

const standingOf = ({ standing = UNKNOWN }: Bid): Standing => standing

/** 1 for the best value there is, falling as it gets worse; 1 when all cost nothing. */
const against = (best: number, value: number): number => value <= best ? 1 : (best + 1) / (value + 1)

const byLot = (key: string, a: Bid, b: Bid): number => lot(key, a.provider) - lot(key, b.provider) || (a.provider < b.provider ? -1 : 1)

function termsOf (bid: Bid, spec: TaskSpec): string {
  const { standing, region, rttMs } = bid
  return [
    `cost ${bid.cost}`,
    bid.durationMs === undefined ? 'no promised time' : `${bid.durationMs} ms`,
    `confidence ${bid.confidence}`,
    `load ${bid.load}`,
    ...(rttMs === undefined ? [] : [`round trip ${Math.round(rttMs * 10) / 10} ms`]),
    ...(region === undefined || spec.region === undefined ? [] : [region === spec.region ? 'same region' : `region ${region}`]),
    ...(standing === undefined ? [] : [`reputation ${Math.round(reputationOf(standing) * 100) / 100}, ${levelOf(standing)}`])
  ].join(', ')
}
