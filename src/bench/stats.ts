/** Figures of several rounds become one. */

/** The middle of them; between the two middle ones when their number is even. NaN when there is none. */
export function median (figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] as number : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

/** The value below which `share` of all lie (nearest rank). NaN when there is none. */
export function percentile (figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? NaN
}

/** Column by column, the medians of rows of figures. A figure that a row does not have is left out. */
export function medians (rows: ReadonlyArray<Record<string, number | undefined>>): Record<string, number> {
  const names = [...new Set(rows.flatMap(Object.keys))]
  return Object.fromEntries(names
    .map((name): [string, number[]] => [name, rows.map(row => row[name]).filter(figure => figure !== undefined)])
    .filter(([, figures]) => figures.length > 0)
    .map(([name, figures]) => [name, median(figures)]))
}
