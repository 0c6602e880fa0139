/** The real clock: what production plugs in where the simulator plugs in its own. */
import type { Clock } from './ports.ts'

/** The longest wait that setTimeout knows, in ms (about 24.8 days): anything longer would run at once. */
const LONGEST_MS = 2 ** 31 - 1

/** Wall time, and timers that never keep the process alive. After 0 ms is in the next turn of the event loop. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    // setTimeout knows no less than 1 ms.
    if (ms <= 0) {
      const turn = setImmediate(run).unref()
      return () => { clearImmediate(turn) }
    }
    let timer: ReturnType<typeof setTimeout>
    const wait = (left: number) => {
      const step = Math.min(left, LONGEST_MS)
      timer = setTimeout(() => left > step ? wait(left - step) : run(), step).unref()
    }
    wait(ms)
    return () => { clearTimeout(timer) }
  }
}

/**
 * Time that goes on evenly while the machine's clock is set: the wall time of its beginning, and from then on what a monotonic
 * clock says. What waits for a time in the log goes by it, for timers do not move with the wall clock either.
 * @param monotonic milliseconds since whenever
 * @param notBefore where an earlier run had come to, in ms since the epoch: it goes on from there when the clock was set back since
 */
export function createSteadyClock (wall: Clock, notBefore = 0, monotonic: () => number = () => performance.now()): Clock {
  const origin = Math.max(wall.now(), notBefore) - monotonic()
  return { now: () => Math.floor(origin + monotonic()), after: wall.after }
}
