import { randomFillSync } from 'node:crypto'
import { monotonicFactory } from 'ulid'

/** Random bytes are asked of the system so many at a time; the package alone asks for each character. */
const pool = new Uint8Array(4_096)
let used = pool.length

function random (): number {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  return (pool[used++] as number) / 256
}

/** A new ULID: unique, and later than every one that this process made before. `now` is in ms since the epoch. */
export const newId: (now?: number) => string = monotonicFactory(random)
