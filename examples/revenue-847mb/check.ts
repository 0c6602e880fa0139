/** Compares sums with those that the generator counted while it drew the rows. */
import type { Revenue } from './revenue.ts'
import type { Totals } from './schema.ts'

/** Cents by the names of one side of the cube: months, categories or regions. */
export function sumsBy ({ months, categories, regions, cents }: Revenue, side: keyof Totals): Record<string, number> {
  const names = { month: months, category: categories, region: regions }[side]
  const sums = new Float64Array(names.length)
  cents.forEach((sum, cell) => {
    const inMonth = Math.floor(cell / regions.length)
    const index = { month: Math.floor(inMonth / categories.length), category: inMonth % categories.length, region: cell % regions.length }[side]
    sums[index]! += sum
  })
  return Object.fromEntries(names.map((name, i) => [name, sums[i] ?? 0]))
}

/** @throws Error with the first figure that is wrong */
export function check (revenue: Revenue, expected: { rows: number, totals: Totals }): void {
  if (revenue.rows !== expected.rows) throw new Error(`${revenue.rows} sales were counted, but there are ${expected.rows}`)
  for (const side of ['month', 'category', 'region'] as const) {
    const sums = sumsBy(revenue, side)
    for (const name of new Set([...Object.keys(sums), ...Object.keys(expected.totals[side])])) {
      if ((sums[name] ?? 0) !== (expected.totals[side][name] ?? 0)) throw new Error(`revenue of ${name} is ${sums[name]} cents, but should be ${expected.totals[side][name]}`)
    }
  }
}
