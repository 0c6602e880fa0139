/**
 * Reads SQLite's write-ahead log (https://sqlite.org/fileformat.html#the_write_ahead_log). SQLite takes the first frame
 * that does not hold for the end: a frame that was damaged would silently take all after it along. Here the two are told
 * apart. It counts on what checkpoint.ts sees to: the file has nothing left over from before its last checkpoint.
 */
import { turnBack } from './bits.ts'

const HEADER = 32, FRAME_HEADER = 24
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

/** Takes all frames for good: of a file that this process alone has written since it was empty. */
export function framesOf (bytes: Uint8Array): Frame[] {
  const { count, frame } = layout(bytes)
  return Array.from({ length: count }, (_, n) => frame(n))
}

/** Checks every frame. */
export function readWal (bytes: Uint8Array): Wal {
  if (bytes.length === 0) return { frames: [] }
  const { view, count, rest, frame, holds } = layout(bytes)
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
  return isDamage(bytes, good) ? { ...wal, damage: `its frame ${good + 1} of ${count} does not hold` } : wal
}

/**
 * All that can be saved of a damaged one: frames in which one bit went over are put right, those that cannot be are left
 * out, with `lost` naming their pages.
 */
export function mendWal (given: Uint8Array): { frames: Frame[], pages?: number, mended: number, lost: number } {
  const bytes = given.slice()
  let mended = 0
  let lost = 0
  if (bytes.length < HEADER) return { frames: [], mended, lost }
  const { view, count, frame, holds } = layout(bytes)
  if (!headerHolds(view) && turnBack(bytes.subarray(0, HEADER), () => headerHolds(view))) mended++
  const good: Frame[] = []
  for (let n = 0; n < count; n++) {
    if (holds(n)) {
      good.push(frame(n))
    } else if (turnBack(bytes.subarray(HEADER + n * stepOf(view), HEADER + (n + 1) * stepOf(view)), () => holds(n))) {
      mended++
      good.push(frame(n))
    } else {
      lost++
    }
  }
  const last = good.findLastIndex(({ commit }) => commit > 0)
  return { frames: good.slice(0, last + 1), pages: good[last]?.commit, mended, lost }
}

/** Whether what does not hold was once whole: it can be made whole by one bit, or another transaction was begun after it. */
function isDamage (bytes: Uint8Array, bad: number): boolean {
  const { view, count, frame, isOurs } = layout(bytes)
  for (let n = bad, ended = false; n < count; n++) {
    if (!isOurs(n)) continue
    if (ended) return true
    ended = frame(n).commit > 0
  }
  if (bad >= count) return false
  const copy = bytes.slice()
  const { holds } = layout(copy)
  const from = HEADER + bad * stepOf(view)
  return turnBack(copy.subarray(from, from + stepOf(view)), () => holds(bad))
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const stepOf = (view: DataView): number => FRAME_HEADER + view.getUint32(8)

function layout (bytes: Uint8Array) {
  const view = viewOf(bytes)
  const step = bytes.length < HEADER ? Infinity : stepOf(view)
  const count = Math.max(0, Math.floor((bytes.length - HEADER) / step))
  const isOurs = (n: number): boolean => {
    const at = HEADER + n * step
    return view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20)
  }
  return {
    view, count, isOurs,
    /** Bytes after the last whole frame. */
    rest: count === 0 ? Math.max(0, bytes.length - HEADER) : bytes.length - HEADER - count * step,
    frame: (n: number): Frame => {
      const at = HEADER + n * step
      return { page: view.getUint32(at), commit: view.getUint32(at + 4), bytes: bytes.subarray(at + FRAME_HEADER, at + step) }
    },
    /** Whether frame `n` follows from what the one before it says of itself. */
    holds: (n: number): boolean => {
      const at = HEADER + n * step
      const before = n === 0 ? 24 : at - step + 16
      const sum: Sum = [view.getUint32(before), view.getUint32(before + 4)]
      add(sum, view, at, 8)
      add(sum, view, at + FRAME_HEADER, step - FRAME_HEADER)
      return isOurs(n) && sum[0] === view.getUint32(at + 16) && sum[1] === view.getUint32(at + 20)
    }
  }
}

function headerHolds (view: DataView): boolean {
  if (view.byteLength < HEADER || (view.getUint32(0) & ~1) >>> 0 !== MAGIC) return false
  const sum: Sum = [0, 0]
  add(sum, view, 0, 24)
  return sum[0] === view.getUint32(24) && sum[1] === view.getUint32(28)
}

type Sum = [number, number]

/** SQLite's checksum, over words in the byte order that the magic number names. */
function add (sum: Sum, view: DataView, from: number, length: number): void {
  const isLittle = (view.getUint32(0) & 1) === 0
  let [a, b] = sum
  for (let at = from; at < from + length; at += 8) {
    a = (a + view.getUint32(at, isLittle) + b) >>> 0
    b = (b + view.getUint32(at + 4, isLittle) + a) >>> 0
  }
  sum[0] = a
  sum[1] = b
}
