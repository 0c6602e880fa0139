/**
 * V8's young generation. What messages and transfers leave behind is dead at once, yet V8 lets the young generation grow for
 * it, to 128 MiB in all: the same garbage in more memory. So it is held at its size while bytes stream by, and from a certain
 * size on by messages too. The rate of growth is looked up each time.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { HEAP } from './limits.ts'

/** V8's own factor. It cannot be asked for, so where somebody has set one it is left alone. */
const GROWTH = 2
const isOurs = ![...process.execArgv, process.env.NODE_OPTIONS ?? ''].some(flag => /semi[-_]space/.test(flag))

let holders = 0

/** @returns lets it grow again, once all who hold it have let go */
export function holdHeap (): () => void {
  if (!isOurs) return () => {}
  if (holders++ === 0) setFlagsFromString('--semi-space-growth-factor=1')
  let isHeld = true
  return () => {
    if (isHeld && --holders === 0) setFlagsFromString(`--semi-space-growth-factor=${GROWTH}`)
    isHeld = false
  }
}

let messages = 0
let letGrow: (() => void) | undefined

/** A message has come. Each so many it is looked at whether the young generation has grown enough; V8 shrinks it in quiet times. */
export function countForHeap (): void {
  if (++messages % HEAP.lookEvery !== 0) return
  const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space')?.space_size ?? 0
  if (young >= HEAP.youngBytes) letGrow ??= holdHeap()
  else {
    letGrow?.()
    letGrow = undefined
  }
}
