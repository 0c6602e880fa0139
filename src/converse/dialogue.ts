/**
 * One end of a dialogue, over a stream that was opened and taken. Each direction ends by itself, and says so with a frame:
 * a stream that ends without is a failure. A window for messages, granted by their reader, keeps the stream itself free, so
 * that an end, a failure or a cancel never waits behind messages that nobody reads.
 */
import { A2aError, toFailure } from '../core/errors.ts'
import type { Dialogue } from '../core/agent.ts'
import type { Clock } from '../core/ports.ts'
import type { ByteStream } from '../net/streams.ts'
import type { FrameStream } from './frame-stream.ts'
import { costOf, decodeFailure, decodeMessage, decodeMore, encodeFailure, encodeMessage, encodeSign, KIND } from './frames.ts'
import { createInbound } from './inbound.ts'
import { DIALOGUE } from './limits.ts'
import { createOutbound, rejected } from './outbound.ts'

/** `undefined`: it fits. Otherwise what is wrong. */
export type Check = (message: unknown) => string | undefined

export interface DialogueParts extends Pick<Dialogue, 'id' | 'name' | 'with' | 'data'> {
  stream: ByteStream
  /** The same stream, as frames. */
  frames: FrameStream
  clock: Clock
  receives?: Check
  sends?: Check
}

export interface OpenDialogue {
  dialogue: Dialogue<any, any>
  /** Says and reads no more. */
  finish: () => void
  /** Ends it: the other side hears why, after what was said before. */
  fail: (error: A2aError) => void
  /** The peer is gone: there is nobody to tell. */
  lose: (why: string) => void
  /** Nothing of it is left open. */
  closed: Promise<void>
}

