/**
 * Reads SQLite's write-ahead log (https://sqlite.org/fileformat.html#the_write_ahead_log). SQLite takes the first frame
 * that does not hold for the end: a frame that was damaged would silently take all after it along. Here the two are told
 * apart, with the help of checkpoint.ts.
 */
import { turnBack } from './bits.ts'
import { PAGE_BYTES, SECTOR, SLOT_BYTES } from './page-sums.ts'

export const HEADER = 32, FRAME_HEADER = 24
const MAGIC = 0x377f0682

/** One page as a transaction has written it. */
export interface Frame {
  page: number
  /** How many pages the database has after it, when it is the last of its transaction; else 0. */
  commit: number
  bytes: Uint8Array
}

export interface Wal {
  /** Of committed transactions, in their order, as far as they hold. */
  frames: Frame[]
  /** How many pages the database has with them. Undefined: there are none. */
  pages?: number
  /** What is not as it was written. A last transaction that a crash has cut off is no damage. */
  damage?: string
}

/** Where frame `n` begins, counted from 0; the end of `n` frames. */
export const frameAt = (n: number): number => HEADER + n * (FRAME_HEADER + PAGE_BYTES)

/** Checks every frame. `slots`: what stood there at the last checkpoint; frames that are not written over yet are no damage. */
export function readWal (bytes: Uint8Array, slots: Uint8Array = new Uint8Array()): Wal {
  if (bytes.length === 0) return { frames: [] }
  const { view, count, rest, frame, holds, isLeft } = layout(bytes, slots)
  if (!headerHolds(view)) {
    const mended = bytes.slice(0, HEADER)
    const turned = turnBack(mended, () => headerHolds(viewOf(mended)))
    // A header is on the disk before any frame: without frames a crash has cut it off.
    return turned || bytes.subarray(HEADER).some(byte => byte !== 0) ? { frames: [], damage: 'its header does not hold' } : { frames: [] }
  }
  let good = 0
  while (good < count && holds(good)) good++
  const frames = Array.from({ length: good }, (_, n) => frame(n))
  const committed = frames.slice(0, frames.findLastIndex(({ commit }) => commit > 0) + 1)
  const wal: Wal = { frames: committed, pages: committed.at(-1)?.commit }
  if (good === count && rest === 0) return wal
  const bad = Array.from({ length: count - good }, (_, n) => good + n).filter(n => !isLeft(n))
  return bad.length > 0 && isDamage(bytes, bad, slots) ? { ...wal, damage: `its frame ${(bad[0] as number) + 1} of ${count} does not hold` } : wal
}

/**
 * All that can be saved of a damaged one: frames in which one bit went over are put right where the checksum says which it
 * was, all others are left out and counted.
 */
export function mendWal (given: Uint8Array, slots?: Uint8Array): { frames: Frame[], pages?: number, mended: number, lost: number } {
  const bytes = given.slice()
  if (bytes.length < HEADER) return { frames: [], mended: 0, lost: 0 }
  const { view, count, frame, holds, isLeft, turnFrame } = layout(bytes, slots)
  let mended = 0
  // Its checksum alone leaves several bits; the first frame begins with it, and repeats its salts.
  if (!headerHolds(view) && turnBack(bytes.subarray(0, HEADER), () => headerHolds(view) && holds(0))) mended++
  const bad = Array.from({ length: count }, (_, n) => n).filter(n => !holds(n) && !isLeft(n))
  const turned = bad.map(n => ({ n, found: holds(n) ? 'none' : turnFrame(n) }))
  const mendable = turned.filter(({ found }) => found === 'one')
  // Whole once, so it was committed, or what it belongs to may have been.
  const lastUnclear = turned.findLast(({ found }) => found === 'several')?.n ?? -1
  const good = Array.from({ length: count }, (_, n) => n).filter(holds)
  const last = good.findLast(n => frame(n).commit > 0) ?? -1
  return {
    frames: good.filter(n => n <= last).map(frame),
    pages: last < 0 ? undefined : frame(last).commit,
    mended: mended + mendable.length,
    lost: Math.max(last, lastUnclear) + 1 - good.filter(n => n <= last).length
  }
}

