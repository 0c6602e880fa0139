/**
 * How a provider has done for one requester. Nobody's word is taken for it: what counts in its favour are results whose
 * receipt both sides signed; what counts against it are such receipts of failures, and contracts of which there is none,
 * because it fell silent, broke its promise or was gone, as the requester's own log has it. So nobody can be slandered, and
 * nobody can be praised by friends.
 *
 * The measure is the Beta reputation system (A. Jøsang and R. Ismail, 2002): the mean of a Beta distribution over what was
 * seen, which is forgotten with time, and a prior that is cautious.
 */
import type { TaskEvent } from './task.ts'

/** Contracts that were kept and broken, as they weighed at a time. */
export interface Experience {
  kept: number
  broken: number
  /** Milliseconds since the epoch. */
  at: number
}

/** How a provider stands with a requester now. */
export interface Standing {
  /** Contracts that it kept and broke, each as much as it still weighs. */
  kept: number
  broken: number
  /** Contracts that it has not ended yet. */
  open: number
  /** How those did who were new, from 0 to 1: what somebody new may expect to be taken for. */
  newcomers: number
}

/** `proven`: it keeps more contracts than it breaks. `new`: nothing much is known. `doubtful`: it breaks them. */
export type Level = 'proven' | 'new' | 'doubtful'

/** What was seen weighs half as much after this, in ms: a day. */
export const HALF_LIFE_MS = 24 * 60 * 60_000
/** The prior: as if so much had been seen, of which this share was kept. Of newcomers as such one may hope for more. */
const PRIOR = { weight: 2, share: 0.25, ofNewcomers: 0.75 }
/** One contract kept, and none broken, proves a provider for a half-life; one broken, and none kept, makes it doubtful for as long. */
const PROVEN = 0.4
const DOUBTFUL = 0.2
/** How much counts what may not be the provider's fault: it did not want the work it had bid for, or the input. */
const SLIGHT = 0.25

const NOTHING: Experience = { kept: 0, broken: 0, at: 0 }
/** Who bids where nothing was seen of anybody. */
export const UNKNOWN: Standing = { kept: 0, broken: 0, open: 0, newcomers: PRIOR.ofNewcomers }

/**
 * What an event of a task says about who held its contract: above 0 in its favour, below against it, 0 nothing.
 * A failure that its owner is told as the end of a task was the holder's, too, when one held it.
 */
export function weightOf (event: TaskEvent): number {
  switch (event.event) {
    case 'result': return event.receipt.verified ? 1 : 0
    case 'moved': return event.failure.code === 'REFUSED' ? -SLIGHT : -1
    case 'failed':
      switch (event.failure.code) {
        case 'INPUT_INVALID': return -SLIGHT
        case 'HANDLER_FAILED':
        case 'DEADLINE_EXCEEDED': return -1
        default: return 0
      }
    default: return 0
  }
}

/** With one more thing seen, in whatever order they come. */
export function learn (before: Experience = NOTHING, weight: number, at: number): Experience {
  const newest = Math.max(at, before.at)
  const { kept, broken } = fadedAt(before, newest)
  const added = Math.abs(weight) * fading(newest - at)
  return { kept: kept + (weight > 0 ? added : 0), broken: broken + (weight < 0 ? added : 0), at: newest }
}

/** What is left of an experience. A clock that was set back makes nothing weigh more. */
export function fadedAt ({ kept, broken, at }: Experience = NOTHING, now: number): { kept: number, broken: number } {
  return { kept: kept * fading(now - at), broken: broken * fading(now - at) }
}

/** How likely it keeps a contract, from 0 to 1: the mean of the Beta distribution. A quarter for who is not known. */
export const reputationOf = ({ kept, broken }: Pick<Standing, 'kept' | 'broken'>): number => mean(kept, broken, PRIOR.share)

/** How likely somebody new does, by those who were: {@link Standing.newcomers}. */
export const newcomersOf = ({ kept, broken }: Pick<Standing, 'kept' | 'broken'>): number => mean(kept, broken, PRIOR.ofNewcomers)

export function levelOf (standing: Pick<Standing, 'kept' | 'broken'>): Level {
  const reputation = reputationOf(standing)
  return reputation >= PROVEN ? 'proven' : reputation < DOUBTFUL ? 'doubtful' : 'new'
}

const mean = (kept: number, broken: number, share: number): number => (kept + share * PRIOR.weight) / (kept + broken + PRIOR.weight)
const fading = (ms: number): number => 2 ** (-Math.max(0, ms) / HALF_LIFE_MS)
