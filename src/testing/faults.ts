/**
 * What goes wrong in a run, as a list: drawn from the seed before it begins, written as JSON, and taken in again. A failing
 * run is shrunk by leaving out what is in this list.
 */
import type { Random } from './random.ts'

/** One thing that goes wrong. In ms: `at` since the start, and `forMs`, how long it lasts. */
export type Fault = { at: number } & (
  /** Each message is lost, or comes twice, with this chance. */
  | { kind: 'drop' | 'double', forMs: number, chance: number }
  /** Messages take up to so many ms. */
  | { kind: 'delay', forMs: number, ms: number }
  /** Some messages take up to so many ms, so that later ones overtake them. */
  | { kind: 'reorder', forMs: number, chance: number, ms: number }
  /** Nothing gets from any of these to any of those, nor back unless it is one-way. */
  | { kind: 'cut', forMs: number, from: string[], to: string[], oneWay?: true }
  /** The process dies: its memory is lost, its disk stays. `noticed`: who finds the connection refused, and tells its tasks. */
  | { kind: 'crash', forMs: number, host: string, noticed: string[] }
  /** It dies with its next commit, when that is not or is just on the disk. */
  | { kind: 'crash-at-commit', forMs: number, host: string, when: 'before' | 'after' }
  /** Nothing is processed, then everything late. */
  | { kind: 'freeze', forMs: number, host: string }
  /** Each commit is refused: LOG_WRITE_FAILED. */
  | { kind: 'disk-fails', forMs: number, host: string }
  /** A commit takes so many ms more. */
  | { kind: 'disk-slow', forMs: number, host: string, ms: number }
  /** Its wall clock is set forward by so many ms, or back. */
  | { kind: 'clock', host: string, ms: number }
  /** Handlers throw, hang or are slow, with this chance. */
  | { kind: 'handlers', forMs: number, chance: number }
  /** Somebody is there who lies, in these ways. */
  | { kind: 'liar', name: string, lies: Lie[] }
)

/** What a liar may do; see liar.ts. */
export const LIES = [
  'bids twice', 'bids for another round', 'repeats an old bid', 'bids below cost',
  'is silent', 'accepts and is silent', 'beats for ever', 'refuses', 'answers nonsense', 'signs another contract',
  'delivers wrong', 'delivers under another epoch', 'delivers late', 'delivers twice', 'delivers for others', 'forges receipts',
  'awards twice', 'awards an old epoch', 'repeats an award', 'awards the tasks of others', 'revokes the tasks of others', 'never countersigns'
] as const

export type Lie = typeof LIES[number]

/** How much of each there is in a run: 0 none, 1 as usual, 2 twice as much. */
export interface Intensities {
  drop: number
  double: number
  delay: number
  reorder: number
  /** The hosts fall into two halves, with or without one that hears both. */
  partitions: number
  /** One or some are not heard, and hear. */
  oneWay: number
  /** The link of two hosts stops and starts. */
  links: number
  crashes: number
  commitCrashes: number
  freezes: number
  diskFails: number
  diskSlow: number
  /** Clocks of hosts differ by up to a minute. */
  skew: number
  /** Clocks are set by up to an hour back or a day forward. */
  jumps: number
  handlers: number
  liars: number
}

export const ALL_FAULTS: Intensities = {
  drop: 1, double: 1, delay: 1, reorder: 1, partitions: 1, oneWay: 1, links: 1, crashes: 1, commitCrashes: 1, freezes: 1, diskFails: 1, diskSlow: 1, skew: 1, jumps: 1, handlers: 1, liars: 1
}

/** For runs with one kind of fault: `faults: { ...NO_FAULTS, crashes: 2 }`. */
export const NO_FAULTS = Object.fromEntries(Object.keys(ALL_FAULTS).map(name => [name, 0])) as unknown as Intensities

const HOUR_MS = 3_600_000

/**
 * Draws the faults of a run.
 * @param untilMs all is well again from then on: every fault has ended
 */
