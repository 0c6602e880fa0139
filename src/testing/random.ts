/** Random numbers from a seed: the same seed gives the same numbers, on every machine. */

export interface Random {
  /** From 0 up to, and without, 1. */
  next: () => number
  /** A whole number from `low` to `high`, both included. */
  between: (low: number, high: number) => number
  chance: (probability: number) => boolean
  /** One of a list that is not empty. */
  pick: <T>(list: readonly T[]) => T
  /** The same list in another order. */
  shuffle: <T>(list: readonly T[]) => T[]
}

/** mulberry32, by Tommy Ettinger: 32 bits of state, good enough to choose faults, not to make keys. */
export function createRandom (seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return {
    next,
    between,
    chance: probability => next() < probability,
    pick: list => {
      if (list.length === 0) throw new RangeError('there is nothing to pick from')
      return list[between(0, list.length - 1)] as (typeof list)[number]
    },
    shuffle: list => {
      const rest = [...list]
      return list.map(() => rest.splice(between(0, rest.length - 1), 1)[0] as (typeof list)[number])
    }
  }
}

/**
 * Numbers of its own for each name: what one link or host draws does not depend on how much the others drew, so that a run
 * with one fault less stays like the run it was made from.
 */
export function streamOf (seed: number, name: string): Random {
  // FNV-1a, 32 bits.
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return createRandom(hash)
}
