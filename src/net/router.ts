/** Handlers by message type, and what goes back: their replies, or their failures as `error` envelopes. */
import { basename } from 'node:path'
import { A2aError, messageOf, readFailure, type Failure } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, EnvelopeHandler, Logger, Origin } from '../core/ports.ts'
import type { MessageName, Payload } from '../wire/messages.ts'
import { nodeEnvelope } from './hello.ts'

export interface Router {
  handle: (type: MessageName, handler: EnvelopeHandler) => void
  /** Runs the handler. Never rejects; `undefined`: nothing to send back. */
  answer: (envelope: Envelope, origin: Origin) => Envelope | undefined | Promise<Envelope | undefined>
  /** An `error` envelope that answers a message; one that could not be read has no id. */
  failed: (failure: Failure, cause?: { messageId: string, correlationId: string }) => Envelope
}

export interface RouterParts {
  /** The did:key of this node, which speaks in its own name when it reports errors. */
  self: string
  clock: Clock
  logger: Logger
  /** A reply that nobody waits for any more. */
  onLateReply: () => void
  /** Counts a message that its handler refused. */
  count: (code: string) => void
}

/** What a failure's texts and lists are cut to, so that it fits its message. */
const MAX_TEXT = 1_000
const MAX_LIST = 16

export function createRouter ({ self, clock, logger, onLateReply, count }: RouterParts): Router {
  const handlers = new Map<string, EnvelopeHandler>()

  const failed: Router['failed'] = (failure, cause) => nodeEnvelope(self, 'error', { failure: tellable(failure) }, cause, clock.now())

  function answer (envelope: Envelope, origin: Origin): ReturnType<Router['answer']> {
    const { type, causationId } = envelope
    if (type === 'ping') return nodeEnvelope(self, 'ack', {}, envelope, clock.now())
    const handler = handlers.get(type)
    if (handler === undefined || type === 'error') {
      // Answering an answer could go on for ever.
      if (causationId === undefined && type !== 'error') return failed({ code: 'MESSAGE_UNKNOWN', type }, envelope)
      onLateReply()
      return undefined
    }
    try {
      const answer = handler(envelope, origin)
      return answer instanceof Promise ? answer.catch((error: unknown) => failedBy(error, envelope)) : answer
    } catch (error) {
      return failedBy(error, envelope)
    }
  }

  function failedBy (error: unknown, envelope: Envelope): Envelope {
    const { type, from } = envelope
    count(error instanceof A2aError ? error.code : 'INTERNAL')
    if (error instanceof A2aError) return failed(error.failure, envelope)
    logger.error('a message handler failed', { type, from, why: error instanceof Error ? error.stack : messageOf(error) })
    return failed({ code: 'INTERNAL', why: `the handler of ${type} failed; its log says why` }, envelope)
  }

  return {
    handle (type, handler) {
      if (handlers.has(type)) throw new A2aError({ code: 'INTERNAL', why: `${type} has a handler already` })
      handlers.set(type, handler)
    },
    answer,
    failed
  }
}

/** The error that an `error` envelope carries. A code not known here, or facts that do not fit it, make an INTERNAL. */
export function errorOf ({ payload }: Envelope): A2aError {
  return errorFrom((payload as Payload<'error'>).failure)
}

/** The error that somebody else states; an INTERNAL when it is none that is known here. */
export function errorFrom (stated: unknown): A2aError {
  const known = readFailure(stated)
  if (known !== undefined) return new A2aError(known)
  const { code } = Object(stated) as { code?: unknown }
  return new A2aError({ code: 'INTERNAL', why: `the peer answered with "${String(code).slice(0, 64)}", which is not known here` })
}

/** A failure as others may hear of it: short enough, and not where the files of this machine are. */
export function tellable (failure: Failure): { code: string } {
  const told = 'file' in failure ? { ...failure, file: basename(failure.file), why: 'its disk refuses' } : failure
  return Object.fromEntries(Object.entries(told).map(([name, fact]) => [name, typeof fact === 'string' ? fact.slice(0, MAX_TEXT) : Array.isArray(fact) ? fact.slice(0, MAX_LIST) : fact])) as { code: string }
}
