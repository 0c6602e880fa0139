/** A fair sample of a long stream of numbers (reservoir sampling, Vitter's algorithm R). */
export interface Sample {
  add: (value: number) => void
  values: () => number[]
}

/** Keeps `size` of all values added, each with the same chance. */
export function sample (size: number = 10_000): Sample {
  const kept: number[] = []
  let seen = 0
  return {
    add: value => {
      seen++
      const place = seen <= size ? seen - 1 : Math.floor(Math.random() * seen)
      if (place < size) kept[place] = value
    },
    values: () => kept
  }
}

/** The value below which `share` of all values lie (nearest rank). 0 when there is none. */
export function percentile (values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0
}
