/**
 * Messages from agent to agent, beside tasks: a request and its reply, and what wants no reply. They go over the channel
 * that both nodes have anyway; nobody bids and nothing is written to disk.
 */
import { A2aError, messageOf } from '../core/errors.ts'
import { compose, composeReply, type Author } from '../wire/compose.ts'
import { readBody, toBody } from '../wire/body.ts'
import { EMPTY_PAYLOAD } from '../wire/envelope.ts'
import type { RequestContext, RequestHandler, RequestOptions, TellOptions } from '../core/agent.ts'
import { PROTOCOL_VERSION, type Envelope } from '../core/envelope.ts'
import type { Clock, EnvelopeHandler, Logger, Origin, Wire } from '../core/ports.ts'

export interface Place {
  peer: string
  addresses: string[]
}

export interface RequestsParts {
  author: Author
  wire: Wire
  /** Where an agent is, as far as is known here. */
  whereIs: (agentId: string) => Place | undefined
  /** Asks others. @throws A2aError PEER_UNREACHABLE */
  locate: (agentId: string, options: { signal?: AbortSignal, timeoutMs: number }) => Promise<Place>
  /** Whether a peer may use what is not public. */
  trusts: (peer: string) => boolean
  clock: Clock
  logger: Logger
}

export interface Requests {
  onRequest: (name: string, handler: RequestHandler, options?: { public?: boolean }) => () => void
  request: (to: string, name: string, body: unknown, options?: RequestOptions) => Promise<unknown>
  tell: (to: string, name: string, body: unknown, options?: TellOptions) => Promise<void>
  /** Takes `request`, `tell` and `cancel`. */
  receive: EnvelopeHandler
  close: () => void
}

type Content = ReturnType<typeof toBody>

const REQUEST_MS = 30_000
const TELL_MS = 5_000
/** Waits before an idempotent request is sent again: the first at most, and any at most, in ms. Full jitter. */
const RETRY = { firstMs: 100, maxMs: 2_000 }

