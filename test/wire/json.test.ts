import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { decodeEnvelope, encodeEnvelope, signEnvelope } from '../../src/wire/envelope.ts'
import { fromJson, toJson } from '../../src/wire/json.ts'
import { verifyEnvelope } from '../../src/identity/verify.ts'
import { withCode } from '../identity/support.ts'
import { envelopes } from './arbitraries.ts'
import { hex, plain } from './same.ts'
import { MADE_AT, requester, samples } from './samples.ts'
import type { Envelope } from '../../src/core/envelope.ts'

/** Through real JSON text. */
const there = (envelope: Envelope): unknown => JSON.parse(JSON.stringify(toJson(envelope)))
const json = (): any => there(samples['task.award'])

describe('the JSON form', () => {
  it('gives the same envelope back, to the byte', () => {
    fc.assert(fc.property(envelopes, envelope => {
      const back = fromJson(there(envelope))
      assert.equal(hex(encodeEnvelope(back)), hex(encodeEnvelope(envelope)))
      assert.deepEqual(plain(back), plain(decodeEnvelope(encodeEnvelope(envelope))))
    }))
  })

  it('keeps a signature good', () => {
    fc.assert(fc.property(envelopes, any => {
      const envelope = signEnvelope({ ...any, from: requester.agentId }, requester)
      const back = fromJson(there(envelope))
      assert.equal(hex(encodeEnvelope(back)), hex(encodeEnvelope(envelope)))
      verifyEnvelope(back, MADE_AT)
    }), { numRuns: 50 })
  })

  it('does not make a signature good over something else', () => {
    for (const change of [{ epoch: 2 }, { correlation_id: 'another' }, { payload: { ...json().payload, parameters: {} } }, { timestamp: '2026-01-02T03:04:05Z' }]) {
      assert.throws(() => verifyEnvelope(fromJson({ ...json(), ...change }), MADE_AT), withCode('SIGNATURE_INVALID'))
    }
  })

  it('shows JSON content as JSON, and only when nothing of it is lost', () => {
    const shown = (text: string, mediaType?: string): any => {
      const { content, content_json: value } = toJson({ ...samples['task.input'], mediaType, content: Buffer.from(text) }).payload
      return content ?? { value }
    }
    assert.deepEqual(shown('{"a":[1,null]}', 'application/json'), { value: { a: [1, null] } })
    assert.deepEqual(shown('null', 'application/json'), { value: null })
    for (const text of ['{ "a": 1 }', '1.0', '', 'no json', '\uFEFF1', '{"a":1,"a":1}']) assert.equal(shown(text, 'application/json'), Buffer.from(text).toString('base64url'))
    assert.equal(shown('{}', 'text/plain'), 'e30')
    assert.equal(shown('{}'), 'e30')
  })

  it('ignores fields it does not know', () => {
    assert.deepEqual(fromJson({ ...json(), of_tomorrow: 1 }), fromJson(json()))
  })

  for (const [field, change] of [
    ['version', { version: '1' }],
    ['message_id', { message_id: undefined }],
    ['timestamp', { timestamp: 'yesterday' }],
    ['timestamp', { timestamp: '1969-01-01T00:00:00Z' }],
    ['timestamp', { timestamp: '2026-13-41T00:00:00Z' }],
    ['payload', { payload: 1 }],
    ['payload.constraints.max_duration_ms', { payload: { constraints: { max_duration_ms: -1 } } }],
    ['payload.content', { payload: { content: 'no base64!' } }],
    ['payload.content_json', { payload: { content: 'e30', content_json: {}, media_type: 'application/json' } }],
    ['payload.content_json', { payload: { content_json: {} } }],
    ['visited.1', { visited: ['a', 1] }],
    ['epoch', { epoch: 0.5 }],
    ['auth.signature', { auth: { credential: 'AA', signature: 'AA' } }]
  ] as const) {
    it(`that is malformed names ${field} for ${JSON.stringify(change)}`, () => {
      assert.throws(() => fromJson({ ...json(), ...change }), withCode('MESSAGE_MALFORMED', new RegExp(`^${field}: `)))
    })
  }

  it('passes the checks of the wire', () => {
    assert.throws(() => fromJson('hello'), withCode('MESSAGE_MALFORMED', /^envelope: /))
    assert.throws(() => fromJson({ ...json(), version: 2 }), withCode('VERSION_UNSUPPORTED'))
    assert.throws(() => fromJson({ ...json(), from: '' }), withCode('MESSAGE_MALFORMED'))
    assert.throws(() => fromJson({ ...json(), visited: Array.from({ length: 17 }, () => 'a') }), withCode('MESSAGE_MALFORMED'))
    assert.throws(() => fromJson({ ...json(), auth: undefined, payload: { parameters: { filler: 'x'.repeat(9_000) } } }), withCode('MESSAGE_TOO_LARGE'))
  })
})
