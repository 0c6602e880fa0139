/** Requests that wait for their replies. A reply names the request's message id as its cause, and comes from the peer that was asked. */
import { A2aError } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock } from '../core/ports.ts'

export interface Replies {
  /** Calls one of both, once. NO_REPLY after `timeoutMs`. Returns the way to stop waiting: then neither is called. */
  expect: (request: Expected) => () => void
  /** True when somebody waited for it. */
  settle: (peer: string, reply: Envelope) => boolean
  /** The peer is gone: nothing will come any more. */
  fail: (peer: string, error: A2aError) => void
  /** How many wait for this peer. */
  waiting: (peer: string) => number
}

export interface Expected {
  peer: string
  messageId: string
  /** The request's, for the failure. */
  type: string
  timeoutMs: number
  onReply: (reply: Envelope) => void
  onFailed: (error: unknown) => void
}

interface Open {
  until: number
  /** Gone once it is settled: see `take`. */
  request: Expected | undefined
}

export function createReplies (toError: (reply: Envelope) => A2aError, clock: Clock): Replies {
  const waiting = new Map<string, Map<string, Open>>()
  /** One timer for all, at the earliest deadline: a timer for each request costs as much as its message. */
  let next: { at: number, cancel: () => void } | undefined

  /**
   * A Map grows into a new table every so many entries, and until V8 goes over the whole heap the old table holds on to what it
   * had and to the new one: so each request would be kept, and moved about, long after its reply. That is why it is let go here.
   */
  function take (peer: string, messageId: string): Expected | undefined {
    const ofPeer = waiting.get(peer)
    const open = ofPeer?.get(messageId)
    if (open === undefined) return undefined
    ofPeer?.delete(messageId)
    const { request } = open
    open.request = undefined
    return request
  }

  function wakeAt (at: number): void {
    if (next !== undefined && next.at <= at) return
    next?.cancel()
    next = { at, cancel: clock.after(Math.max(0, at - clock.now()), expire) }
  }

  function expire (): void {
    next = undefined
    const now = clock.now()
    let earliest = Infinity
    for (const [peer, ofPeer] of waiting) {
      for (const [messageId, { until }] of ofPeer) {
        if (until > now) {
          earliest = Math.min(earliest, until)
          continue
        }
        const late = take(peer, messageId)
        late?.onFailed(new A2aError({ code: 'NO_REPLY', peer, type: late.type, waitedMs: late.timeoutMs }))
      }
    }
    if (earliest < Infinity) wakeAt(earliest)
  }

  return {
    expect (request) {
      const { peer, messageId, timeoutMs } = request
      const until = clock.now() + timeoutMs
      let ofPeer = waiting.get(peer)
      if (ofPeer === undefined) waiting.set(peer, ofPeer = new Map())
      ofPeer.set(messageId, { until, request })
      wakeAt(until)
      return () => { take(peer, messageId) }
    },
    settle (peer, reply) {
      const found = reply.causationId === undefined ? undefined : take(peer, reply.causationId)
      if (reply.type === 'error') found?.onFailed(toError(reply))
      else found?.onReply(reply)
      return found !== undefined
    },
    fail (peer, error) {
      const ofPeer = waiting.get(peer)
      waiting.delete(peer)
      for (const { request } of ofPeer?.values() ?? []) request?.onFailed(error)
    },
    waiting: peer => waiting.get(peer)?.size ?? 0
  }
}