/** Whether what does not hold was once whole: it can be made whole by one bit, or another transaction was begun after it. */
function isDamage (bytes: Uint8Array, bad: number[], slots: Uint8Array): boolean {
  const { frame, isOurs } = layout(bytes)
  const ours = bad.filter(isOurs)
  const ended = ours.findIndex(n => hasOneHeader(n) && frame(n).commit > 0)
  if (ended >= 0 && ended < ours.length - 1) return true
  // A frame that a crash has cut off is not one bit away from a whole one.
  const copy = bytes.slice()
  const { turnFrame } = layout(copy, slots)
  return bad.some(n => turnFrame(n) !== 'none')
}

/** Its first words and its salts are in one sector. Else, after a crash, the former may be of the frame that was there before. */
const hasOneHeader = (n: number): boolean => frameAt(n) % SECTOR <= SECTOR - 16

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The frames of a file. `slots`: what is known of those that were there at the last checkpoint (page-sums.ts). */
function layout (bytes: Uint8Array, slots: Uint8Array = new Uint8Array()) {
  const view = viewOf(bytes)
  const known = viewOf(slots)
  const count = Math.max(0, Math.floor((bytes.length - HEADER) / (FRAME_HEADER + PAGE_BYTES)))
  const saltsOf = (n: number): Sum => readSum(view, frameAt(n) + 8)
  const storedIn = (n: number): Sum => readSum(view, frameAt(n) + 16)
  const ours = (n: number): Due => ({ seed: readSum(view, n === 0 ? 24 : frameAt(n - 1) + 16), salts: readSum(view, 16), sum: storedIn(n) })
  const left = (n: number): Due | undefined => {
    const at = n * SLOT_BYTES
    return at + SLOT_BYTES > slots.length ? undefined : { seed: readSum(known, at), salts: readSum(known, at + 8), sum: readSum(known, at + 16) }
  }
  const is = (n: number, { seed, salts, sum }: Due): boolean => isSame(saltsOf(n), salts) && isSame(storedIn(n), sum) && isSame(sumOf(view, n, seed), sum)
  const isLeft = (n: number): boolean => {
    const due = left(n)
    return due !== undefined && is(n, due)
  }
  const holds = (n: number): boolean => n < count && is(n, ours(n))
  return {
    view, count, holds, isLeft,
    isOurs: (n: number): boolean => isSame(saltsOf(n), readSum(view, 16)),
    /** Bytes after the last whole frame. */
    rest: Math.max(0, bytes.length - frameAt(count)),
    frame: (n: number): Frame => {
      const at = frameAt(n)
      return { page: view.getUint32(at), commit: view.getUint32(at + 4), bytes: bytes.subarray(at + FRAME_HEADER, frameAt(n + 1)) }
    },
    /** Turns the one bit of frame `n` that makes it ours, or one that was left: if there is only one such bit. */
    turnFrame: (n: number): Turned => {
      const before = left(n)
      const salts = readSum(view, 16)
      const found = sumOf(view, n, ours(n).seed)
      // What was left is in the file already: no matter which bit it was.
      if (before !== undefined && turnLeft(view, n, before)) return 'one'
      const stored = storedIn(n)
      if (isSame(found, stored)) return bitsApart(saltsOf(n), salts) === 1 ? turnTo(view, frameAt(n) + 8, salts) : 'none'
      if (!isSame(saltsOf(n), salts)) return 'none'
      // Is its checksum wrong, or what it is over? The next frame begins with the right one.
      const begins = (sum: Sum): boolean => n + 1 < count && is(n + 1, { seed: sum, salts, sum: storedIn(n + 1) })
      const mayBeSum = bitsApart(found, stored) === 1 && !begins(stored)
      if (mayBeSum && begins(found)) return turnTo(view, frameAt(n) + 16, found)
      const places = placesOf(view, frameAt(n), found, stored)
      if (places.length + Number(mayBeSum) > 1) return 'several'
      const [place] = places
      if (place !== undefined) return turnAt(view, place)
      return mayBeSum ? turnTo(view, frameAt(n) + 16, found) : 'none'
    }
  }
}

/** What a frame must have, and begin with. */
interface Due { seed: Sum, salts: Sum, sum: Sum }

/** How many bits would each make a frame whole. It is whole now with `one`, and as it was with the others. */
type Turned = 'none' | 'one' | 'several'

/** A bit, in a word of the byte order that the magic number names. */
interface Place { at: number, bit: number }

