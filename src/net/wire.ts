/** Sending, by peer id: over the channel, or through the same checks to ourselves. */
import { A2aError, toFailure } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, SendOptions, Wire } from '../core/ports.ts'
import { encodeEnvelope } from '../wire/envelope.ts'
import type { Channels } from './channels.ts'
import { checkDirect } from './intake.ts'
import { CHANNEL } from './limits.ts'
import type { Replies } from './replies.ts'
import type { Router } from './router.ts'

export interface WireParts {
  self: string
  channels: Channels
  router: Router
  replies: Replies
  clock: Clock
  /** Whether an agent lives on this node, or is the node itself. */
  speaksHere: (agent: string) => boolean
  /** Counts a refused message. */
  count: (code: string) => void
}

export function createWire ({ self, channels, router, replies, clock, speaksHere, count }: WireParts): Wire {
  async function send (peer: string, envelope: Envelope, { signal, timeoutMs = CHANNEL.requestMs, addresses }: SendOptions = {}): Promise<void> {
    signal?.throwIfAborted()
    if (peer === self) { deliver(envelope); return }
    const until = clock.now() + timeoutMs
    let reached = channels.get(peer)
    if (reached?.ready() !== true) {
      reached = await bounded(channels.open(peer, addresses, timeoutMs), { ms: timeoutMs, signal, late: () => new A2aError({ code: 'PEER_UNREACHABLE', peer, why: `no connection within ${timeoutMs} ms` }) })
    }
    const { taken, cancel } = reached.send(envelope)
    await bounded(taken, { ms: until - clock.now(), signal, late: () => new A2aError({ code: 'OVERLOADED', what: `messages waiting for ${peer}, which does not read`, limit: CHANNEL.queued }), cancel })
  }

  /** To ourselves: encoded, decoded and checked like what comes from afar, so that the same things are refused. */
  function deliver (envelope: Envelope): void {
    const bytes = encodeEnvelope(envelope)
    setImmediate(() => { void receive(bytes) })
  }

  async function receive (bytes: Uint8Array): Promise<void> {
    const checked = checkDirect(bytes, self, speaksHere, clock)
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

  async function request (peer: string, envelope: Envelope, options: SendOptions = {}): Promise<Envelope> {
    const { signal, timeoutMs = CHANNEL.requestMs } = options
    const { reply, cancel } = replies.expect(peer, envelope.messageId)
    const begun = clock.now()
    try {
      await send(peer, envelope, options)
      channels.get(peer)?.readOn()
      const leftMs = Math.max(0, timeoutMs - (clock.now() - begun))
      const noReply = (): A2aError => new A2aError({ code: 'NO_REPLY', peer, type: envelope.type, waitedMs: clock.now() - begun })
      return await bounded(reply, { ms: leftMs, signal, late: noReply })
    } catch (error) {
      cancel(error)
      throw error
    }
  }

  /** Waits for `work`, until it is late or the caller gives up; then it is told with `cancel`. */
  async function bounded<T> (work: Promise<T>, { ms, signal, late, cancel }: Bounds): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => { reject(signal?.reason) }
    const stop = clock.after(Math.max(0, ms), () => { reject(late()) })
    signal?.addEventListener('abort', onAbort, { once: true })
    promise.catch((error: unknown) => { cancel?.(error) })
    try {
      return await Promise.race([work, promise])
    } finally {
      stop()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  return { peerId: self, send, request }
}

interface Bounds {
  ms: number
  signal?: AbortSignal
  late: () => A2aError
  cancel?: (error: unknown) => void
}
