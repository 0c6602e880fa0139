import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { CLOCK_TOLERANCE_MS } from '../../src/identity/credential.ts'
import { verifyEnvelope, verifyStatement } from '../../src/identity/verify.ts'
import { decodeEnvelope, encodeEnvelope, signEnvelope } from '../../src/wire/envelope.ts'
import { PEER, signerOf, START, withCode } from './support.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const signer = signerOf(1)
const YEAR = 365 * 24 * 3_600_000
const envelope: Envelope = {
  version: 1, messageId: 'm1', correlationId: 't1', from: signer.agentId, timestamp: START, type: 'task.refuse',
  payload: { reason: 'busy', retryable: true }
}
const sent = (change: Partial<Envelope> = {}, by = signer): Envelope =>
  decodeEnvelope(encodeEnvelope(signEnvelope({ ...envelope, ...change }, by)))

describe('a signed envelope', () => {
  it('names its speaker, before it is sent and after', () => {
    assert.deepEqual(verifyEnvelope(signEnvelope(envelope, signer), START), { agentId: signer.agentId, peerId: PEER })
    assert.deepEqual(verifyEnvelope(sent(), START), { agentId: signer.agentId, peerId: PEER })
  })

  it('is refused when it is not signed', () => {
    assert.throws(() => verifyEnvelope(decodeEnvelope(encodeEnvelope(envelope)), START), withCode('SIGNATURE_INVALID', /must be signed/))
  })

  it('is refused when another agent signed it', () => {
    assert.throws(() => verifyEnvelope(sent({}, signerOf(2)), START), withCode('SIGNATURE_INVALID', /its credential is of/))
  })

  it('is refused when another key of the same agent signed it', () => {
    const other = { ...signerOf(1), credential: () => signer.credential() }
    assert.throws(() => verifyEnvelope(sent({}, other), START), withCode('SIGNATURE_INVALID', /did not sign this task.refuse/))
  })

  it('that held is refused with another credential beside it, and when a bit of it is turned', () => {
    const good = sent()
    verifyEnvelope(good, START)
    verifyEnvelope(good, START)
    const { auth } = good as { auth: { credential: Uint8Array, statement: Uint8Array } }
    const renewed = signerOf(1).credential()
    assert.throws(() => verifyEnvelope({ ...good, auth: { ...auth, credential: renewed } }, START), withCode('SIGNATURE_INVALID', /did not sign/))
    const statement = Uint8Array.from(auth.statement)
    statement[20]! ^= 1
    assert.throws(() => verifyEnvelope({ ...good, auth: { ...auth, statement } }, START), withCode('SIGNATURE_INVALID', /did not sign/))
  })

  it('is refused once its credential has expired', () => {
    const { notBefore, expiresAt } = signer
    verifyEnvelope(sent(), expiresAt())
    assert.throws(() => verifyEnvelope(sent(), expiresAt() + CLOCK_TOLERANCE_MS), withCode('CREDENTIAL_INVALID', /expired/))
    assert.throws(() => verifyEnvelope(sent(), notBefore() - CLOCK_TOLERANCE_MS - 1), withCode('CREDENTIAL_INVALID', /only from/))
  })
})

describe('a kept statement', () => {
  const { statement } = sent().auth!

  it('still holds when its credential has long expired, at the time it was made', () => {
    const { envelope: opened, speaker } = verifyStatement(statement)
    assert.equal(speaker.agentId, signer.agentId)
    assert.deepEqual(opened.payload, envelope.payload)
    assert.throws(() => verifyStatement(statement, START + YEAR), withCode('CREDENTIAL_INVALID'))
  })

  it('does not hold when it says it was made after its credential expired', () => {
    assert.throws(() => verifyStatement(sent({ timestamp: START + YEAR }).auth!.statement), withCode('CREDENTIAL_INVALID'))
  })

  it('is checked against the schema of its type', () => {
    assert.throws(() => verifyStatement(sent({ payload: { reason: 1 } }).auth!.statement), withCode('MESSAGE_MALFORMED', /reason/))
    assert.throws(() => verifyStatement(sent({ type: 'task.dance' }).auth!.statement), withCode('MESSAGE_UNKNOWN'))
  })

  it('is nothing but the signed part', () => {
    const whole = encodeEnvelope(signEnvelope({ ...envelope, type: 'task.award', content: Buffer.from('x') }, signer))
    assert.throws(() => verifyStatement(whole), withCode('MESSAGE_MALFORMED', /no content/))
  })
})
