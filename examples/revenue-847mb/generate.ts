/** Sales, line by line and day by day. The same seed gives the same bytes on every machine: there are only whole numbers in it. */
import { makeData, RecordBatch, Struct, Utf8, vectorFromArray, type DataType } from 'apache-arrow'
import { BATCH_ROWS, CATEGORIES, CHANNELS, DAYS, FIRST_DAY, monthOf, PAYMENTS, REGIONS, schema, type Column, type Totals } from './schema.ts'

/** Lowest price of a category's products in cents, in the order of CATEGORIES; the highest is eight times as much. */
const PRICES = [690, 1_490, 8_900, 1_190, 190, 790, 2_490, 990]
/** How much is sold in each month of a year, January first. */
const SEASON = [8, 7, 8, 9, 10, 10, 9, 8, 10, 11, 15, 19]
const words = { category: CATEGORIES, region: REGIONS, channel: CHANNELS, payment: PAYMENTS }
const dictionaries = new Map(Object.entries(words).map(([column, values]) => [column, vectorFromArray(values, new Utf8())]))

/** The rows in record batches. When all are taken, it returns the totals. */
export function * generate (rows: number, seed: number): Generator<RecordBatch, Totals> {
  const random = xorshift(seed)
  const ends = endsOfDays(rows)
  const byCategory = new Float64Array(CATEGORIES.length)
  const byRegion = new Float64Array(REGIONS.length)
  const byDay = new Float64Array(DAYS)
  let day = 0
  let order = 1_000_000

  for (let from = 0; from < rows; from += BATCH_ROWS) {
    const length = Math.min(BATCH_ROWS, rows - from)
    const batch = allocate(length)
    // Ids are 64 bits wide and small: their lower halves are enough, and need no BigInt for each row.
    const orders = new Uint32Array(batch.order_id.buffer)
    const customers = new Uint32Array(batch.customer_id.buffer)
    for (let row = 0; row < length; row++) {
      while (from + row >= (ends[day] ?? Infinity)) day++
      const [a, b, c] = [random(), random(), random()]
      const product = (a & 0xffff) % 40_000
      const shop = (b >>> 20) % 1_200
      const category = product % CATEGORIES.length
      const region = shop % 17 % REGIONS.length
      const list = ((PRICES[category] ?? 0) * (16 + product % 113)) >>> 4
      const price = b % 5 === 0 ? list - (list >>> 2) : list
      const units = 1 + (c & 3) * ((c >>> 2) & 1)
      const discount = c % 7 === 0 ? price >>> 3 : 0
      const paid = units * price - discount
      if (b % 3 === 0) order++
      orders[2 * row] = order
      customers[2 * row] = (a >>> 8) % 2_000_000
      batch.product_id[row] = product
      batch.shop_id[row] = shop
      batch.promotion_id[row] = b % 5 === 0 ? 1 + b % 60 : 0
      batch.sold_on[row] = FIRST_DAY + day
      batch.sold_at[row] = (c >>> 3) % 86_400
      batch.category[row] = category
      batch.region[row] = region
      batch.channel[row] = (c >>> 5) % CHANNELS.length
      batch.payment[row] = (c >>> 9) % PAYMENTS.length
      batch.units[row] = units
      batch.list_price_cents[row] = list
      batch.price_cents[row] = price
      batch.discount_cents[row] = discount
      batch.tax_cents[row] = paid / 5
      batch.cost_cents[row] = units * (list >>> 1)
      byCategory[category]! += paid
      byRegion[region]! += paid
      byDay[day]! += paid
    }
    yield recordBatch(batch, length)
  }

  const months: Record<string, number> = {}
  byDay.forEach((cents, day) => { months[monthOf(FIRST_DAY + day)] = (months[monthOf(FIRST_DAY + day)] ?? 0) + cents })
  return { category: named(CATEGORIES, byCategory), region: named(REGIONS, byRegion), month: months }
}

const allocate = (length: number) => ({
  order_id: new BigInt64Array(length),
  customer_id: new BigInt64Array(length),
  product_id: new Uint32Array(length),
  shop_id: new Uint32Array(length),
  promotion_id: new Uint32Array(length),
  sold_on: new Int32Array(length),
  sold_at: new Int32Array(length),
  category: new Int8Array(length),
  region: new Int8Array(length),
  channel: new Int8Array(length),
  payment: new Int8Array(length),
  units: new Int32Array(length),
  list_price_cents: new Int32Array(length),
  price_cents: new Int32Array(length),
  discount_cents: new Int32Array(length),
  tax_cents: new Int32Array(length),
  cost_cents: new Int32Array(length)
}) satisfies Record<Column, ArrayBufferView>

function recordBatch (values: Record<Column, unknown>, length: number): RecordBatch {
  const children = schema.fields.map(({ name, type }) =>
    makeData<DataType>({ type, length, nullCount: 0, data: values[name as Column], dictionary: dictionaries.get(name) } as never))
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, nullCount: 0, children }))
}

/** The row after the last one of each day: more is sold before Christmas, and each year a tenth more than the year before. */
function endsOfDays (rows: number): number[] {
  const weights = Array.from({ length: DAYS }, (_, day) => {
    const [year, month] = monthOf(FIRST_DAY + day).split('-').map(Number) as [number, number]
    return (SEASON[month - 1] ?? 0) * (10 + year - 2023)
  })
  const all = weights.reduce((sum, weight) => sum + weight, 0)
  let sum = 0
  return weights.map(weight => Math.floor(rows * (sum += weight) / all))
}

/** Marsaglia's xorshift32: whole numbers from 1 to 2³² − 1. */
function xorshift (seed: number): () => number {
  let state = seed | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const named = (names: string[], cents: Float64Array): Record<string, number> => Object.fromEntries(names.map((name, i) => [name, cents[i] ?? 0]))
