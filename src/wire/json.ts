/**
 * The JSON form of an envelope, for people and gateways. Nothing is lost: `fromJson(toJson(e))` is `e`, and a signature
 * holds again, because the bytes it covers come out the same; only fields that this version does not know are left out,
 * and an envelope that had some does not verify after its way through JSON.
 */
import * as z from 'zod/mini'
import { A2aError } from '../core/errors.ts'
import { decodeEnvelope, encodeEnvelope, joinStatement, openStatement } from './envelope.ts'
import type { Auth, Envelope } from '../core/envelope.ts'

const JSON_MEDIA_TYPE = 'application/json'
const text = z.string()
const count = z.int().check(z.gte(0), z.lte(0xffff_ffff))
const bytes = z.base64url()
/** As Date.toISOString() writes it; the fraction of a second may be left out. */
const timestamp = z.string().check(z.regex(/^(\d{4}|\+\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/), z.refine(at => Date.parse(at) >= 0, 'is no time since 1970'))

const envelopeJson = z.object({
  version: count,
  message_id: text,
  correlation_id: text,
  causation_id: z.optional(text),
  from: text,
  to: z.optional(text),
  timestamp,
  type: text,
  payload: z.object({
    task: z.optional(text),
    /** The payload of the type; see messages.ts. */
    parameters: z.optional(z.unknown()),
    constraints: z.optional(z.object({ max_duration_ms: z.optional(count), max_cost_tokens: z.optional(z.number()) })),
    media_type: z.optional(text),
    content: z.optional(bytes),
    content_json: z.optional(z.unknown())
  }),
  hops_left: z.optional(count),
  depth: z.optional(count),
  visited: z.optional(z.array(text)),
  idempotency_key: z.optional(text),
  epoch: z.optional(count),
  sequence: z.optional(count),
  traceparent: z.optional(text),
  auth: z.optional(z.object({ credential: bytes, signature: bytes.check(z.length(86)) }))
})

/** What `toJson` gives: JSON, with the field names of docs/protocol.md. */
export type EnvelopeJson = z.infer<typeof envelopeJson>

/**
 * Content of media type application/json stands in `content_json` as it is, when its bytes are those that
 * JSON.stringify gives; else, as all other content, in `content` as base64url.
 */
export function toJson (envelope: Envelope): EnvelopeJson {
  const { remainingMs, remainingCost, auth } = envelope
  return pruned({
    version: envelope.version,
    message_id: envelope.messageId,
    correlation_id: envelope.correlationId,
    causation_id: envelope.causationId,
    from: envelope.from,
    to: envelope.to,
    timestamp: new Date(envelope.timestamp).toISOString(),
    type: envelope.type,
    payload: pruned({
      task: envelope.task,
      parameters: envelope.payload,
      constraints: remainingMs === undefined && remainingCost === undefined ? undefined : pruned({ max_duration_ms: remainingMs, max_cost_tokens: remainingCost }),
      media_type: envelope.mediaType,
      ...contentToJson(envelope)
    }),
    hops_left: envelope.hopsLeft,
    depth: envelope.depth,
    visited: envelope.visited,
    idempotency_key: envelope.idempotencyKey,
    epoch: envelope.epoch,
    sequence: envelope.sequence,
    traceparent: envelope.traceparent,
    auth: auth && { credential: toBase64(auth.credential), signature: toBase64(openStatement(auth.statement).signature) }
  })
}

/**
 * The envelope of its JSON form, with the same checks that one from the wire goes through. Unknown fields are ignored.
 * @throws A2aError MESSAGE_MALFORMED naming the field, MESSAGE_TOO_LARGE, VERSION_UNSUPPORTED
 */
export function fromJson (json: unknown): Envelope {
  const parsed = envelopeJson.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw malformed(`${issue?.path.join('.') || 'envelope'}: ${issue?.message ?? ''}`)
  }
  const { payload, auth, ...rest } = parsed.data
  const envelope: Envelope = {
    version: rest.version,
    messageId: rest.message_id,
    correlationId: rest.correlation_id,
    causationId: rest.causation_id,
    from: rest.from,
    to: rest.to,
    timestamp: Date.parse(rest.timestamp),
    type: rest.type,
    task: payload.task,
    remainingMs: payload.constraints?.max_duration_ms,
    remainingCost: payload.constraints?.max_cost_tokens,
    hopsLeft: rest.hops_left,
    depth: rest.depth,
    visited: rest.visited,
    idempotencyKey: rest.idempotency_key,
    epoch: rest.epoch,
    sequence: rest.sequence,
    traceparent: rest.traceparent,
    payload: payload.parameters === undefined ? {} : payload.parameters,
    mediaType: payload.media_type,
    content: contentFromJson(payload)
  }
  // By way of the wire: what comes back has passed every check there, and is what its statement says.
  return decodeEnvelope(encodeEnvelope(auth === undefined ? envelope : { ...envelope, auth: authFromJson(envelope, auth) }))
}

function contentToJson ({ content, mediaType }: Envelope): Pick<EnvelopeJson['payload'], 'content' | 'content_json'> {
  if (content === undefined) return {}
  const value = mediaType === JSON_MEDIA_TYPE ? parseExactly(content) : undefined
  return value === undefined ? { content: toBase64(content) } : { content_json: value }
}

function contentFromJson (payload: EnvelopeJson['payload']): Uint8Array | undefined {
  if (payload.content_json === undefined) return payload.content === undefined ? undefined : fromBase64(payload.content)
  if (payload.content !== undefined) throw malformed('payload.content_json: there is payload.content too')
  if (payload.media_type !== JSON_MEDIA_TYPE) throw malformed(`payload.content_json: media_type is not ${JSON_MEDIA_TYPE}`)
  return Buffer.from(JSON.stringify(payload.content_json))
}

/** The value of a JSON text, when writing it again gives the same bytes. */
function parseExactly (content: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(content).toString())
    return Buffer.from(JSON.stringify(value)).equals(content) ? value : undefined
  } catch {
    return undefined
  }
}

function authFromJson (envelope: Envelope, auth: { credential: string, signature: string }): Auth {
  const credential = fromBase64(auth.credential)
  return { credential, statement: joinStatement(envelope, credential, fromBase64(auth.signature)) }
}

/** Without the fields that are undefined, which JSON does not have. */
function pruned<T extends object> (object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T
}

const toBase64 = (data: Uint8Array): string => Buffer.from(data).toString('base64url')
const fromBase64 = (data: string): Uint8Array => Buffer.from(data, 'base64url')
const malformed = (why: string): A2aError => new A2aError({ code: 'MESSAGE_MALFORMED', why })
