/** Which chunks are there: one bit each. */
export interface Bitmap {
  has: (index: number) => boolean
  add: (index: number) => void
  /** How many there are. */
  count: () => number
  /** base64: bit `i & 7` of byte `i >> 3`. */
  toText: () => string
}

/** @param text of `toText`; what it lacks is not there */
export function createBitmap (size: number, text = ''): Bitmap {
  const bits = new Uint8Array(Math.ceil(size / 8))
  bits.set(Buffer.from(text, 'base64').subarray(0, bits.length))
  const has = (index: number): boolean => index < size && ((bits[index >> 3] ?? 0) >> (index & 7) & 1) === 1
  let count = 0
  for (let index = 0; index < size; index++) count += Number(has(index))
  return {
    has,
    add (index) {
      if (index >= size || has(index)) return
      bits[index >> 3] = (bits[index >> 3] ?? 0) | 1 << (index & 7)
      count++
    },
    count: () => count,
    toText: () => Buffer.from(bits).toString('base64')
  }
}
