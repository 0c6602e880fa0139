/** What discovery measures of itself: how much of what others know is known here, how old it is, and how long a search takes. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Index } from './agent-index.ts'
import type { Compared } from './reconcile.ts'
import type { DiscoveryStatus, Times } from '../core/found.ts'
import type { Clock } from '../core/ports.ts'

export interface Measure {
  /** After a comparison with a peer that was not the first. */
  compared: (compared: Compared) => void
  /** Nodes that the DHT named for something: `named` of those known here, `known` of them all; `missed` were not known. */
  looked: (dht: { known: number, named: number, missed: number }) => void
  /** A search took so long; cold: somebody had to be asked. */
  found: (ms: number, cold: boolean) => void
  /** An agent that was known did not answer. */
  dead: () => void
  restored: (agents: number) => void
  status: () => DiscoveryStatus
}

/** The last so many comparisons count. */
const WINDOW = 32

export function createMeasure ({ index, clock }: { index: Index, clock: Clock }): Measure {
  const comparisons: Compared[] = []
  const lookups: Array<{ known: number, named: number, missed: number }> = []
  const times = { warm: createHistogram(), cold: createHistogram() }
  const counts = { dead: 0, restored: 0 }

  return {
    compared: compared => { keep(comparisons, compared) },
    looked: lookup => { keep(lookups, lookup) },
    found: (ms, cold) => { times[cold ? 'cold' : 'warm'].record(Math.max(1, Math.round(ms * 1_000))) },
    dead: () => { counts.dead++ },
    restored: agents => { counts.restored = agents },
    status: () => {
      const theirs = sum(comparisons, ({ theirs }) => theirs)
      const looked = sum(lookups, ({ named, missed }) => named + missed)
      const known = sum(lookups, ({ known }) => known)
      const now = clock.now()
      const ages = index.all().filter(({ source }) => source !== 'local').map(({ heardAt }) => now - heardAt).sort((a, b) => a - b)
      return {
        recall: theirs === 0 ? undefined : 1 - sum(comparisons, ({ missed }) => missed) / theirs,
        compared: comparisons.length,
        recallOfDht: looked === 0 ? undefined : sum(lookups, ({ named }) => named) / looked,
        dhtRecall: known === 0 ? undefined : sum(lookups, ({ named }) => named) / known,
        stalenessMs: ages.length === 0 ? undefined : { p50: at(ages, 0.5), p99: at(ages, 0.99) },
        dead: counts.dead,
        restored: counts.restored,
        warm: timesOf(times.warm),
        cold: timesOf(times.cold)
      }
    }
  }
}

function keep<T> (list: T[], one: T): void {
  list.push(one)
  if (list.length > WINDOW) list.shift()
}

const sum = <T>(list: T[], of: (one: T) => number): number => list.reduce((total, one) => total + of(one), 0)
const at = (sorted: number[], share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
const timesOf = (histogram: RecordableHistogram): Times =>
  histogram.count === 0 ? { count: 0 } : { count: histogram.count, p50Ms: histogram.percentile(50) / 1_000, p99Ms: histogram.percentile(99) / 1_000 }
