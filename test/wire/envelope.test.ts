import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { decodeEnvelope, encodeEnvelope, MAX_ENVELOPE, openStatement, signEnvelope } from '../../src/wire/envelope.ts'
import { Envelope as Codec } from '../../src/wire/generated/envelope.js'
import { hashOf } from '../../src/wire/hash.ts'
import { MAX_CONTENT, messages, parsePayload, type MessageName } from '../../src/wire/messages.ts'
import { verifyEnvelope } from '../../src/identity/verify.ts'
import { withCode } from '../identity/support.ts'
import { envelopes } from './arbitraries.ts'
import { hex, plain } from './same.ts'
import { MADE_AT, provider, requester, samples } from './samples.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const assertSame = (a: Envelope, b: Envelope): void => assert.deepEqual(plain(a), plain(b))
const award = samples['task.award']
const wire = encodeEnvelope(award)
const content = award.content!.length
/** Raw protobuf of a length-delimited field. */
const field = (number: number, data: Uint8Array): Buffer => {
  const tag = number << 3 | 2
  return Buffer.concat([Uint8Array.of(tag & 0x7f | 0x80, tag >> 7, data.length), data])
}

/** An envelope as a sender writes it who signs any bytes in place of the fields. */
function signRaw (head: Uint8Array): Buffer {
  const { signed } = openStatement(Buffer.concat([head, new Uint8Array(67)]))
  return Buffer.concat([head, Uint8Array.of(0xfa, 0x01, 64), requester.sign(signed)])
}

const headOf = (envelope: Envelope): Uint8Array => {
  const { statement } = signEnvelope(envelope, requester).auth!
  return statement.subarray(0, statement.length - 67)
}

describe('an envelope', () => {
  it('is the same after its way over the wire', () => {
    fc.assert(fc.property(envelopes, envelope => assertSame(decodeEnvelope(encodeEnvelope(envelope)), envelope)))
  })

  it('is the same when signed, and its signature holds', () => {
    fc.assert(fc.property(envelopes, any => {
      const envelope = signEnvelope({ ...any, from: requester.agentId }, requester)
      const received = decodeEnvelope(encodeEnvelope(envelope))
      assertSame(received, envelope)
      verifyEnvelope(received, MADE_AT)
    }), { numRuns: 50 })
  })

  it('of an unknown type is read, and its payload refused with that type', () => {
    const received = decodeEnvelope(encodeEnvelope({ ...samples.ping, type: 'task.dance' }))
    assert.throws(() => parsePayload(received.type as MessageName, received.payload), withCode('MESSAGE_UNKNOWN'))
    assert.throws(() => parsePayload('constructor' as MessageName, {}), withCode('MESSAGE_UNKNOWN'))
  })

  it('of another major version is refused, naming both', () => {
    assert.throws(() => decodeEnvelope(encodeEnvelope({ ...award, auth: undefined, version: 2 })), (error: any) => {
      assert.deepEqual(error.failure, { code: 'VERSION_UNSUPPORTED', version: 2, supported: 1 })
      return true
    })
  })

  it('may have come through 16 agents, not 17', () => {
    const through = (count: number): Envelope => decodeEnvelope(encodeEnvelope({ ...samples.ping, visited: Array.from({ length: count }, (_, i) => `a${i}`) }))
    assert.equal(through(16).visited?.length, 16)
    assert.throws(() => through(17), withCode('MESSAGE_MALFORMED'))
  })

  for (const [what, change] of [
    ['no message id', { messageId: '' }],
    ['no sender', { from: '' }],
    ['no type', { type: '' }],
    ['a message id that is too long', { messageId: 'x'.repeat(65) }],
    ['a visited agent that is too long', { visited: ['x'.repeat(129)] }],
    ['a date beyond all dates', { timestamp: 8_640_000_000_000_001 }],
    ['a budget that is no number', { remainingCost: NaN }],
    ['an endless budget', { remainingCost: Infinity }],
    ['a budget below nothing', { remainingCost: -1 }]
  ] as const) {
    it(`with ${what} is malformed`, () => {
      assert.throws(() => decodeEnvelope(encodeEnvelope({ ...samples.ping, ...change } as Envelope)), withCode('MESSAGE_MALFORMED'))
    })
  }

  it('with a payload that is no JSON, or no UTF-8, is malformed', () => {
    for (const payload of [Buffer.from('{'), Uint8Array.of(0x22, 0xff, 0x22)]) {
      const bytes = Codec.encode({ ...Codec.decode(encodeEnvelope(samples.ping)), payload: Uint8Array.from(payload) })
      assert.throws(() => decodeEnvelope(bytes), withCode('MESSAGE_MALFORMED', /payload is no JSON/))
    }
  })

  it('that is noise is malformed, whatever the noise', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), noise => {
      assert.throws(() => decodeEnvelope(noise), (error: any) => ['MESSAGE_MALFORMED', 'VERSION_UNSUPPORTED', 'MESSAGE_TOO_LARGE'].includes(error.code))
    }), { numRuns: 1_000 })
  })
})

