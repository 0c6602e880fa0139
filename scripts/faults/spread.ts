export interface Spread { count: number, p50: number, p99: number, most: number }

/** Of milliseconds. */
export function spreadOf (values: number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => Math.round(sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0)
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), most: at(1) }
}
