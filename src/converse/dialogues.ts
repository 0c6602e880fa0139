/** Dialogues of a node's agents: who takes which, and each one's way from its stream to its handler. */
import { A2aError, messageOf } from '../core/errors.ts'
import type { Agent, Dialogue, DialogueOptions, DialogueTerms, TakenName } from '../core/agent.ts'
import type { JsonSchema } from '../core/capability.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { didOfPeer, nodeEnvelope } from '../net/hello.ts'
import type { Net } from '../net/net.ts'
import { errorOf, tellable } from '../net/router.ts'
import type { ByteStream } from '../net/streams.ts'
import { compose, composeReply, type Author } from '../wire/compose.ts'
import { encodeEnvelope } from '../wire/envelope.ts'
import { readBody, toBody } from '../wire/body.ts'
import { createDialogue, type Check, type OpenDialogue } from './dialogue.ts'
import { readFrames, type FrameStream } from './frame-stream.ts'
import { DIALOGUE } from './limits.ts'
import { bounded, readEnvelope, writeEnvelope } from './opening.ts'

export const DIALOGUE_PROTOCOL = '/a2a-node/dialogue/1'

export interface DialoguesParts {
  net: Pick<Net, 'peerId' | 'streams' | 'speakers' | 'sameUser'>
  /** Where an agent lives. @throws A2aError */
  locate: (agentId: string, options: { signal?: AbortSignal, timeoutMs: number }) => Promise<{ peer: string, addresses: string[] }>
  /** @throws A2aError BAD_USAGE when it is none */
  compileSchema: (schema: JsonSchema) => Promise<Check>
  clock: Clock
  logger: Logger
  /** Counts a refused opening. */
  count: (code: string) => void
}

export interface Dialogues {
  /** Those of one agent of this node. */
  of: (author: Author) => AgentDialogues
  /** It does not answer any more: what is open with it fails. */
  peerGone: (peer: string, why: string) => void
}

export interface AgentDialogues extends Pick<Agent, 'onDialogue' | 'dialogue'> {
  /** Cancels all, and waits until the others know or the signal aborts. */
  close: (signal: AbortSignal) => Promise<void>
}

type Handler = (dialogue: Dialogue<any, any>) => void | Promise<void>

/** What an agent takes under one name. */
interface Taker {
  author: Author
  handler: Handler
  public: boolean
  receives?: Check
  sends?: Check
}

interface Open {
  agentId: string
  peer: string
  dialogue: OpenDialogue
}


