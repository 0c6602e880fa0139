/** Flow control of one libp2p stream, both ways, with two faults of libp2p 3 worked around. */
import type { Stream } from '@libp2p/interface'

export interface Flow {
  /** Stops reading, or goes on. `wanted` is asked again whenever the stream has changed, and has the last word. */
  update: () => void
  /** Resolves when the transport takes more, or never will. */
  drained: () => Promise<void>
}

/** @param wanted whether more may be read now */
export function createFlow (stream: Stream, wanted: () => boolean): Flow {
  let paused = false
  let changing = false

  /**
   * Never pauses from within resume(): it hands out what was kept and then opens the window, whatever happened in between,
   * so yamux would fill the buffer of a paused stream until libp2p resets it.
   */
  function update (): void {
    const hold = !wanted()
    if (changing || hold === paused || stream.readStatus === 'closed' || stream.readStatus === 'closing') return
    changing = true
    paused = hold
    if (hold) stream.pause()
    else stream.resume()
    changing = false
    update()
  }

  /** Not stream.onDrain(): in @libp2p/utils 7.4.1 its promise is made once, so every wait after the first ends at once. */
  async function drained (): Promise<void> {
    while (stream.writableNeedsDrain && stream.status === 'open') {
      await new Promise<void>(resolve => {
        const done = (): void => {
          stream.removeEventListener('drain', done)
          stream.removeEventListener('close', done)
          resolve()
        }
        stream.addEventListener('drain', done)
        stream.addEventListener('close', done)
      })
    }
  }

  return { update, drained }
}