describe('sizes', () => {
  for (const [type, { maxPayload, maxContent }] of Object.entries(messages)) {
    it(`of ${type} are bounded where it is sent and where it is read`, () => {
      const { auth: _, ...unsigned } = samples[type as MessageName]
      const payload = { filler: 'x'.repeat(maxPayload - '{"filler":""}'.length) }
      const largest = { ...unsigned, payload, ...(maxContent > 0 && { content: new Uint8Array(maxContent) }) }
      const bytes = encodeEnvelope(largest)
      assertSame(decodeEnvelope(bytes), largest)
      assert.throws(() => encodeEnvelope({ ...largest, payload: { filler: `${payload.filler}x` } }), withCode('MESSAGE_TOO_LARGE'))
      assert.throws(() => encodeEnvelope({ ...largest, content: new Uint8Array(maxContent + 1) }), withCode('MESSAGE_TOO_LARGE'))
      const raw = Codec.decode(bytes)
      assert.throws(() => decodeEnvelope(Codec.encode({ ...raw, payload: new Uint8Array(maxPayload + 1) })), withCode('MESSAGE_TOO_LARGE'))
      assert.throws(() => decodeEnvelope(Codec.encode({ ...raw, content: new Uint8Array(maxContent + 1) })), withCode('MESSAGE_TOO_LARGE'))
    })
  }

  it('of unknown types are bounded by the whole', () => {
    const large = { ...samples.ping, type: 'of.another.version', content: new Uint8Array(MAX_CONTENT) }
    decodeEnvelope(encodeEnvelope(large))
    assert.throws(() => encodeEnvelope({ ...large, content: new Uint8Array(MAX_ENVELOPE) }), withCode('MESSAGE_TOO_LARGE'))
    assert.throws(() => decodeEnvelope(new Uint8Array(MAX_ENVELOPE + 1)), withCode('MESSAGE_TOO_LARGE'))
  })
})

describe('a signed envelope on its way', () => {
  it('is refused with any one bit changed, and a change of its content shows in its hash', () => {
    for (let bit = 0; bit < wire.length * 8; bit++) {
      const changed = Uint8Array.from(wire)
      changed[bit >> 3]! ^= 1 << (bit & 7)
      if (bit >> 3 >= wire.length - content) {
        const received = decodeEnvelope(changed)
        assert.notEqual(hashOf(received.content!), (received.payload as { input_hash: string }).input_hash)
      } else {
        assert.throws(() => verifyEnvelope(decodeEnvelope(changed), MADE_AT), `bit ${bit} of byte ${bit >> 3}`)
      }
    }
  })

  it('is refused when cut anywhere, but where its content may be left away', () => {
    const withoutContent = award.auth!.statement.length
    for (let length = 0; length < wire.length; length++) {
      if (length === withoutContent) assertSame({ ...decodeEnvelope(wire.subarray(0, length)), content: award.content }, award)
      else assert.throws(() => verifyEnvelope(decodeEnvelope(wire.subarray(0, length)), MADE_AT), `cut to ${length}`)
    }
  })

  it('is refused with anything after the signature but one content', () => {
    const { statement } = award.auth!
    const smuggled = field(9, Buffer.from('another.task'))
    const other = field(32, Buffer.from('other'))
    for (const bytes of [
      Buffer.concat([statement, smuggled]),
      Buffer.concat([wire, smuggled]),
      Buffer.concat([statement, smuggled, wire.subarray(statement.length)]),
      Buffer.concat([wire, other]),
      Buffer.concat([wire, wire.subarray(statement.length - 67, statement.length)]),
      Buffer.concat([statement, Uint8Array.of(0x82, 0x02, 0x85, 0x00), Buffer.from('other')]) // a length that is not the shortest
    ]) assert.throws(() => decodeEnvelope(bytes), withCode('MESSAGE_MALFORMED', /signature/))
  })

  it('is refused when its author hid the content under the signature, to add fields of its length after it', () => {
    const smuggled = field(20, Buffer.from('text/x'))
    const statement = signRaw(Buffer.concat([headOf(award), field(32, smuggled.subarray(3))]))
    assert.throws(() => decodeEnvelope(Buffer.concat([statement, smuggled])), withCode('MESSAGE_MALFORMED', /other than the content/))
  })

  it('is refused when what looks like its signature is inside another field', () => {
    const honest = signEnvelope(samples.ping, requester).auth!.statement
    assert.throws(() => decodeEnvelope(Buffer.concat([honest, field(40, Buffer.concat([Uint8Array.of(0xfa, 0x01, 64), new Uint8Array(64)]))])), withCode('MESSAGE_MALFORMED', /not where it belongs/))
  })

  it('may hold fields of a later version, which the signature covers', () => {
    const statement = signRaw(Buffer.concat([headOf(award), field(60, Buffer.from('of tomorrow'))]))
    const bytes = Buffer.concat([statement, wire.subarray(award.auth!.statement.length)])
    const received = decodeEnvelope(bytes)
    assert.deepEqual(verifyEnvelope(received, MADE_AT).agentId, requester.agentId)
    assert.equal(hex(encodeEnvelope(received)), hex(bytes), 'and they are passed on')
    assertSame({ ...received, auth: undefined }, { ...decodeEnvelope(wire), auth: undefined })
    bytes[bytes.indexOf('tomorrow')]! ^= 1
    assert.throws(() => verifyEnvelope(decodeEnvelope(bytes), MADE_AT), withCode('SIGNATURE_INVALID'))
  })

  it('does not pass as another agent\'s', () => {
    const stolen = signEnvelope({ ...award, from: provider.agentId }, requester)
    assert.throws(() => verifyEnvelope(decodeEnvelope(encodeEnvelope(stolen)), MADE_AT), withCode('SIGNATURE_INVALID'))
  })
})