/** Whether one bit makes frame `n` what was left there. Some such bit is turned. */
function turnLeft (view: DataView, n: number, { seed, salts, sum }: Due): boolean {
  const at = frameAt(n)
  const inHeader = bitsApart(readSum(view, at + 8), salts) + bitsApart(readSum(view, at + 16), sum)
  const found = sumOf(view, n, seed)
  if (isSame(found, sum)) {
    if (inHeader !== 1) return false
    turnTo(view, at + 8, salts)
    turnTo(view, at + 16, sum)
    return true
  }
  const [place] = inHeader === 0 ? placesOf(view, at, found, sum) : []
  if (place !== undefined) turnAt(view, place)
  return place !== undefined
}

function turnTo (view: DataView, at: number, [first, second]: Sum): 'one' {
  view.setUint32(at, first)
  view.setUint32(at + 4, second)
  return 'one'
}

function turnAt (view: DataView, { at, bit }: Place): 'one' {
  const isLittle = isLittleEndian(view)
  view.setUint32(at, view.getUint32(at, isLittle) ^ 1 << bit, isLittle)
  return 'one'
}

/**
 * The bits of a frame each of which would make its checksum right. The checksum is made of sums alone: what one bit changes
 * in it depends on its place alone. From the last word back, the change that 1 in the second and in the first word of each
 * pair comes to is known from that of the pair after it. Sums lose what they carry over: the change by a high bit comes
 * again after a few words, by the highest after three.
 */
function placesOf (view: DataView, frame: number, found: Sum, due: Sum): Place[] {
  const isLittle = isLittleEndian(view)
  const wanted = [(due[0] - found[0]) >>> 0, (due[1] - found[1]) >>> 0]
  const places: Place[] = []
  let second: Sum = [0, 1]
  let first: Sum = [1, 1]
  for (let pair = PAGE_BYTES / 8; pair >= 0; pair--) {
    const at = pair === 0 ? frame : frame + FRAME_HEADER + (pair - 1) * 8
    for (const [offset, change] of [[0, first], [4, second]] as const) {
      const word = view.getUint32(at + offset, isLittle)
      for (let bit = 0; bit < 32; bit++) {
        const by = (word >>> bit & 1) === 0 ? 1 << bit : -(1 << bit)
        if (Math.imul(by, change[0]) >>> 0 === wanted[0] && Math.imul(by, change[1]) >>> 0 === wanted[1]) places.push({ at: at + offset, bit })
      }
    }
    [first, second] = [earlier(first), earlier(second)]
  }
  return places
}

const earlier = ([a, b]: Sum): Sum => [(a + b) >>> 0, (a + b + b) >>> 0]

function headerHolds (view: DataView): boolean {
  if (view.byteLength < HEADER || (view.getUint32(0) & ~1) >>> 0 !== MAGIC) return false
  const sum: Sum = [0, 0]
  add(sum, view, 0, 24)
  return sum[0] === view.getUint32(24) && sum[1] === view.getUint32(28)
}

type Sum = [number, number]

const readSum = (view: DataView, at: number): Sum => [view.getUint32(at), view.getUint32(at + 4)]
const isSame = (one: Sum, other: Sum): boolean => one[0] === other[0] && one[1] === other[1]
const isLittleEndian = (view: DataView): boolean => (view.getUint32(0) & 1) === 0

function bitsApart (one: Sum, other: Sum): number {
  let bits = 0
  for (const n of [0, 1] as const) for (let word = (one[n] ^ other[n]) >>> 0; word !== 0; word = (word & (word - 1)) >>> 0) bits++
  return bits
}

/** Of a frame, whatever it says of itself. */
function sumOf (view: DataView, n: number, [...sum]: Sum): Sum {
  add(sum, view, frameAt(n), 8)
  add(sum, view, frameAt(n) + FRAME_HEADER, PAGE_BYTES)
  return sum
}

/** SQLite's checksum, over words in the byte order that the magic number names. */
function add (sum: Sum, view: DataView, from: number, length: number): void {
  const isLittle = isLittleEndian(view)
  let [a, b] = sum
  for (let at = from; at < from + length; at += 8) {
    a = (a + view.getUint32(at, isLittle) + b) >>> 0
    b = (b + view.getUint32(at + 4, isLittle) + a) >>> 0
  }
  sum[0] = a
  sum[1] = b
}
