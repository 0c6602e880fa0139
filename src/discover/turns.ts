/** Work of many small pieces, in turns of the event loop: nobody else waits for all of it. */

/** A turn takes about this long, in ms: some 10 signatures. */
const TURN_MS = 8

/** Does each piece, and lets others run between turns. Ends early when the signal aborts. */
export async function inTurns<T> (pieces: Iterable<T>, work: (piece: T) => void, signal?: AbortSignal): Promise<void> {
  let begun = performance.now()
  for (const piece of pieces) {
    if (performance.now() - begun > TURN_MS) {
      await new Promise(resolve => { setImmediate(resolve) })
      begun = performance.now()
    }
    if (signal?.aborted === true) return
    work(piece)
  }
}
