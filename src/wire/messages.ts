/**
 * Every message as data: its type, whether it is signed, how large its parts may be, and the schema of its payload.
 * docs/protocol.md describes them for people; test/wire holds a golden vector of each.
 *
 * Unknown fields are kept out of the parsed payload and never refused, so that version N reads what N+1 writes.
 */
import * as z from 'zod/mini'
import english from 'zod/v4/locales/en.js'
import { A2aError } from '../core/errors.ts'

// What does not fit is told in words, which zod/mini does not bring along by itself.
z.config(english())

const id = z.string().check(z.minLength(1), z.maxLength(64))
const did = z.string().check(z.startsWith('did:key:z'), z.maxLength(128))
const peerId = z.string().check(z.minLength(8), z.maxLength(128))
const text = (max: number) => z.string().check(z.maxLength(max))
const count = z.int().check(z.nonnegative())
const amount = z.number().check(z.nonnegative())
const share = z.number().check(z.gte(0), z.lte(1))
/** Not z.base64url(): it decodes all that it looks at. */
const base64 = (maxBytes: number) => z.string().check(z.maxLength(Math.ceil(maxBytes * 4 / 3)), z.refine(given => given.length % 4 !== 1 && /^[\w-]*$/.test(given), 'is no base64url'))
/** SHA-256 in base64url. */
const hash = z.string().check(z.regex(/^[\w-]{43}$/))
const jsonSchema = z.record(z.string(), z.unknown())
const addresses = z.array(text(256)).check(z.maxLength(16))

const capability = z.object({
  name: text(256),
  version: z.int().check(z.positive()),
  description: z.optional(text(1_024)),
  input: z.optional(jsonSchema),
  output: z.optional(jsonSchema),
  media_types: z.optional(z.array(text(128)).check(z.maxLength(8))),
  price_hint: z.optional(amount),
  public: z.optional(z.boolean())
})

/** Terms of service: how often progress is shown, and what share of the cost is taken off a late result. */
const sla = {
  progress_ms: z.optional(z.number().check(z.positive())),
  late_penalty: z.optional(share)
}

const failure = z.looseObject({ code: text(64) })

/** What both sides agreed to. */
const terms = z.object({
  cost: amount,
  /** What the bidder promised; breached at `sla_ms`. */
  duration_ms: z.optional(amount),
  sla_ms: z.optional(amount),
  /** Silence longer than this ends the contract. */
  lease_ms: z.int().check(z.positive()),
  ...sla,
  /** What happens at silence, failure or breach. */
  fallback: z.literal('next-bidder')
})

/** The outcome of a contract, as both sign it. */
const receipt = z.object({
  task_id: id,
  capability: text(256),
  epoch: count,
  requester: did,
  provider: did,
  outcome: z.enum(['completed', 'failed']),
  failure: z.optional(text(64)),
  /** Hash of the award's signed bytes: the contract this settles. */
  contract_hash: hash,
  input_hash: hash,
  output_hash: z.optional(hash),
  cost: amount,
  /** What was taken off the cost because it was late. */
  penalty: z.optional(amount),
  /** What delegations of the work came to, beside `cost`. */
  spent: z.optional(amount),
  duration_ms: amount,
  ended_at: count,
  /** Hash of the provider's receipt before this one. */
  previous: hash
})

/** Which of the messages waiting for a peer leave first: control before normal before low. */
export type Lane = 'control' | 'normal' | 'low'

interface MessageType {
  /** Signed always, whatever the channel: it outlives it, or passes other hands. */
  signed: boolean
  /** Largest payload and content in bytes. Content 0: none allowed. */
  maxPayload: number
  maxContent: number
  payload: z.ZodMiniType
}

const KiB = 1_024
/** The largest piece of data inside one message. Larger things are for bulk streams. */
export const MAX_CONTENT = 4 * KiB * KiB
const small = { signed: false, maxPayload: 4 * KiB, maxContent: 0 }

