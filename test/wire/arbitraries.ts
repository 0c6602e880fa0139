/** Envelopes that fast-check makes up. */
import * as fc from 'fast-check'
import { PROTOCOL_VERSION, type Envelope } from '../../src/core/envelope.ts'

const uint32 = fc.nat(0xffff_ffff)
const text = (maxLength: number) => fc.string({ minLength: 1, maxLength, unit: 'binary' }).filter(value => value.length <= maxLength)
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** A JSON value as it is after its way through JSON. */
const json = fc.json({ maxDepth: 4 }).map(value => JSON.parse(value) as unknown)
const content = fc.oneof(
  fc.record({ mediaType: fc.constant('application/json'), content: json.map(value => Uint8Array.from(Buffer.from(JSON.stringify(value)))) }),
  fc.record({ mediaType: optional(fc.constantFrom('application/json', 'text/plain', 'application/octet-stream')), content: optional(fc.uint8Array({ maxLength: 64 })) })
)

/** Any envelope of a type that carries content, with any payload. Fields that are not there are left out. */
export const envelopes: fc.Arbitrary<Envelope> = fc.tuple(fc.record({
  version: fc.constant(PROTOCOL_VERSION),
  messageId: text(64),
  correlationId: fc.string({ maxLength: 64 }),
  causationId: optional(text(64)),
  from: text(128),
  to: optional(text(128)),
  timestamp: fc.nat(8_640_000_000_000_000),
  type: fc.constantFrom('task.artifact', 'task.award', 'task.result', 'of.another.version'),
  task: optional(text(256)),
  remainingMs: optional(uint32),
  remainingCost: optional(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs)),
  hopsLeft: optional(uint32),
  depth: optional(uint32),
  visited: optional(fc.array(text(64), { minLength: 1, maxLength: 16 })),
  idempotencyKey: optional(text(64)),
  epoch: optional(uint32),
  sequence: optional(uint32),
  traceparent: optional(text(64)),
  payload: json
}), content).map(([fields, rest]) => Object.fromEntries(Object.entries({ ...fields, ...rest }).filter(([, value]) => value !== undefined)) as unknown as Envelope)
