/** Bytes that come in pieces of any size, read as if they were one. None is looked at once the next is asked for: they may be lent. */
export interface Pieces {
  /** Fills the target. @throws Error when they end before it is full */
  read: (target: Uint8Array) => Promise<void>
  /** Goes on `count` bytes further without a copy. @throws Error when they end before */
  skip: (count: number) => Promise<void>
  /** Takes what is left, so that the sender ends in good order. */
  drain: () => Promise<void>
  /** Lets go of the sender, wherever it is. */
  close: () => Promise<void>
}

export function readPieces (bytes: AsyncIterable<Uint8Array>): Pieces {
  const iterator = bytes[Symbol.asyncIterator]()
  let piece: Uint8Array = new Uint8Array()
  let at = 0

  async function next (): Promise<void> {
    const { done, value } = await iterator.next()
    if (done === true) throw new Error('the dataset ends too early')
    piece = value
    at = 0
  }

  return {
    read: async target => {
      for (let filled = 0; filled < target.length;) {
        if (at === piece.length) await next()
        const part = piece.subarray(at, at + target.length - filled)
        target.set(part, filled)
        filled += part.length
        at += part.length
      }
    },
    skip: async count => {
      while (count > piece.length - at) {
        count -= piece.length - at
        await next()
      }
      at += count
    },
    drain: async () => {
      while ((await iterator.next()).done !== true);
    },
    close: async () => { await iterator.return?.() }
  }
}