export function createDialogue ({ stream, frames, clock, receives, sends, id, name, with: counterpart, data }: DialogueParts): OpenDialogue {
  const over = new AbortController()
  const outbound = createOutbound(stream, broken)
  const inbound = createInbound({ decode, onTaken, onDone })
  const closed = new Promise<void>(resolve => { stream.closed.addEventListener('abort', () => { resolve() }, { once: true }) })
  /** What the other side may still send; and what was read and is not granted again yet. */
  let allowance: number = DIALOGUE.windowBytes
  let taken = 0
  /** Our end: asked for, and said. Theirs: heard, and all before it read. */
  let ending: Promise<void> | undefined
  let ended = false
  let heardEnd = false
  let heardStop = false
  let done = false
  let reading = true
  let failure: A2aError | undefined
  /** Nothing more goes over the stream but what is on its way. */
  let shut = false

  async function pump (): Promise<void> {
    try {
      do {
        for (let frame = frames.take(DIALOGUE.frameBytes); frame !== undefined; frame = frames.take(DIALOGUE.frameBytes)) if (!shut) receive(frame)
      } while (await frames.more())
      lose('it closed the dialogue without an end')
    } catch (error) {
      broken(error)
    }
  }

  function receive (frame: Uint8Array): void {
    switch (frame[0]) {
      case KIND.json:
      case KIND.bytes: receiveMessage(frame); return
      case KIND.end:
        if (heardEnd) throw malformed('a second end')
        heardEnd = true
        inbound.finish()
        settle()
        return
      case KIND.more: outbound.grant(decodeMore(frame)); return
      case KIND.stop:
        if (heardStop) throw malformed('a second stop')
        heardStop = true
        outbound.stop(cancelled('the other side reads no more'))
        sayEnd()
        return
      case KIND.failed: conclude(decodeFailure(frame)); return
      case KIND.cancel: conclude(decodeFailure(frame), { atOnce: true }); return
      default: throw malformed(`a frame of kind ${frame[0]}, which is none`)
    }
  }

  function receiveMessage (frame: Uint8Array): void {
    if (heardEnd) throw malformed('a message after the end')
    if (allowance <= 0) throw malformed('more than was granted')
    allowance -= costOf(frame.length)
    inbound.push(frame)
  }

  /** Read only now: what JSON makes of a few bytes may be large, and nobody may ever ask for it. */
  function decode (frame: Uint8Array): unknown {
    try {
      const message = decodeMessage(frame)
      const unfit = receives?.(message)
      if (unfit !== undefined) throw new A2aError({ code: 'INPUT_INVALID', capability: name, why: unfit })
      return message
    } catch (error) {
      fail(error)
      inbound.drop(error as A2aError)
      throw error
    }
  }

  function onTaken (frame: Uint8Array): void {
    taken += costOf(frame.length)
    if (!reading || heardEnd || shut || taken < DIALOGUE.grantBytes) return
    outbound.tellMore(taken)
    allowance += taken
    taken = 0
  }

  function onDone (): void {
    done = true
    settle()
  }

  function send (message: unknown): Promise<void> {
    if (ending !== undefined && failure === undefined) return rejected(new A2aError({ code: 'BAD_USAGE', why: `nothing can be sent in the dialogue ${name} after its end` }))
    try {
      const unfit = sends?.(message)
      if (unfit !== undefined) throw new A2aError({ code: 'OUTPUT_INVALID', capability: name, why: unfit })
      return outbound.send(encodeMessage(message))
    } catch (error) {
      if (!(error instanceof A2aError) || error.code !== 'OVERLOADED') return Promise.reject(error)
      fail(error)
      return rejected(error)
    }
  }

  async function end (): Promise<void> {
    await (ending ??= outbound.idle().then(sayEnd))
    if (failure !== undefined) throw failure
  }

  function sayEnd (): void {
    if (ended || shut) return
    ended = true
    outbound.urge(encodeSign(KIND.end))
    settle()
  }

  function leave (): void {
    if (!reading) return
    reading = false
    if (!heardEnd && !shut) outbound.urge(encodeSign(KIND.stop))
    inbound.leave()
  }

  /** Once both have ended, the stream is ended. Once all was read too, it is over. */
  function settle (): void {
    if (!ended || failure !== undefined) return
    if (!heardEnd) {
      if (!reading) waitForEnd()
      return
    }
    close()
    if (done) over.abort(cancelled('it has ended'))
  }

  /** We neither say nor read any more: an end is all that the other side has left to say, and it was asked for. */
  function waitForEnd (): void {
    const stop = clock.after(DIALOGUE.disposeMs, () => { conclude(cancelled('the other side did not end'), { tell: KIND.cancel, atOnce: true }) })
    void closed.then(stop)
  }

  /** Every end but a clean one. */
  function conclude (error: A2aError, { tell, atOnce = false }: { tell?: typeof KIND.failed | typeof KIND.cancel, atOnce?: boolean } = {}): void {
    if (failure !== undefined || over.signal.aborted) return
    failure = error
    outbound.stop(error, atOnce)
    if (tell !== undefined && !shut) outbound.urge(encodeFailure(tell, error.failure))
    if (atOnce) inbound.drop(error)
    else inbound.finish(error)
    over.abort(error)
    close()
  }

  function fail (error: unknown): void {
    conclude(error instanceof A2aError ? error : new A2aError(toFailure(error), { cause: error }), { tell: KIND.failed })
  }

  /** The stream fails, or what came by it. Once both have ended that is of no more interest. */
  function broken (error: unknown): void {
    if (shut) return
    if (error instanceof A2aError && error.code === 'PEER_UNREACHABLE') conclude(error)
    else fail(error)
  }

  function lose (why: string): void {
    broken(new A2aError({ code: 'PEER_UNREACHABLE', peer: stream.peer, why }))
  }

  async function cancel (why: string): Promise<void> {
    conclude(cancelled(why), { tell: KIND.cancel, atOnce: true })
    await closed
  }

  function finish (): void {
    leave()
    end().catch(() => {})
  }

  async function dispose (): Promise<void> {
    finish()
    const stop = clock.after(DIALOGUE.disposeMs, () => { void cancel('what was sent was not taken in time') })
    await closed
    stop()
  }

  function close (): void {
    if (shut) return
    shut = true
    const stop = clock.after(DIALOGUE.lingerMs, () => { stream.abort('the end of the dialogue was not taken in time') })
    void closed.then(stop)
    outbound.close().catch(() => { stream.abort('the dialogue is over') })
  }

  const cancelled = (why: string): A2aError => new A2aError({ code: 'CANCELLED', dialogue: name, why })
  const iterator: AsyncIterator<unknown, undefined> = {
    next: inbound.next,
    async return () {
      leave()
      return { done: true, value: undefined }
    }
  }

  void pump()
  return {
    dialogue: {
      id, name, data, send, end,
      with: counterpart,
      signal: over.signal,
      cancel: (why = 'it was cancelled') => cancel(why),
      [Symbol.asyncIterator]: () => iterator,
      [Symbol.asyncDispose]: dispose
    },
    finish, fail, lose, closed
  }
}

const malformed = (why: string): A2aError => new A2aError({ code: 'MESSAGE_MALFORMED', why: `in a dialogue: ${why}` })
