/** The real clock: what production plugs in where the simulator plugs in its own. */
import type { Clock } from './ports.ts'

/** The longest wait that setTimeout knows, in ms (about 24.8 days): anything longer would run at once. */
const LONGEST_MS = 2 ** 31 - 1

/** Wall time, and timers that never keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    let timer: ReturnType<typeof setTimeout>
    const wait = (left: number) => {
      const step = Math.min(Math.max(0, left), LONGEST_MS)
      timer = setTimeout(() => left > step ? wait(left - step) : run(), step).unref()
    }
    wait(ms)
    return () => { clearTimeout(timer) }
  }
}
