/**
 * V8's young generation, held at its size while bytes stream by. What a transfer leaves behind is dead at once, yet V8 lets the
 * young generation grow to twice 32 MiB for it: the same garbage in more memory. The rate of growth is looked up each time.
 */
import { setFlagsFromString } from 'node:v8'

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
