/** Revenue by month, category and region, summed while the dataset arrives: of all its batches, only one is held at a time. */
import { readColumns, type Batch } from './columns.ts'

/** A cube of sums. */
export interface Revenue {
  /** `2023-01`, … */
  months: string[]
  categories: string[]
  regions: string[]
  /** One cell after the other: for each month, in it each category, in it each region. */
  cents: number[]
  rows: number
}

const COLUMNS = ['sold_on', 'category', 'region', 'units', 'price_cents', 'discount_cents'] as const
type Sales = Batch<typeof COLUMNS[number]>
interface Cube { categories: string[], regions: string[], cents: Float64Array }

/** Months since 1970 that fit, and the month of each of their days. */
const MONTHS = 12 * 68
const DAY_MS = 86_400_000
const monthOfDay = new Int16Array(Date.UTC(1970, MONTHS) / DAY_MS)
for (let month = 0; month < MONTHS; month++) monthOfDay.fill(month, Date.UTC(1970, month) / DAY_MS)

/**
 * Sums the sales in a stream of Arrow's IPC format, which may come in pieces of any size.
 * @throws Error when it is none, or does not hold such sales
 */
export async function sumRevenue (bytes: AsyncIterable<Uint8Array>): Promise<Revenue> {
  let cube: Cube | undefined
  let rows = 0
  for await (const sales of readColumns(bytes, COLUMNS)) {
    cube ??= cubeOf(sales.words('category'), sales.words('region'))
    addSales(sales, cube)
    rows += sales.rows
  }
  if (cube === undefined) throw new Error('the dataset is empty')
  const { categories, regions, cents } = cube
  const perMonth = categories.length * regions.length
  const first = Math.floor(cents.findIndex(sum => sum !== 0) / perMonth)
  const last = Math.floor(cents.findLastIndex(sum => sum !== 0) / perMonth)
  return {
    months: Array.from({ length: last - first + 1 }, (_, i) => new Date(Date.UTC(1970, first + i)).toISOString().slice(0, 7)),
    categories,
    regions,
    cents: [...cents.subarray(first * perMonth, (last + 1) * perMonth)],
    rows
  }
}

const cubeOf = (categories: string[], regions: string[]): Cube =>
  ({ categories, regions, cents: new Float64Array(MONTHS * categories.length * regions.length) })

/** Sums are whole cents below 2⁵³, so none is rounded. */
function addSales ({ rows, values }: Sales, { categories: { length: categories }, regions: { length: regions }, cents }: Cube): void {
  const { sold_on: days, category, region, units, price_cents: prices, discount_cents: discounts } = values
  const perMonth = categories * regions
  // Sales come day by day, so the month is looked up once a day.
  for (let row = 0; row < rows;) {
    const day = days[row]!
    const month = monthOfDay[day]
    if (month === undefined) throw new Error(`the dataset has a sale on a day that is none: ${day}`)
    for (; row < rows && days[row] === day; row++) {
      const cell = category[row]! * regions + region[row]!
      if (!(cell < perMonth)) throw new Error('the dataset has a sale of a category or in a region that is none')
      cents[month * perMonth + cell]! += units[row]! * prices[row]! - discounts[row]!
    }
  }
}
