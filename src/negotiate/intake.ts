/** The intake of what providers say about a task: bids and passes, and what the holder of its contract sends. */
import { readBid } from './offers.ts'
import { createResults, type ResultsParts } from './results.ts'
import { createStrays, upTo } from './strays.ts'
import { A2aError } from '../core/errors.ts'
import { hasEnded } from '../core/ending.ts'
import { BYTES_TYPE, toBase64 } from '../wire/body.ts'
import { composeReply, payloadOf } from '../wire/compose.ts'
import type { AnswerTimes } from './answer-times.ts'
import type { Orders } from './orders.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Logger, Origin, Wire } from '../core/ports.ts'
import type { RequesterEffect, RequesterEvent, RequesterTask } from '../core/requester.ts'
import type { MessageName } from '../wire/messages.ts'

export interface IntakeParts extends Omit<ResultsParts, 'recall' | 'refuseFenced' | 'heard'> {
  wire: Wire
  logger: Logger
  orders: Orders
  rttMs: (peer: string) => number | undefined
  answerTimes: AnswerTimes
  /** A task as the log has it. `undefined`: it is not there. */
  pastOf: (taskId: string) => RequesterTask | undefined
  /** Has an event stepped and written. */
  happen: (taskId: string, event: RequesterEvent) => void
  /** What is to be done before this end is closed. */
  track: (taskId: string, done: Promise<unknown>) => void
  /** Nothing is taken any more that would have to be kept. */
  isClosing: () => boolean
}

/** How often one task's late workers are told that it is over. */
const REMINDERS = 4
/** What leaves a trace in the log. */
const LASTING: ReadonlySet<string> = new Set<MessageName>(['task.artifact', 'task.input-required', 'task.result'])
/** What is said under a contract: its owner is told of the acceptance first. */
const FROM_WORK: ReadonlySet<string> = new Set<MessageName>(['task.progress', 'task.artifact', 'task.input-required', 'task.result'])

/**
 * Gives what takes a provider's message, and resolves with the reply to it, if it wants one, once what it says is on disk.
 * Throws STALE_EPOCH to whoever does not hold the contract, TASK_UNKNOWN, and MESSAGE_UNKNOWN.
 */
export function createIntake (parts: IntakeParts): (envelope: Envelope, origin: Origin) => Promise<Envelope | undefined> {
  const { author, wire, clock, logger, book, orders, happen, answerTimes } = parts
  const isStray = createStrays()
  const mayRemind = upTo(REMINDERS)
  const takeResult = createResults({ ...parts, recall, refuseFenced, heard: (taskId, holder) => { happen(taskId, { type: 'heard', at: clock.now(), ...holder }) } })

  const nextTurn = (): Promise<void> => new Promise(resolve => { clock.after(0, resolve) })

  /** A task as it stands; one that ended before a restart, or long ago, is in the log, and its result is answered as it was. */
  function recall (taskId: string): RequesterTask | undefined {
    const task = book.get(taskId)
    if (task !== undefined) return task
    const past = parts.pastOf(taskId)
    if (past === undefined || !hasEnded(past)) return undefined
    book.restore(taskId, past, [])
    return past
  }

  /** What is acknowledged is kept: by a process that goes on, for a task that there is. */
  function heldOpen (taskId: string): RequesterTask {
    if (parts.isClosing()) throw new A2aError({ code: 'PEER_UNREACHABLE', peer: wire.peerId, why: 'its node is shutting down' })
    const task = recall(taskId)
    if (task === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
    return task
  }

  function refuseFenced (taskId: string, epoch: number, effects: RequesterEffect[]): void {
    if (!effects.some(({ type }) => type === 'fence')) return
    logger.warn('a message of an award that is over was refused', { taskId, epoch, current: book.get(taskId)?.epoch })
    throw new A2aError({ code: 'STALE_EPOCH', taskId, epoch, current: book.get(taskId)?.epoch ?? 0 })
  }

  return async (envelope, { peer }) => {
    const { correlationId: taskId, from: provider, epoch = 0, sequence = 0 } = envelope
    const at = clock.now()
    const heard = { at, provider, epoch }
    const known = LASTING.has(envelope.type) ? recall(taskId) : book.get(taskId)
    if (LASTING.has(envelope.type) && known !== undefined && isStray(known, provider, epoch)) throw new A2aError({ code: 'STALE_EPOCH', taskId, epoch, current: known.epoch })
    // The acceptance, which came just before it, may still be on its way to whoever waits for that reply.
    if (FROM_WORK.has(envelope.type) && known?.stage === 'awarded') await nextTurn()
    switch (envelope.type) {
      case 'task.bid': {
        answerTimes.answered(envelope.causationId, provider, at)
        const bid = readBid(envelope, peer, { at, task: known, rttMs: parts.rttMs(peer) })
        if (book.get(taskId) === undefined) return undefined
        await book.apply(taskId, { type: 'bid', at, bid }).done
        return undefined
      }
      case 'task.pass': {
        answerTimes.answered(envelope.causationId, provider, at)
        const { round, reason, code } = payloadOf(envelope, 'task.pass')
        await book.apply(taskId, { type: 'passed', at, provider, round, reason, code }).done
        return undefined
      }
      case 'task.heartbeat':
        await book.apply(taskId, { type: 'heard', ...heard }).done
        // It did not hear that its contract is over.
        if (known !== undefined && (known.stage === 'failed' || epoch < known.epoch) && mayRemind(taskId)) parts.track(taskId, orders.dismiss(taskId, { peer, provider }, epoch, 'it is over'))
        return undefined
      case 'task.progress': {
        await book.apply(taskId, { type: 'progress', ...heard, sequence, ...payloadOf(envelope, 'task.progress') }).done
        return undefined
      }
      case 'task.artifact': {
        const { name, append = false, last = false } = payloadOf(envelope, 'task.artifact')
        const task = heldOpen(taskId)
        // What is late is refused, and what comes again is there: their bytes are nothing to keep. That it came is, so that it is acknowledged after what it repeats.
        const isNew = epoch === task.epoch && !(task.stage === 'working' && sequence <= task.sequence)
        const data = isNew ? toBase64(envelope.content ?? new Uint8Array()) : ''
        const { effects, done } = book.apply(taskId, { type: 'artifact', ...heard, sequence, name, append, last, mediaType: envelope.mediaType ?? BYTES_TYPE, data })
        await done
        refuseFenced(taskId, epoch, effects)
        return composeReply(envelope, 'ack', {}, author)
      }
      case 'task.input-required': {
        const { prompt, schema } = payloadOf(envelope, 'task.input-required')
        heldOpen(taskId)
        const { effects, done } = book.apply(taskId, { type: 'input-required', ...heard, sequence, prompt, schema })
        await done
        refuseFenced(taskId, epoch, effects)
        return composeReply(envelope, 'ack', {}, author)
      }
      case 'task.result': return await takeResult(envelope)
      default: throw new A2aError({ code: 'MESSAGE_UNKNOWN', type: envelope.type })
    }
  }
}