export const messages = {
  // The channel. The first message each way says who speaks on it.
  hello: {
    signed: false, maxPayload: 64 * KiB, maxContent: 0,
    payload: z.object({
      /** Credentials of the agents hosted by this node. */
      credentials: z.array(base64(1_024)).check(z.maxLength(128)),
      /** Proof of being the same user on the same machine; see net/rendezvous.ts. */
      user_proof: z.optional(hash),
      software: z.optional(text(64)),
      /** It takes `hello.more`: only news is told to it from then on. */
      more: z.optional(z.boolean())
    })
  },
  /** Agents beside those of the hello before, or newer credentials of the same. */
  'hello.more': {
    signed: false, maxPayload: 64 * KiB, maxContent: 0,
    payload: z.object({ credentials: z.array(base64(1_024)).check(z.maxLength(128)) })
  },
  error: { ...small, payload: z.object({ failure }) },
  /** To `task.revoke` with what delegations of the work came to. */
  ack: { ...small, payload: z.object({ spent: z.optional(amount) }) },
  ping: { ...small, payload: z.object({}) },

  // Between agents: a question and its answer, and what wants none. `task` is its name, the content JSON or bytes, as media_type says.
  request: { ...small, maxContent: MAX_CONTENT, payload: z.object({}) },
  reply: { ...small, maxContent: MAX_CONTENT, payload: z.object({}) },
  tell: { ...small, maxContent: MAX_CONTENT, payload: z.object({}) },
  /** The first on a stream of its own. The content is for the handler. */
  'dialogue.open': { ...small, maxContent: 64 * KiB, payload: z.object({}) },
  /** Nobody waits any more for the reply to the request that is its cause. */
  cancel: { ...small, payload: z.object({}) },

  // Discovery
  advert: {
    signed: true, maxPayload: 64 * KiB, maxContent: 0,
    payload: z.object({
      agent_id: did,
      name: z.optional(text(64)),
      sequence: count,
      capabilities: z.array(capability).check(z.maxLength(64)),
      protocols: z.array(text(128)).check(z.maxLength(16)),
      peer_id: peerId,
      endpoints: addresses,
      load: share,
      region: z.optional(text(64)),
      /** How long it holds, in seconds, from when it is heard. 0 withdraws it. */
      ttl: count
    })
  },
  'advert.query': {
    ...small,
    payload: z.object({
      pattern: z.optional(text(256)),
      agent_id: z.optional(did),
      limit: z.int().check(z.gte(1), z.lte(256)),
      /** Only what is known there is wanted: who asks looks around itself. */
      local: z.optional(z.boolean())
    })
  },
  'advert.list': {
    signed: false, maxPayload: 1_024 * KiB, maxContent: 0,
    payload: z.object({
      adverts: z.array(base64(96 * KiB)).check(z.maxLength(256)),
      /** To `advert.sync`: there is more than fits here. */
      more: z.optional(z.boolean())
    })
  },
  /** What the agent of a node said that knows of no keepers, for its keepers. */
  'advert.relay': { signed: false, maxPayload: 128 * KiB, maxContent: 0, payload: z.object({ advert: base64(96 * KiB) }) },
  'advert.survey': { ...small, payload: z.object({}) },
  'advert.digest': {
    signed: false, maxPayload: 128 * KiB, maxContent: 0,
    payload: z.object({
      /** Agents known in all. */
      agents: count,
      /** By the first label of what they offer; those that offer nothing under ''. */
      domains: z.array(z.object({
        domain: text(64),
        agents: count,
        /** Exclusive or of the first 8 bytes of the SHA-256 of each advert. */
        digest: z.base64url().check(z.length(11))
      })).check(z.maxLength(1_024))
    })
  },
  'advert.sync': {
    signed: false, maxPayload: 64 * KiB, maxContent: 0,
    payload: z.object({
      domains: z.array(text(64)).check(z.maxLength(64)),
      /** Of `of` parts of these agents, by the first 4 bytes of the SHA-256 of their ids. */
      part: z.optional(count),
      of: z.optional(z.int().check(z.gte(1), z.lte(1_024))),
      /** The first 8 bytes of the SHA-256 of each advert that is there already. */
      have: base64(32 * KiB),
      limit: z.int().check(z.gte(1), z.lte(256))
    })
  },

  // Negotiation
  'task.announce': {
    signed: true, maxPayload: 8 * KiB, maxContent: 0,
    payload: z.object({
      capability: text(256),
      round: z.int().check(z.gte(1), z.lte(65_535)),
      /** The window for bids, from now. */
      closes_in_ms: amount,
      max_cost: z.optional(amount),
      max_duration_ms: z.optional(amount),
      input_bytes: count,
      sla: z.optional(z.object(sla)),
      /** Where to send the bid. */
      peer_id: peerId,
      endpoints: addresses,
      exclude: z.array(did).check(z.maxLength(32))
    })
  },
  'task.bid': {
    signed: true, maxPayload: 4 * KiB, maxContent: 0,
    payload: z.object({
      round: z.int(),
      cost: amount,
      duration_ms: z.optional(amount),
      confidence: share,
      load: share,
      /** How long the bid stands. */
      valid_ms: amount,
      /** It is beyond what was asked for: it costs more, or takes longer. */
      counter: z.optional(z.boolean()),
      /** To the terms of service in `sla` of the announcement. */
      agrees: z.optional(z.boolean())
    })
  },
  /** Other terms for a bid. */
  'task.counter': {
    signed: true, maxPayload: 4 * KiB, maxContent: 0,
    payload: z.object({
      round: z.int(),
      /** The first counter-offer to this bidder, or the second. */
      turn: z.int().check(z.gte(1), z.lte(16)),
      bid_id: id,
      cost: z.optional(amount),
      duration_ms: z.optional(amount),
      /** How long an answer is waited for, from now. */
      closes_in_ms: amount
    })
  },
  'task.pass': { ...small, payload: z.object({ round: z.int(), reason: text(512), code: z.optional(text(64)) }) },
  'task.standby': { ...small, payload: z.object({ rank: z.int() }) },
  'task.decline': { ...small, payload: z.object({ reason: text(512) }) },
  'task.award': {
    signed: true, maxPayload: 8 * KiB, maxContent: MAX_CONTENT,
    payload: z.object({ capability: text(256), bid_id: id, terms, input_hash: hash, requester_peer: peerId, endpoints: addresses })
  },
  'task.accept': { signed: true, maxPayload: 4 * KiB, maxContent: 0, payload: z.object({ contract_hash: hash }) },
  'task.refuse': { signed: true, maxPayload: 4 * KiB, maxContent: 0, payload: z.object({ reason: text(512), retryable: z.boolean() }) },

  // The work
  'task.heartbeat': { ...small, payload: z.object({}) },
  'task.progress': { ...small, payload: z.object({ fraction: z.optional(share), note: z.optional(text(512)) }) },
  'task.artifact': { ...small, maxContent: MAX_CONTENT, payload: z.object({ name: text(256), append: z.optional(z.boolean()), last: z.optional(z.boolean()) }) },
  'task.input-required': { ...small, maxPayload: 16 * KiB, payload: z.object({ prompt: text(4_096), schema: z.optional(jsonSchema) }) },
  'task.input': { ...small, maxContent: MAX_CONTENT, payload: z.object({}) },
  'task.revoke': { signed: true, maxPayload: 4 * KiB, maxContent: 0, payload: z.object({ reason: text(512) }) },

  // Settlement
  'task.result': {
    signed: true, maxPayload: 16 * KiB, maxContent: MAX_CONTENT,
    payload: z.object({
      outcome: z.enum(['completed', 'failed']),
      failure: z.optional(failure),
      output_hash: z.optional(hash),
      /** The signed bytes of the `task.receipt` envelope. */
      receipt: base64(8 * KiB)
    })
  },
  'task.settled': {
    signed: false, maxPayload: 8 * KiB, maxContent: 0,
    /** The signed bytes of the `task.countersign` envelope. */
    payload: z.object({ countersignature: base64(6 * KiB) })
  },
  'task.receipt': { signed: true, maxPayload: 4 * KiB, maxContent: 0, payload: receipt },
  'task.countersign': {
    signed: true, maxPayload: 4 * KiB, maxContent: 0,
    payload: z.object({
      /** Hash of the provider's receipt envelope. */
      receipt_hash: hash,
      accepted: z.boolean(),
      /** Hash of the requester's receipt before this one. */
      previous: hash
    })
  }
} as const satisfies Record<string, MessageType>

