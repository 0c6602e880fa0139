/** Requests that wait for their replies. A reply names the request's message id as its cause, and comes from the peer that was asked. */
import { A2aError } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'

export interface Replies {
  expect: (peer: string, messageId: string) => Expected
  /** True when somebody waited for it. */
  settle: (peer: string, reply: Envelope) => boolean
  /** The peer is gone: nothing will come any more. */
  fail: (peer: string, error: A2aError) => void
  /** How many wait for this peer. */
  waiting: (peer: string) => number
}

export interface Expected {
  reply: Promise<Envelope>
  cancel: (error: unknown) => void
}

export function createReplies (toError: (reply: Envelope) => A2aError): Replies {
  const waiting = new Map<string, Map<string, PromiseWithResolvers<Envelope>>>()

  function take (peer: string, messageId: string): PromiseWithResolvers<Envelope> | undefined {
    const ofPeer = waiting.get(peer)
    const found = ofPeer?.get(messageId)
    if (ofPeer === undefined || found === undefined) return undefined
    ofPeer.delete(messageId)
    if (ofPeer.size === 0) waiting.delete(peer)
    return found
  }

  return {
    expect (peer, messageId) {
      const deferred = Promise.withResolvers<Envelope>()
      // It may be cancelled before anybody awaits it.
      deferred.promise.catch(() => {})
      const ofPeer = waiting.get(peer) ?? new Map<string, PromiseWithResolvers<Envelope>>()
      waiting.set(peer, ofPeer.set(messageId, deferred))
      return { reply: deferred.promise, cancel: error => { take(peer, messageId)?.reject(error) } }
    },
    settle (peer, reply) {
      const found = reply.causationId === undefined ? undefined : take(peer, reply.causationId)
      if (reply.type === 'error') found?.reject(toError(reply))
      else found?.resolve(reply)
      return found !== undefined
    },
    fail (peer, error) {
      const ofPeer = waiting.get(peer)
      waiting.delete(peer)
      for (const { reject } of ofPeer?.values() ?? []) reject(error)
    },
    waiting: peer => waiting.get(peer)?.size ?? 0
  }
}
