/** A network that delays, drops, doubles, reorders and is cut. What a sender learns of it is what a real one would. */
import { A2aError, type Failure } from '../core/errors.ts'
import { parsePayload, type MessageName } from '../wire/messages.ts'
import { decodeEnvelope, encodeEnvelope } from '../wire/envelope.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, EnvelopeHandler, Wire } from '../core/ports.ts'
import type { Fault } from './faults.ts'
import type { History } from './history.ts'
import { streamOf, type Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** The faults that concern messages. Those of hosts are named by their peers. */
export type NetworkFault = Extract<Fault, { kind: 'drop' | 'double' | 'delay' | 'reorder' | 'cut' }>

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
  /** Lets a fault begin. The returned function ends it. */
  begin: (fault: NetworkFault) => () => void
  /** Whether what one sends is cut off from the other. */
  apart: (from: string, to: string) => boolean
  alive: (peer: string) => boolean
}

const REQUEST_MS = 5_000
/** What a message takes when all is well, at most, in ms. */
const WELL_MS = 20
const REPLIES: ReadonlySet<string> = new Set<MessageName>(['ack', 'error', 'task.accept', 'task.refuse', 'task.settled'])

export function createNetwork ({ timeline, seed, history }: { timeline: Timeline, seed: number, history: History }): Network {
  const plugs = new Map<string, Plug>()
  const faults = new Set<NetworkFault>()
  const links = new Map<string, Random>()

  const of = <K extends NetworkFault['kind']>(kind: K): Array<Extract<NetworkFault, { kind: K }>> => [...faults].filter(fault => fault.kind === kind) as Array<Extract<NetworkFault, { kind: K }>>
  const apart = (from: string, to: string): boolean => of('cut').some(cut =>
    (cut.from.includes(from) && cut.to.includes(to)) || (cut.oneWay !== true && cut.to.includes(from) && cut.from.includes(to)))

  function linkOf (from: string, to: string): Random {
    const name = `${from} ${to}`
    const link = links.get(name) ?? streamOf(seed, name)
    links.set(name, link)
    return link
  }

  /** Each message draws as many numbers, whatever the faults: those that come after it meet the same luck. */
  function luckOf (from: string, to: string): { lost: boolean, delaysMs: number[] } {
    const link = linkOf(from, to)
    const [drop, double, ...late] = [link.next(), link.next(), link.next(), link.next()]
    const slow = [link.next(), link.next()]
    const mostMs = of('delay').reduce((most, { ms }) => Math.max(most, ms), WELL_MS)
    const delaysMs = slow.map((share, copy) => {
      const longMs = of('reorder').reduce((most, { chance, ms }) => (late[copy] as number) < chance ? Math.max(most, ms) : most, mostMs)
      return 1 + Math.floor(share * longMs)
    })
    return {
      lost: of('drop').some(({ chance }) => drop < chance),
      delaysMs: of('double').some(({ chance }) => double < chance) ? delaysMs : delaysMs.slice(0, 1)
    }
  }

  /** Brings an envelope to a peer, once, never, or twice. */
  function carry (from: Plug, to: string, envelope: Envelope): void {
    const text = `${envelope.type} ${envelope.correlationId}${envelope.epoch === undefined ? '' : ` e${envelope.epoch}`} to ${to}`
    const { lost, delaysMs } = luckOf(from.peerId, to)
    if (lost || apart(from.peerId, to)) return history.note(from.peerId, `lost ${text}`)
    const bytes = encodeEnvelope(envelope)
    for (const ms of delaysMs) {
      timeline.after(ms, () => {
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
      const isRefused = (receiver === undefined || !receiver.alive()) && !apart(own.peerId, peer) && !apart(peer, own.peerId)
      if (!isRefused) return carry(own, peer, envelope)
      const { promise, reject } = Promise.withResolvers<void>()
      own.clock.after(linkOf(own.peerId, peer).between(1, WELL_MS), () => { reject(new A2aError({ code: 'PEER_UNREACHABLE', peer, why: 'connection refused' })) })
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

  return {
    plug, apart,
    alive: peer => plugs.get(peer)?.alive() === true,
    begin: fault => {
      faults.add(fault)
      return () => { faults.delete(fault) }
    }
  }
}

const never = async (): Promise<never> => await new Promise<never>(() => {})
