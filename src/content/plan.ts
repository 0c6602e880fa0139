/**
 * Who fetches which chunk. Sources take ranges from what nobody has yet, so a fast one does more; what a source leaves
 * undone goes back; and near the end one with nothing to do takes over from one that is slow.
 */
import type { Bitmap } from './bitmap.ts'

export interface Range { from: number, count: number }

export interface Plan<S> {
  /** The next range of up to `max` chunks for a source. */
  take: (source: S, has: (index: number) => boolean, max: number) => Range | undefined
  /** The later half of what another source has still to deliver. Two then fetch it, and the first one counts. */
  takeOver: (source: S, from: S, has: (index: number) => boolean) => Range | undefined
  /** A chunk has come. False when it was not wanted any more. */
  done: (index: number) => boolean
  /** Gives back all that a source has taken, or one chunk of it. */
  giveBack: (source: S, index?: number) => void
  /** Chunks a source has taken that have not come. */
  open: (source: S) => number
  /** Chunks that have not come. */
  left: () => number
}

/**
 * @param start the first chunk to be fetched; from the last it goes on with the first
 * @param limit chunks from here on are not to be fetched yet
 */
export function createPlan<S> (count: number, have: Bitmap, start = 0, limit = (): number => count): Plan<S> {
  const taken = new Map<number, Set<S>>()
  const came = new Set<number>()
  let cursor = 0
  let missing = count - have.count()

  const isFree = (index: number): boolean => !have.has(index) && !came.has(index) && !taken.has(index)
  const at = (position: number): number => (start + position) % count

  function claim (source: S, index: number): void {
    const sources = taken.get(index) ?? new Set()
    sources.add(source)
    taken.set(index, sources)
  }

  return {
    take (source, has, max) {
      while (cursor < count && !isFree(at(cursor))) cursor++
      const bound = limit()
      for (let position = cursor; position < count; position++) {
        const from = at(position)
        if (from >= bound || !isFree(from) || !has(from)) continue
        let size = 0
        while (size < max && from + size < Math.min(count, bound) && isFree(from + size) && has(from + size)) claim(source, from + size++)
        return { from, count: size }
      }
      return undefined
    },
    takeOver (source, other, has) {
      const open = [...taken].filter(([index, sources]) => sources.has(other) && !sources.has(source) && has(index)).map(([index]) => index).sort((a, b) => a - b)
      const from = open[open.length >> 1]
      if (from === undefined) return undefined
      let size = 0
      for (const index of new Set(open)) if (index === from + size) size++
      for (let index = from; index < from + size; index++) claim(source, index)
      return { from, count: size }
    },
    done (index) {
      taken.delete(index)
      if (have.has(index) || came.has(index)) return false
      came.add(index)
      missing--
      return true
    },
    giveBack (source, index) {
      for (const one of index === undefined ? [...taken.keys()] : [index]) {
        const sources = taken.get(one)
        if (sources?.delete(source) !== true || sources.size > 0) continue
        taken.delete(one)
        cursor = Math.min(cursor, (one - start + count) % count)
      }
    },
    open: source => [...taken.values()].reduce((sum, sources) => sum + Number(sources.has(source)), 0),
    left: () => missing
  }
}
