/** A network that delays, drops, doubles, reorders and partitions. What a sender learns of it is what a real one would. */
import { A2aError, type Failure } from '../core/errors.ts'
import { parsePayload, type MessageName } from '../wire/messages.ts'
import { decodeEnvelope, encodeEnvelope } from '../wire/envelope.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, EnvelopeHandler, Wire } from '../core/ports.ts'
import type { History } from './history.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** Probabilities from 0 to 1, and milliseconds. */
export interface NetworkFaults {
  drop: number
  double: number
  /** Of a message that takes up to `lateMs` instead of up to `delayMs`. */
  late: number
  delayMs: number
  lateMs: number
}

export const QUIET: NetworkFaults = { drop: 0, double: 0, late: 0, delayMs: 20, lateMs: 20 }

/** One life of a host's process on the network. */
export interface Plug {
  readonly peerId: string
  readonly agentId: string
  readonly clock: Clock
  /** Runs now, or when the process is thawed, or never when it has died. */
  whenAwake: (run: () => void) => void
  alive: () => boolean
  handle: EnvelopeHandler
}

export interface Network {
  /** Takes the place of a plug with the same peer id. */
  plug: (plug: Plug) => { wire: Wire, publish: (envelope: Envelope) => void }
  setFaults: (faults: NetworkFaults) => void
  /** Peers in different groups do not hear each other. None: everybody hears everybody. */
  partition: (groups: string[][]) => void
  apart: (a: string, b: string) => boolean
  alive: (peer: string) => boolean
}

const REQUEST_MS = 5_000
const REPLIES: ReadonlySet<string> = new Set<MessageName>(['ack', 'error', 'task.accept', 'task.refuse', 'task.settled'])

export function createNetwork ({ timeline, random, history }: { timeline: Timeline, random: Random, history: History }): Network {
  const plugs = new Map<string, Plug>()
  let faults = QUIET
  let groups: string[][] = []
  const apart = (a: string, b: string): boolean => groups.length > 0 && a !== b && !groups.some(group => group.includes(a) && group.includes(b))

  function delay (): number {
    return random.between(1, random.chance(faults.late) ? faults.lateMs : faults.delayMs)
  }

  /** Brings an envelope to a peer, once, never, or twice. */
  function carry (from: Plug, to: string, envelope: Envelope): void {
    const text = `${envelope.type} ${envelope.correlationId}${envelope.epoch === undefined ? '' : ` e${envelope.epoch}`} to ${to}`
    if (apart(from.peerId, to) || random.chance(faults.drop)) return history.note(from.peerId, `lost ${text}`)
    const bytes = encodeEnvelope(envelope)
    for (let copies = random.chance(faults.double) ? 2 : 1; copies > 0; copies--) {
      timeline.after(delay(), () => {
        const receiver = plugs.get(to)
        if (receiver === undefined || !receiver.alive() || apart(from.peerId, to)) return history.note(from.peerId, `lost ${text}`)
        receiver.whenAwake(() => { receive(receiver, from, bytes) })
      })
    }
  }

  function receive (receiver: Plug, from: Plug, bytes: Uint8Array): void {
    const envelope = decodeEnvelope(bytes)
    const { type, correlationId, epoch } = envelope
    history.note(receiver.peerId, `gets ${type} ${correlationId}${epoch === undefined ? '' : ` e${epoch}`} from ${from.peerId}`)
    const checked = { ...envelope, payload: parsePayload(type as MessageName, envelope.payload) }
    // The channel authenticates its sender, so nobody speaks for others.
    if (envelope.from !== from.agentId) return
    const waiting = envelope.causationId === undefined ? undefined : replies.get(`${receiver.peerId} ${from.peerId} ${envelope.causationId}`)
    if (waiting !== undefined && waiting.plug === receiver) return waiting.settle(checked)
    // A late reply: nobody waits for it any more.
    if (REPLIES.has(type)) return
    void answer(receiver, from, checked)
  }

  async function answer (receiver: Plug, from: Plug, envelope: Envelope): Promise<void> {
    let reply: Envelope | undefined
    try {
      reply = await receiver.handle(envelope, { peer: from.peerId })
    } catch (error) {
      if (!(error instanceof A2aError)) throw error
      reply = { ...envelope, messageId: `error-${envelope.messageId}`, causationId: envelope.messageId, from: receiver.agentId, to: envelope.from, type: 'error', payload: { failure: error.failure }, content: undefined, auth: undefined }
    }
    if (reply !== undefined && receiver.alive()) carry(receiver, from.peerId, reply)
  }

  interface Waiting { plug: Plug, settle: (reply: Envelope) => void }
  const replies = new Map<string, Waiting>()

  function plug (own: Plug): ReturnType<Network['plug']> {
    plugs.set(own.peerId, own)

    /** Rejects when nothing listens there, as a refused connection tells at once. */
    async function send (peer: string, envelope: Envelope): Promise<void> {
      if (!own.alive()) return await never()
      const receiver = plugs.get(peer)
      const unreachable = (receiver === undefined || !receiver.alive()) && !apart(own.peerId, peer)
      if (!unreachable) return carry(own, peer, envelope)
      const { promise, reject } = Promise.withResolvers<void>()
      own.clock.after(delay(), () => { reject(new A2aError({ code: 'PEER_UNREACHABLE', peer, why: 'connection refused' })) })
      return await promise
    }

    async function request (peer: string, envelope: Envelope, { timeoutMs = REQUEST_MS } = {}): Promise<Envelope> {
      const key = `${own.peerId} ${peer} ${envelope.messageId}`
      const { promise, resolve, reject } = Promise.withResolvers<Envelope>()
      replies.set(key, {
        plug: own,
        settle: reply => {
          if (reply.type === 'error') reject(new A2aError((reply.payload as { failure: Failure }).failure))
          else resolve(reply)
        }
      })
      const stop = own.clock.after(timeoutMs, () => { reject(new A2aError({ code: 'NO_REPLY', peer, type: envelope.type, waitedMs: timeoutMs })) })
      send(peer, envelope).catch(reject)
      try {
        return await promise
      } finally {
        stop()
        replies.delete(key)
      }
    }

    return {
      wire: { peerId: own.peerId, send, request },
      publish: envelope => {
        if (!own.alive()) return
        for (const peer of plugs.keys()) if (peer !== own.peerId) carry(own, peer, envelope)
      }
    }
  }

  return { plug, apart, alive: peer => plugs.get(peer)?.alive() === true, setFaults: next => { faults = next }, partition: next => { groups = next } }
}

const never = async (): Promise<never> => await new Promise<never>(() => {})
