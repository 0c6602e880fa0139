/** Frames put together to be sent in one piece: each write to a socket is a system call, which costs more than copying a small message. */
import { Uint8ArrayList } from 'uint8arraylist'
import { framePrefix } from './frames.ts'

export interface Batch {
  /** Adds a frame, given in parts. */
  add: (parts: Uint8Array[]) => void
  readonly length: number
  finish: () => Uint8Array | Uint8ArrayList
}

/** From this size on, a part goes as it is and is not copied. */
const LARGE = 16 * 1_024

export function createBatch (): Batch {
  const pieces: Uint8Array[] = []
  let small: Uint8Array[] = []
  let length = 0

  function join (): void {
    if (small.length > 0) pieces.push(Buffer.concat(small))
    small = []
  }

  return {
    add (parts) {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0)
      const prefix = framePrefix(bytes)
      small.push(prefix)
      length += prefix.length + bytes
      for (const part of parts) {
        if (part.length < LARGE) small.push(part)
        else {
          join()
          pieces.push(part)
        }
      }
    },
    get length () { return length },
    finish () {
      join()
      return pieces.length === 1 ? pieces[0] as Uint8Array : new Uint8ArrayList(...pieces)
    }
  }
}
