/**
 * How long messages of one peer are read on without a pause. What follows from them leaves at the end of a turn of the event
 * loop: without an end to it, the other side waits for all of it and then has all to do at once, while this side waits.
 */
export interface Slice {
  /** Asked before each message. False: its time is up, and `goOn` will be called. */
  left: () => boolean
}

/**
 * @param ms how long one lasts at least; the message that is read when it is over is read to its end
 * @param now ms on a clock that is not set
 */
export function createSlice (ms: number, goOn: () => void, now: () => number = performance.now.bind(performance)): Slice {
  let from: number | undefined
  let over = false

  function next (): void {
    over = false
    goOn()
  }

  return {
    left () {
      if (over) return false
      if (from === undefined) {
        from = now()
        setImmediate(() => { from = undefined })
        return true
      }
      if (now() - from < ms) return true
      over = true
      // The first lets the log commit, the second what was sent after that.
      setImmediate(() => { setImmediate(next) })
      return false
    }
  }
}