export function createRequests (parts: RequestsParts): Requests {
  const { author, wire, clock, logger } = parts
  const handlers = new Map<string, { handler: RequestHandler, isPublic: boolean }>()
  /** Requests at work whose handler has asked for its signal, by sender and message id. */
  const running = new Map<string, AbortController>()

  /** No `async` where nothing is waited for, here and below it: each costs a promise and a frame a message. */
  function request (to: string, name: string, body: unknown, options: RequestOptions = {}): Promise<unknown> {
    try {
      const content = toBody(body)
      return options.idempotent === true ? askAgain(to, name, content, options) : ask(to, name, content, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async function askAgain (to: string, name: string, content: Content, options: RequestOptions): Promise<unknown> {
    const { timeoutMs = REQUEST_MS, signal } = options
    const until = clock.now() + timeoutMs
    for (let attempt = 1; ; attempt++) {
      try {
        return await ask(to, name, content, { ...options, timeoutMs: Math.max(1, until - clock.now()) })
      } catch (error) {
        const pauseMs = Math.random() * Math.min(RETRY.maxMs, RETRY.firstMs * 2 ** attempt)
        if (!isUnreachable(error) || clock.now() + pauseMs >= until) throw error
        logger.debug('an idempotent request is sent again', { to, name, attempt, why: messageOf(error) })
        await pause(pauseMs, signal)
      }
    }
  }

  function ask (to: string, name: string, content: Content, options: RequestOptions): Promise<unknown> {
    const place = parts.whereIs(to)
    return place === undefined ? askOnceFound(to, name, content, options) : askAt(place, to, name, content, options)
  }

  async function askOnceFound (to: string, name: string, content: Content, options: RequestOptions): Promise<unknown> {
    const { timeoutMs = REQUEST_MS, signal } = options
    const until = clock.now() + timeoutMs
    const place = await parts.locate(to, { signal, timeoutMs })
    return await askAt(place, to, name, content, { ...options, timeoutMs: Math.max(1, until - clock.now()) })
  }

  function askAt ({ peer, addresses }: Place, to: string, name: string, content: Content, { timeoutMs = REQUEST_MS, signal, priority }: RequestOptions): Promise<unknown> {
    const envelope = messageTo(to, 'request', name, content)
    envelope.remainingMs = timeoutMs
    const answer = wire.request(peer, envelope, { addresses, signal, lane: priority, timeoutMs }).then(readBody)
    if (signal === undefined) return answer
    return answer.catch((error: unknown) => {
      if (signal.aborted) cancel(peer, envelope)
      throw error
    })
  }

  /** Field by field, for it is made for each message. */
  function messageTo (to: string, type: 'request' | 'tell', task: string, { mediaType, content }: Content): Envelope {
    const messageId = author.newId()
    return { version: PROTOCOL_VERSION, messageId, correlationId: messageId, from: author.agentId, to, timestamp: author.now(), type, task, payload: EMPTY_PAYLOAD, mediaType, content }
  }

  /** Nobody waits for the reply any more: its handler may stop. */
  function cancel (peer: string, request: Envelope): void {
    const envelope = compose('cancel', EMPTY_PAYLOAD, author, { correlationId: request.correlationId, causationId: request.messageId, to: request.to })
    wire.send(peer, envelope).catch((error: unknown) => { logger.debug('a request could not be cancelled', { peer, why: messageOf(error) }) })
  }

  function tell (to: string, name: string, body: unknown, options: TellOptions = {}): Promise<void> {
    const place = parts.whereIs(to)
    return place === undefined ? tellOnceFound(to, name, body, options) : tellAt(place, to, name, body, options)
  }

  async function tellOnceFound (to: string, name: string, body: unknown, options: TellOptions): Promise<void> {
    const { signal, timeoutMs = TELL_MS } = options
    const until = clock.now() + timeoutMs
    const place = await parts.locate(to, { signal, timeoutMs })
    await tellAt(place, to, name, body, { ...options, timeoutMs: until - clock.now() })
  }

  function tellAt ({ peer, addresses }: Place, to: string, name: string, body: unknown, { signal, timeoutMs = TELL_MS, priority }: TellOptions): Promise<void> {
    try {
      const envelope = messageTo(to, 'tell', name, toBody(body))
      return wire.send(peer, envelope, { addresses, signal, timeoutMs, lane: priority })
    } catch (error) {
      return Promise.reject(error)
    }
  }

  function receive (envelope: Envelope, origin: Origin): ReturnType<EnvelopeHandler> {
    if (envelope.type === 'cancel') {
      running.get(keyOf(envelope.from, envelope.causationId))?.abort(new A2aError({ code: 'CANCELLED', taskId: envelope.causationId ?? '', why: 'whoever asked does not wait any more' }))
      return undefined
    }
    return envelope.type === 'tell' ? hear(envelope, origin) : answer(envelope, origin)
  }

  /** Nobody waits for an answer: what goes wrong is only logged. */
  function hear (envelope: Envelope, origin: Origin): undefined {
    const ignored = (error: unknown): void => { logger.debug('a message was not taken', { from: envelope.from, name: envelope.task, why: messageOf(error) }) }
    try {
      const heard = handle(envelope, origin)
      if (heard instanceof Promise) heard.catch(ignored)
    } catch (error) {
      ignored(error)
    }
  }

  function answer (envelope: Envelope, origin: Origin): Envelope | Promise<Envelope> {
    const answered = (value: unknown): Envelope => composeReply(envelope, 'reply', EMPTY_PAYLOAD, author, toBody(value))
    const value = handle(envelope, origin)
    return value instanceof Promise ? value.then(answered) : answered(value)
  }

  /** The handler's answer, or a promise of it. */
  function handle (envelope: Envelope, { peer }: Origin): unknown {
    const { task: name = '' } = envelope
    const offered = handlers.get(name)
    if (offered === undefined) throw new A2aError({ code: 'REFUSED', why: `nothing here answers "${name}"` })
    if (!offered.isPublic && !parts.trusts(peer)) throw new A2aError({ code: 'NOT_ALLOWED', capability: name, why: 'it is not public' })
    const context = new Context(envelope, clock.now() + (envelope.remainingMs ?? REQUEST_MS), clock, running)
    try {
      const answer = offered.handler(readBody(envelope), context)
      if (answer instanceof Promise) return answer.catch((error: unknown) => { throw failed(name, error) }).finally(() => { context.end() })
      context.end()
      return answer
    } catch (error) {
      context.end()
      throw failed(name, error)
    }
  }

  return {
    onRequest (name, handler, options = {}) {
      if (name.length === 0 || name.length > 256) throw new A2aError({ code: 'BAD_USAGE', why: `"${name}" is no name for messages`, hint: 'use 1 to 256 characters' })
      if (handlers.has(name)) throw new A2aError({ code: 'BAD_USAGE', why: `${name} is answered already` })
      handlers.set(name, { handler, isPublic: options.public ?? false })
      return () => { handlers.delete(name) }
    },
    request,
    tell,
    receive,
    close () {
      for (const controller of running.values()) controller.abort(new A2aError({ code: 'PEER_UNREACHABLE', peer: author.agentId, why: 'the node stops' }))
    }
  }

  async function pause (ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const stop = clock.after(ms, resolve)
    const onAbort = (): void => { reject(signal?.reason) }
    signal?.addEventListener('abort', onAbort, { once: true })
    await promise.finally(() => {
      stop()
      signal?.removeEventListener('abort', onAbort)
    })
  }
}

const keyOf = (from: string, messageId = ''): string => `${from} ${messageId}`

const isUnreachable = (error: unknown): boolean => error instanceof A2aError && error.code === 'PEER_UNREACHABLE'

const failed = (name: string, error: unknown): A2aError => error instanceof A2aError
  ? error
  : new A2aError({ code: 'HANDLER_FAILED', capability: name, why: messageOf(error) || 'it threw without a message', retryable: true }, { cause: error })

/** A class, for one is made for each message: its signal costs nothing until a handler asks for it. */
class Context implements RequestContext {
  readonly from: string
  readonly #key: string
  readonly #until: number
  readonly #clock: Clock
  readonly #running: Map<string, AbortController>
  #signal: AbortSignal | undefined

  constructor ({ from, messageId }: Envelope, until: number, clock: Clock, running: Map<string, AbortController>) {
    this.from = from
    this.#key = keyOf(from, messageId)
    this.#until = until
    this.#clock = clock
    this.#running = running
  }

  /** A getter, so that it can be taken out of the context. */
  get remainingMs (): () => number {
    return () => Math.max(0, this.#until - this.#clock.now())
  }

  get signal (): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController()
      this.#running.set(this.#key, controller)
      this.#signal = AbortSignal.any([controller.signal, AbortSignal.timeout(this.remainingMs())])
    }
    return this.#signal
  }

  end (): void {
    if (this.#signal !== undefined) this.#running.delete(this.#key)
  }
}