export function drawFaults (hosts: readonly string[], untilMs: number, much: Intensities, random: Random): Fault[] {
  const faults: Fault[] = []
  /** Some of one kind, at random times. */
  const some = (intensity: number, most: number, longestMs: number, make: (at: number, forMs: number) => Fault): void => {
    for (let n = random.between(0, Math.round(most * intensity)); n > 0; n--) {
      const at = random.between(0, Math.max(0, untilMs - 500))
      faults.push(make(at, Math.min(random.between(Math.min(20, longestMs), longestMs), untilMs - at)))
    }
  }
  /** For the whole time, by chance. */
  const weather = (intensity: number, make: (forMs: number) => Fault): void => {
    if (random.chance(0.6 * intensity)) faults.push({ ...make(untilMs), at: 0 })
  }
  const likely = (chance: number, intensity: number): number => Math.min(0.9, chance * intensity)

  weather(much.drop, forMs => ({ kind: 'drop', at: 0, forMs, chance: likely(random.pick([0.01, 0.05, 0.2]), much.drop) }))
  weather(much.double, forMs => ({ kind: 'double', at: 0, forMs, chance: likely(random.pick([0.05, 0.3]), much.double) }))
  weather(much.delay, forMs => ({ kind: 'delay', at: 0, forMs, ms: Math.round(random.pick([40, 200]) * much.delay) }))
  weather(much.reorder, forMs => ({ kind: 'reorder', at: 0, forMs, chance: likely(random.pick([0.05, 0.2]), much.reorder), ms: random.pick([500, 3_000]) }))
  weather(much.handlers, forMs => ({ kind: 'handlers', at: 0, forMs, chance: likely(0.3, much.handlers) }))

  if (hosts.length > 1) {
    const halves = (): [string[], string[]] => {
      const mixed = random.shuffle(hosts)
      const cut = random.between(1, mixed.length - 1)
      return [mixed.slice(0, cut), mixed.slice(cut)]
    }
    some(much.partitions, 2, 4_000, (at, forMs) => {
      const [from, to] = halves()
      // The bridge hears both halves.
      if (to.length > 1 && random.chance(0.4)) to.shift()
      return { kind: 'cut', at, forMs, from, to }
    })
    some(much.oneWay, 2, 4_000, (at, forMs) => {
      const [from, to] = halves()
      return { kind: 'cut', at, forMs, from, to, oneWay: true }
    })
    some(much.links, 5, 800, (at, forMs) => {
      const [a, b] = random.shuffle(hosts) as [string, string]
      return { kind: 'cut', at, forMs, from: [a], to: [b] }
    })
  }
  some(much.crashes, 3, 3_000, (at, forMs) => {
    const host = random.pick(hosts)
    return { kind: 'crash', at, forMs, host, noticed: hosts.filter(other => other !== host && random.chance(0.6)) }
  })
  some(much.commitCrashes, 4, 1_500, (at, forMs) => ({ kind: 'crash-at-commit', at, forMs, host: random.pick(hosts), when: random.pick(['before', 'after']) }))
  some(much.freezes, 3, 5_000, (at, forMs) => ({ kind: 'freeze', at, forMs, host: random.pick(hosts) }))
  some(much.diskFails, 3, 1_500, (at, forMs) => ({ kind: 'disk-fails', at, forMs, host: random.pick(hosts) }))
  some(much.diskSlow, 2, 3_000, (at, forMs) => ({ kind: 'disk-slow', at, forMs, host: random.pick(hosts), ms: random.pick([20, 100, 400]) }))
  if (random.chance(0.7 * much.skew)) for (const host of hosts) faults.push({ kind: 'clock', at: 0, host, ms: random.between(-60_000, 60_000) })
  some(much.jumps, 2, 0, at => ({ kind: 'clock', at, host: random.pick(hosts), ms: random.pick([-HOUR_MS, -5_000, 5_000, 24 * HOUR_MS]) }))
  for (const name of ['mal', 'moll'].slice(0, Math.round(random.pick([0, 1, 1, 2]) * Math.min(1, much.liars)))) {
    faults.push({ kind: 'liar', at: 0, name, lies: LIES.filter(() => random.chance(likely(0.4, much.liars))) })
  }
  return faults.sort((a, b) => a.at - b.at)
}

/** Whom a fault is about, by name. A cut that has nobody left on one side is none. */
export function hostsOf (fault: Fault): string[] {
  switch (fault.kind) {
    case 'cut': return [...fault.from, ...fault.to]
    case 'drop':
    case 'double':
    case 'delay':
    case 'reorder':
    case 'handlers': return []
    case 'liar': return [fault.name]
    default: return [fault.host]
  }
}