/** Takes what is opened from now on. */
export async function createDialogues ({ net, locate, compileSchema, clock, logger, count }: DialoguesParts): Promise<Dialogues> {
  const agents = new Map<string, Map<string, Taker>>()
  const open = new Set<Open>()
  const inbound = new Map<string, number>()
  let inboundOfAll = 0

  function keep (entry: Open): void {
    open.add(entry)
    void entry.dialogue.closed.then(() => { open.delete(entry) })
  }

  async function accept (stream: ByteStream): Promise<void> {
    const { peer } = stream
    const ofPeer = inbound.get(peer) ?? 0
    const full = ofPeer >= DIALOGUE.inboundPerPeer ? { what: 'open dialogues of one peer', limit: DIALOGUE.inboundPerPeer }
      : inboundOfAll >= DIALOGUE.inbound ? { what: 'open dialogues', limit: DIALOGUE.inbound } : undefined
    if (full !== undefined) {
      refuse(stream, new A2aError({ code: 'OVERLOADED', ...full }))
      return
    }
    inbound.set(peer, ofPeer + 1)
    inboundOfAll++
    await take(stream)
    inboundOfAll--
    const left = (inbound.get(peer) ?? 1) - 1
    if (left === 0) inbound.delete(peer)
    else inbound.set(peer, left)
  }

  /** Ends when its stream is closed and its handler has returned. Never rejects. */
  async function take (stream: ByteStream): Promise<void> {
    const frames = readFrames(stream)
    const late = (): A2aError => new A2aError({ code: 'NO_REPLY', peer: stream.peer, type: 'dialogue.open', waitedMs: DIALOGUE.openingMs })
    let opening: Envelope | undefined
    try {
      const checked = await bounded(stream, { clock, ms: DIALOGUE.openingMs, late }, () => readEnvelope(frames, stream.peer, net, clock))
      if ('refused' in checked) {
        refuse(stream, checked.refused.error, checked.refused.cause)
        return
      }
      opening = checked.envelope
      const taker = takerOf(opening, stream.peer)
      const data = readBody(opening)
      await writeEnvelope(stream, composeReply(opening, 'ack', {}, taker.author))
      await run(taker, opening, data, stream, frames)
    } catch (error) {
      refuse(stream, error, opening)
    }
  }

  /** @throws A2aError REFUSED, NOT_ALLOWED, MESSAGE_MALFORMED */
  function takerOf (opening: Envelope, peer: string): Taker {
    const { type, to, from, task: name = '' } = opening
    if (type !== 'dialogue.open') throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `a dialogue cannot begin with ${type}` })
    const takers = agents.get(to ?? '')
    if (takers === undefined) throw new A2aError({ code: 'REFUSED', why: 'there is no such agent here' })
    const taker = takers.get(name)
    if (taker === undefined) throw new A2aError({ code: 'REFUSED', why: `${to} takes no dialogue called ${name}` })
    if (!taker.public && !net.sameUser(peer)) throw new A2aError({ code: 'NOT_ALLOWED', capability: name, why: `the dialogue is not public, and ${from} is not of the same user on the same machine` })
    return taker
  }

  async function run ({ author, handler, receives, sends }: Taker, opening: Envelope, data: unknown, stream: ByteStream, frames: FrameStream): Promise<void> {
    const { task: name = '' } = opening
    const it = createDialogue({ stream, frames, clock, receives, sends, id: opening.messageId, name, with: opening.from, data })
    keep({ agentId: author.agentId, peer: stream.peer, dialogue: it })
    try {
      await handler(it.dialogue)
      it.finish()
    } catch (error) {
      if (!it.dialogue.signal.aborted) logger.warn('the handler of a dialogue failed', { name, with: opening.from, why: messageOf(error) })
      it.fail(failureOf(error, name))
    }
    await it.closed
  }

  /** An error, as the only thing said on the stream. */
  function refuse (stream: ByteStream, error: unknown, cause?: Pick<Envelope, 'messageId' | 'correlationId'>): void {
    const { failure } = error instanceof A2aError ? error : new A2aError({ code: 'INTERNAL', why: messageOf(error) })
    count(failure.code)
    logger.debug('a dialogue was refused', { peer: stream.peer, code: failure.code, why: messageOf(error) })
    const stop = clock.after(DIALOGUE.lingerMs, () => { stream.abort('the refusal was not taken in time') })
    stream.closed.addEventListener('abort', stop, { once: true })
    writeEnvelope(stream, nodeEnvelope(didOfPeer(net.peerId) ?? '', 'error', { failure: tellable(failure) }, cause, clock.now()))
      .then(() => stream.end())
      .catch(() => { stream.abort('refused') })
  }

  async function begin (author: Author, to: string, name: string, { data, timeoutMs = 5_000, signal }: DialogueOptions): Promise<Dialogue<any, any>> {
    checkName(name)
    const begun = clock.now()
    const leftMs = (): number => Math.max(1, timeoutMs - (clock.now() - begun))
    const id = author.newId()
    const opening = compose('dialogue.open', {}, author, { messageId: id, correlationId: id, to, task: name, ...toBody(data) })
    encodeEnvelope(opening)
    const { peer, addresses } = await locate(to, { signal, timeoutMs })
    const stream = await net.streams.open(peer, DIALOGUE_PROTOCOL, { addresses, signal, timeoutMs: leftMs(), windowBytes: DIALOGUE.streamWindowBytes })
    const frames = readFrames(stream)
    const late = (): A2aError => new A2aError({ code: 'NO_REPLY', peer, type: 'dialogue.open', waitedMs: timeoutMs })
    await bounded(stream, { clock, ms: leftMs(), late, signal }, async () => {
      await writeEnvelope(stream, opening)
      const checked = await readEnvelope(frames, peer, net, clock)
      if ('refused' in checked) throw checked.refused.error
      const { type, from, causationId } = checked.envelope
      if (type === 'error') throw errorOf(checked.envelope)
      if (type !== 'ack' || from !== to || causationId !== id) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `${type} of ${from} is no answer to the opening of a dialogue with ${to}` })
    }).catch((error: unknown) => {
      stream.abort(messageOf(error))
      throw error
    })
    const it = createDialogue({ stream, frames, clock, id, name, with: to, data })
    keep({ agentId: author.agentId, peer, dialogue: it })
    const onAbort = (): void => { void it.dialogue.cancel(messageOf(signal?.reason)) }
    signal?.addEventListener('abort', onAbort, { once: true })
    void it.closed.then(() => { signal?.removeEventListener('abort', onAbort) })
    if (signal?.aborted === true) onAbort()
    return it.dialogue
  }

  async function offer (takers: Map<string, Taker>, author: Author, name: string, handler: Handler, terms: DialogueTerms): Promise<TakenName> {
    checkName(name)
    const [receives, sends] = await Promise.all([terms.receives, terms.sends].map(schema => schema === undefined ? undefined : compileSchema(schema)))
    if (takers.has(name)) throw new A2aError({ code: 'BAD_USAGE', why: `dialogues called ${name} are taken already` })
    const taker: Taker = { author, handler, receives, sends, public: terms.public ?? false }
    takers.set(name, taker)
    return {
      name,
      [Symbol.asyncDispose]: async () => { if (takers.get(name) === taker) takers.delete(name) }
    }
  }

  await net.streams.handle(DIALOGUE_PROTOCOL, stream => { void accept(stream) }, { inboundPerPeer: DIALOGUE.inboundStreams, windowBytes: DIALOGUE.streamWindowBytes })

  return {
    of (author) {
      const takers = new Map<string, Taker>()
      agents.set(author.agentId, takers)
      return {
        onDialogue: (name, handler, terms = {}) => offer(takers, author, name, handler, terms),
        dialogue: (to, name, options = {}) => begin(author, to, name, options),
        async close (signal) {
          agents.delete(author.agentId)
          const ends = [...open].filter(({ agentId }) => agentId === author.agentId).map(({ dialogue }) => dialogue.dialogue.cancel('the agent stops'))
          const late = new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve() }, { once: true }) })
          if (!signal.aborted) await Promise.race([Promise.all(ends), late])
        }
      }
    },
    peerGone (peer, why) {
      for (const entry of open) if (entry.peer === peer) entry.dialogue.lose(why)
    }
  }
}

function checkName (name: string): void {
  if (name.length === 0 || name.length > 256) throw new A2aError({ code: 'BAD_USAGE', why: `"${name}" is no name for dialogues`, hint: 'use 1 to 256 characters' })
}

/** What a handler threw, for the other side: what it refused, or of the dialogue itself, as it is. */
function failureOf (error: unknown, name: string): A2aError {
  if (error instanceof A2aError) {
    const { failure } = error
    if (failure.code === 'REFUSED' || ('capability' in failure && failure.capability === name) || ('dialogue' in failure && failure.dialogue === name)) return error
  }
  return new A2aError({ code: 'HANDLER_FAILED', capability: name, why: messageOf(error) || 'it threw without a message', retryable: false }, { cause: error })
}
