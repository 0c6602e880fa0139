/**
 * Virtual time: what is due runs in order of its time, and what is due at once in the order it was entered. Between two
 * things all promises are settled, so that the code under test sees the same order in every run.
 */
import type { Clock } from '../core/ports.ts'

export interface Timeline extends Clock {
  /** Runs what is due, up to and including a time, and leaves the clock there. */
  runUntil: (time: number) => Promise<void>
}

interface Due { at: number, order: number, run?: () => void }

/** @param start milliseconds since the epoch */
export function createTimeline (start: number): Timeline {
  const heap: Due[] = []
  let now = start
  let order = 0

  return {
    now: () => now,
    after: (ms, run) => {
      // Whole milliseconds, as timers and clocks have them.
      const due: Due = { at: now + Math.max(0, Math.ceil(ms)), order: order++, run }
      insert(heap, due)
      // It stays in the heap as an empty entry: finding it there would cost more.
      return () => { due.run = undefined }
    },
    runUntil: async time => {
      // What was begun outside is brought to its first wait.
      await settled()
      for (let due = heap[0]; due !== undefined && due.at <= time; due = heap[0]) {
        removeFirst(heap)
        const { run } = due
        if (run === undefined) continue
        now = due.at
        due.run = undefined
        run()
        await settled()
      }
      now = Math.max(now, time)
    }
  }
}

/** An immediate runs when there are no promises left to be settled. */
const settled = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

const isBefore = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)

function insert (heap: Due[], due: Due): void {
  let place = heap.length
  while (place > 0) {
    const parent = (place - 1) >> 1
    if (isBefore(heap[parent] as Due, due)) break
    heap[place] = heap[parent] as Due
    place = parent
  }
  heap[place] = due
}

function removeFirst (heap: Due[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let place = 0
  for (;;) {
    let child = 2 * place + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++
    if (isBefore(last, heap[child] as Due)) break
    heap[place] = heap[child] as Due
    place = child
  }
  heap[place] = last
}
