/** ULIDs (github.com/ulid/spec): 48 bits of time, 80 at random, in Crockford's base 32. */
import { randomFillSync } from 'node:crypto'
import { encodeTime } from 'ulid'

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** All pairs of digits: 10 bits each. */
const PAIRS = [...DIGITS].flatMap(first => [...DIGITS].map(second => first + second))
const TIME_DIGITS = 10
const COUNT_BITS = 30
/** For each millisecond in which ids are made. */
const RANDOM_BYTES = 14

/** Drawn for many at once: a draw costs more than all the rest of an id. Each is used once. */
const random = Buffer.alloc(64 * RANDOM_BYTES)
let used = random.length
let at = 0
let prefix = ''
let count = 0

/**
 * A new ULID: unique, and later than every one that this process made before. `now` is in ms since the epoch. Those of one
 * millisecond share the upper 50 random bits and count up in the lower 30, for one is made for each message.
 */
export function newId (now = Date.now()): string {
  if (now > at || count === 2 ** COUNT_BITS - 1) {
    at = Math.max(now, at + 1)
    if (used + RANDOM_BYTES > random.length) {
      randomFillSync(random)
      used = 0
    }
    const from = used
    used += RANDOM_BYTES
    prefix = encodeTime(at, TIME_DIGITS) + [0, 2, 4, 6, 8].map(bytes => pair(random.readUInt16LE(from + bytes))).join('')
    // The lower half, so that there is room to count up.
    count = random.readUInt32LE(from + 10) >>> (33 - COUNT_BITS)
  } else count++
  return prefix + pair(count >>> 20) + pair(count >>> 10) + pair(count)
}

const pair = (bits: number): string => PAIRS[bits & 1_023] as string