export type MessageName = keyof typeof messages
export type Payload<T extends MessageName> = z.infer<(typeof messages)[T]['payload']>

/** What keeps a channel, a lease or a contract alive does not wait behind data. Nothing is here that must not overtake what its sender said before. */
const CONTROL: ReadonlySet<string> = new Set<MessageName>(['hello', 'hello.more', 'error', 'ack', 'ping', 'task.heartbeat', 'task.accept', 'task.refuse', 'task.settled'])
const LOW: ReadonlySet<string> = new Set<MessageName>(['advert.list'])

export const laneOf = (type: string): Lane => CONTROL.has(type) ? 'control' : LOW.has(type) ? 'low' : 'normal'

export const isMessageName = (type: string): type is MessageName => Object.hasOwn(messages, type)

/**
 * The payload of a message, checked against the schema of its type.
 * @throws A2aError MESSAGE_UNKNOWN, MESSAGE_MALFORMED
 */
export function parsePayload<T extends MessageName> (type: T, payload: unknown): Payload<T> {
  if (!isMessageName(type)) throw new A2aError({ code: 'MESSAGE_UNKNOWN', type })
  const parsed = messages[type].payload.safeParse(payload)
  if (parsed.success) return parsed.data as Payload<T>
  const [issue] = parsed.error.issues
  throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `${type}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}` })
}
