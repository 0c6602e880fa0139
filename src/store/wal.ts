/**
 * Reads SQLite's write-ahead log (https://sqlite.org/fileformat.html#the_write_ahead_log). SQLite takes the first frame
 * that does not hold for the end: a frame that was damaged would silently take all after it along. Here the two are told
 * apart, with the help of checkpoint.ts.
 */
import { crc32 } from 'node:zlib'
import { turnBack } from './bits.ts'
import { PAGE_BYTES } from './page-sums.ts'

export const HEADER = 32, FRAME_HEADER = 24
const MAGIC = 0x377f0682

/** One page as a transaction has written it. */
export interface Frame {
  page: number
  /** How many pages the database has after it, when it is the last of its transaction; else 0. */
  commit: number
  header: Uint8Array
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

/** Takes all frames for good: of a file that this process alone has written since it was empty. */
export function framesOf (bytes: Uint8Array): Frame[] {
  const { count, frame } = layout(bytes)
  return Array.from({ length: count }, (_, n) => frame(n))
}

/** Checksum of a frame in its place, out of that of its page. */
export const slotOf = (header: Uint8Array, page: number): number => crc32(header, page)

/** Checks every frame. `slots`: what stood there at the last checkpoint; frames that are not written over yet are no damage. */
export function readWal (bytes: Uint8Array, slots: Uint32Array = new Uint32Array()): Wal {
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
 * All that can be saved of a damaged one: frames in which one bit went over are put right, those that cannot be are left
 * out and counted.
 */
export function mendWal (given: Uint8Array, slots?: Uint32Array): { frames: Frame[], pages?: number, mended: number, lost: number } {
  const bytes = given.slice()
  if (bytes.length < HEADER) return { frames: [], mended: 0, lost: 0 }
  const { view, count, frame, holds, isLeft } = layout(bytes, slots)
  let mended = 0
  if (!headerHolds(view) && turnBack(bytes.subarray(0, HEADER), () => headerHolds(view))) mended++
  const bad = Array.from({ length: count }, (_, n) => n).filter(n => !holds(n) && !isLeft(n))
  const mendable = bad.length > MOST_TURNED ? [] : bad.filter(n => turnBack(bytes.subarray(frameAt(n), frameAt(n + 1)), () => holds(n) || isLeft(n)))
  const good = Array.from({ length: count }, (_, n) => n).filter(holds)
  const last = good.findLast(n => frame(n).commit > 0) ?? -1
  return {
    frames: good.filter(n => n <= last).map(frame),
    pages: last < 0 ? undefined : frame(last).commit,
    mended: mended + mendable.length,
    lost: last + 1 - good.filter(n => n <= last).length
  }
}

/** To find the bit that went over takes some 100 ms a frame: where more do not hold, it is no single bits. */
const MOST_TURNED = 8

/** Whether what does not hold was once whole: it can be made whole by one bit, or another transaction was begun after it. */
function isDamage (bytes: Uint8Array, bad: number[], slots: Uint32Array): boolean {
  const { frame, isOurs } = layout(bytes)
  const ours = bad.filter(isOurs)
  const ended = ours.findIndex(n => frame(n).commit > 0)
  if (ended >= 0 && ended < ours.length - 1) return true
  const [first = 0] = bad
  if (bad.length > MOST_TURNED && !isOurs(first)) return false
  const copy = bytes.slice()
  const { holds, isLeft } = layout(copy, slots)
  // One bit, one frame: those after it hold by themselves, if they are not cut off as well.
  return turnBack(copy.subarray(frameAt(first), frameAt(first + 1)), () => holds(first) || isLeft(first))
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function layout (bytes: Uint8Array, slots: Uint32Array = new Uint32Array()) {
  const view = viewOf(bytes)
  const count = Math.max(0, Math.floor((bytes.length - HEADER) / (FRAME_HEADER + PAGE_BYTES)))
  const isOurs = (n: number): boolean => {
    const at = frameAt(n)
    return view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20)
  }
  return {
    view, count, isOurs,
    /** Bytes after the last whole frame. */
    rest: Math.max(0, bytes.length - frameAt(count)),
    frame: (n: number): Frame => {
      const at = frameAt(n)
      return { page: view.getUint32(at), commit: view.getUint32(at + 4), header: bytes.subarray(at, at + FRAME_HEADER), bytes: bytes.subarray(at + FRAME_HEADER, frameAt(n + 1)) }
    },
    /** Whether frame `n` follows from what the one before it says of itself. */
    holds: (n: number): boolean => {
      const at = frameAt(n)
      if (!isOurs(n)) return false
      const before = n === 0 ? 24 : frameAt(n - 1) + 16
      const sum: Sum = [view.getUint32(before), view.getUint32(before + 4)]
      add(sum, view, at, 8)
      add(sum, view, at + FRAME_HEADER, PAGE_BYTES)
      return sum[0] === view.getUint32(at + 16) && sum[1] === view.getUint32(at + 20)
    },
    /** Whether frame `n` is what stood there at the last checkpoint. */
    isLeft: (n: number): boolean => {
      const at = frameAt(n)
      return slots[n] !== undefined && slotOf(bytes.subarray(at, at + FRAME_HEADER), crc32(bytes.subarray(at + FRAME_HEADER, frameAt(n + 1)))) === slots[n]
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
