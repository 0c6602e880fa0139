/** What a line of the sales dataset holds, and how many lines make how many megabytes. */
import { DateDay, Dictionary, Field, Int8, Int32, Int64, Schema, TimeSecond, Uint32, Utf8 } from 'apache-arrow'

export const CATEGORIES = ['Books', 'Clothing', 'Electronics', 'Garden', 'Groceries', 'Health', 'Home', 'Toys']
export const REGIONS = ['Africa', 'Americas', 'Asia', 'Europe', 'Middle East', 'Oceania']
export const CHANNELS = ['shop', 'web', 'phone', 'partner']
export const PAYMENTS = ['card', 'transfer', 'invoice', 'cash', 'voucher']

/** 2023-01-01, in days since 1970. Three years: the last day is 2025-12-31. */
export const FIRST_DAY = 19_358
export const DAYS = 1_096
/** Rows of one record batch: 4 MiB of values. */
export const BATCH_ROWS = 65_536
/** 64 bytes of values, and a row's share of its batch's header. */
const BYTES_PER_ROW = 64 + 924 / BATCH_ROWS

const named = (id: number): Dictionary<Utf8, Int8> => new Dictionary(new Utf8(), new Int8(), id)
const types = {
  order_id: new Int64(),
  customer_id: new Int64(),
  product_id: new Uint32(),
  shop_id: new Uint32(),
  promotion_id: new Uint32(),
  sold_on: new DateDay(),
  sold_at: new TimeSecond(),
  category: named(0),
  region: named(1),
  channel: named(2),
  payment: named(3),
  units: new Int32(),
  list_price_cents: new Int32(),
  price_cents: new Int32(),
  discount_cents: new Int32(),
  tax_cents: new Int32(),
  cost_cents: new Int32()
}
export type Column = keyof typeof types

export const schema = new Schema(Object.entries(types).map(([name, type]) => new Field(name, type, false)))

/** Revenue in cents as it was counted while the rows were drawn. Every answer is checked against it. */
export interface Totals {
  category: Record<string, number>
  region: Record<string, number>
  /** By `2023-01`, … */
  month: Record<string, number>
}

export const rowsOf = (megabytes: number): number => Math.max(1, Math.floor(megabytes * 1e6 / BYTES_PER_ROW))

/** `2023-01` for a day since 1970. */
export const monthOf = (day: number): string => new Date(day * 86_400_000).toISOString().slice(0, 7)
