/** Sending, by peer id: over the channel, or through the same checks to ourselves. */
import { A2aError, toFailure } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, SendOptions, Wire } from '../core/ports.ts'
import { encodeEnvelope } from '../wire/envelope.ts'
import type { Channels } from './channels.ts'
import { checkDirect } from './intake.ts'
import { notRead } from './channel.ts'
import { CHANNEL } from './limits.ts'
import type { LocalSocket } from './local.ts'
import type { Peer } from './peer.ts'
import type { Replies } from './replies.ts'
import type { Router } from './router.ts'

export interface WireParts {
  self: string
  channels: Channels
  router: Router
  replies: Replies
  clock: Clock
  wall: Clock
  /** Asks nodes of the folder. */
  local: Pick<LocalSocket, 'ask'> | undefined
  /** In the folder of the user. */
  isNear: (peer: string) => boolean
  /** Whether an agent lives on this node, or is the node itself. */
  speaksHere: (agent: string) => boolean
  /** Counts a refused message. */
  count: (code: string) => void
}

export function createWire ({ self, channels, local, isNear, router, replies, clock, wall, speaksHere, count }: WireParts): Wire {
  async function sendOnceOpen (peer: string, envelope: Envelope, options: SendOptions): Promise<void> {
    const { timeoutMs = CHANNEL.requestMs } = options
    const until = clock.now() + timeoutMs
    const reached = await open(peer, options)
    await handOver(reached, envelope, { ...options, timeoutMs: until - clock.now() })
  }

  function send (peer: string, envelope: Envelope, options: SendOptions = {}): Promise<void> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason)
    if (peer === self) return new Promise(resolve => { resolve(deliver(envelope)) })
    const reached = ready(peer)
    return reached === undefined ? sendOnceOpen(peer, envelope, options) : handOver(reached, envelope, options)
  }

  function handOver (to: Peer, envelope: Envelope, { lane, signal, timeoutMs = CHANNEL.requestMs }: SendOptions): Promise<void> {
    const until = clock.now() + timeoutMs
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const queued = to.send(envelope, { lane, until, onTaken: resolve, onFailed: reject })
    return unlessAborted(promise, signal, why => { if (queued !== undefined && to.takeBack(queued)) reject(why) })
  }

  const ready = (peer: string): Peer | undefined => {
    const known = channels.get(peer)
    return known?.ready() === true ? known : undefined
  }

  /** Others may wait for the same connection: who gives up leaves it to them. */
  async function open (peer: string, { signal, timeoutMs = CHANNEL.requestMs, addresses }: SendOptions): Promise<Peer> {
    const { promise, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => { reject(signal?.reason) }
    const stop = clock.after(timeoutMs, () => { reject(new A2aError({ code: 'PEER_UNREACHABLE', peer, why: `no connection within ${timeoutMs} ms` })) })
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([channels.open(peer, addresses, timeoutMs), promise])
    } finally {
      stop()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** To ourselves: encoded, decoded and checked like what comes from afar, so that the same things are refused. */
  function deliver (envelope: Envelope): void {
    const bytes = encodeEnvelope(envelope)
    setImmediate(() => { void receive(bytes) })
  }

  async function receive (bytes: Uint8Array): Promise<void> {
    const checked = checkDirect(bytes, self, speaksHere, wall)
    if ('refused' in checked) {
      const { error, cause, type, isReply } = checked.refused
      count(error.code)
      if (!isReply && type !== 'error' && cause !== undefined) deliver(router.failed(error.failure, cause))
    } else if (!replies.settle(self, checked.envelope)) {
      const reply = await router.answer(checked.envelope, { peer: self })
      try {
        if (reply !== undefined) deliver(reply)
      } catch (error) {
        deliver(router.failed(toFailure(error), checked.envelope))
      }
    }
  }

  function request (peer: string, envelope: Envelope, options: SendOptions = {}): Promise<Envelope> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason)
    const reached = peer === self ? undefined : ready(peer)
    return reached === undefined && peer !== self ? askOnceOpen(peer, envelope, options) : ask(reached, peer, envelope, options)
  }

  async function askOnceOpen (peer: string, envelope: Envelope, options: SendOptions): Promise<Envelope> {
    const { timeoutMs = CHANNEL.requestMs } = options
    const until = clock.now() + timeoutMs
    if (options.brief === true && isNear(peer)) {
      const reply = await local?.ask(peer, envelope, options)
      if (reply !== undefined) return reply
    }
    const reached = await open(peer, { ...options, timeoutMs: until - clock.now() })
    return await ask(reached, peer, envelope, { ...options, timeoutMs: Math.max(0, until - clock.now()) })
  }

  /** @param reached undefined: ourselves */
  function ask (reached: Peer | undefined, peer: string, envelope: Envelope, { signal, timeoutMs = CHANNEL.requestMs, lane }: SendOptions): Promise<Envelope> {
    const { promise, resolve, reject } = Promise.withResolvers<Envelope>()
    let queued: ReturnType<Peer['send']>
    function fail (error: unknown): void {
      const left = queued === undefined || reached?.takeBack(queued) !== true
      reject(left || !isLate(error) ? error : notRead(peer))
    }
    const forget = replies.expect({ peer, messageId: envelope.messageId, type: envelope.type, timeoutMs, onReply: resolve, onFailed: fail })
    function giveUp (error: unknown): void {
      forget()
      fail(error)
    }
    if (reached === undefined) {
      try {
        deliver(envelope)
      } catch (error) {
        giveUp(error)
      }
    } else {
      queued = reached.send(envelope, { lane, onFailed: giveUp })
      // What was held up by its own handlers is read again: the reply may be behind it.
      reached.readOn()
    }
    return unlessAborted(promise, signal, giveUp)
  }

  return { peerId: self, send, request }
}

/** Calls `giveUp` with the reason when the signal comes first. */
function unlessAborted<T> (promise: Promise<T>, signal: AbortSignal | undefined, giveUp: (why: unknown) => void): Promise<T> {
  if (signal === undefined) return promise
  const onAbort = (): void => { giveUp(signal.reason) }
  signal.addEventListener('abort', onAbort, { once: true })
  return promise.finally(() => { signal.removeEventListener('abort', onAbort) })
}

const isLate = (error: unknown): boolean => error instanceof A2aError && error.code === 'NO_REPLY'
