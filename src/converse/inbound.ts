/** What one end of a dialogue hears: frames wait here unread until somebody asks for the next message. */
import type { A2aError } from '../core/errors.ts'

export interface Inbound<Message> {
  push: (frame: Uint8Array) => void
  /** No more will come: what is here is read, then it ends; or rejects, when there is an error. */
  finish: (error?: A2aError) => void
  /** Nothing is read any more, at once. */
  drop: (error: A2aError) => void
  next: () => Promise<IteratorResult<Message, undefined>>
  /** The reader wants no more: what is here, and what comes, is thrown away. */
  leave: () => void
}

export interface InboundParts<Message> {
  /** What it throws is what the reader gets. */
  decode: (frame: Uint8Array) => Message
  /** A frame has left, to its reader or thrown away. */
  onTaken: (frame: Uint8Array) => void
  /** All was read, or the reader wants no more. Called once. */
  onDone: () => void
}

/** Empty places at the front that are put up with. */
const SLACK = 1_024
const DONE = { done: true, value: undefined } as const

export function createInbound<Message> ({ decode, onTaken, onDone }: InboundParts<Message>): Inbound<Message> {
  let frames: Array<Uint8Array | undefined> = []
  /** Place of the oldest: taking from the front of a long array moves all others each time. */
  let first = 0
  const readers: Array<PromiseWithResolvers<IteratorResult<Message, undefined>>> = []
  let ended: { error?: A2aError } | undefined
  let left = false
  let done = false

  function take (): Uint8Array | undefined {
    const frame = frames[first]
    if (frame === undefined) return undefined
    frames[first++] = undefined
    if (first === frames.length) clear()
    else if (first === SLACK) {
      frames.splice(0, SLACK)
      first = 0
    }
    return frame
  }

  function clear (): void {
    frames = []
    first = 0
  }

  async function read (frame: Uint8Array): Promise<IteratorResult<Message, undefined>> {
    onTaken(frame)
    return { done: false, value: decode(frame) }
  }

  async function atEnd (): Promise<IteratorResult<Message, undefined>> {
    if (!done) {
      done = true
      onDone()
    }
    if (ended?.error !== undefined && !left) throw ended.error
    return DONE
  }

  function finish (error?: A2aError): void {
    ended ??= { error }
    for (const { resolve } of readers.splice(0)) resolve(atEnd())
  }

  return {
    push (frame) {
      if (left || ended !== undefined) {
        onTaken(frame)
        return
      }
      const reader = readers.shift()
      if (reader === undefined) frames.push(frame)
      else reader.resolve(read(frame))
    },
    finish,
    drop (error) {
      clear()
      ended = { error }
      finish()
    },
    async next () {
      if (left) return await atEnd()
      const frame = take()
      if (frame !== undefined) return await read(frame)
      if (ended !== undefined) return await atEnd()
      const reader = Promise.withResolvers<IteratorResult<Message, undefined>>()
      readers.push(reader)
      return await reader.promise
    },
    leave () {
      if (left) return
      left = true
      clear()
      for (const { resolve } of readers.splice(0)) resolve(atEnd())
      void atEnd()
    }
  }
}
