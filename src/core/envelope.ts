/**
 * The one message format (M1). Protocol Buffers on the wire (wire/envelope.proto), JSON for people and gateways
 * (wire/json.ts). `payload` is the message's own body, JSON checked against the schema of its type (wire/messages.ts).
 * `content` is data that travels with it: a task's input, an artifact, a result. A signature covers everything but
 * `content`, whose hash stands in the payload where it matters; so proofs stay small.
 */
export interface Envelope {
  /** Major version of the protocol. */
  version: number
  /** ULID: unique, and sorts by time. */
  messageId: string
  /** The task's id: the same in all messages of a task. */
  correlationId: string
  /** The message that this one answers. */
  causationId?: string
  /** `did:key` of the agent that speaks. */
  from: string
  /** `did:key` of the agent spoken to. Absent in announcements and adverts, which are for everybody. */
  to?: string
  /** Milliseconds since the epoch, by the sender's clock. Decides nothing. */
  timestamp: number
  /** Which message it is; see wire/messages.ts. */
  type: string
  /** Capability the message is about, where there is one. */
  task?: string
  /** What is left of the deadline, in ms: relative, so clocks may differ. */
  remainingMs?: number
  /** What is left of the budget, in the requester's cost units. */
  remainingCost?: number
  /** How many more nodes may pass it on. */
  hopsLeft?: number
  /** How many delegations deep the task is; 0 for one that a person asked for. */
  depth?: number
  /** Agents the task has come through, the first requester first. At most 16. */
  visited?: string[]
  idempotencyKey?: string
  /** Fencing token of the award this belongs to. */
  epoch?: number
  /** Number of this message in its stream, from 1. */
  sequence?: number
  /** W3C Trace Context. */
  traceparent?: string
  /** The body, according to `type`. */
  payload: unknown
  mediaType?: string
  content?: Uint8Array
  auth?: Auth
}

export interface Auth {
  /** The sender's encoded credential. */
  credential: Uint8Array
  /** The encoded envelope with its signature, without `content`: what is kept as proof, and what is hashed. */
  statement: Uint8Array
}

/** The major version of the protocol spoken here. */
export const PROTOCOL_VERSION = 1
