import { sign } from 'node:crypto'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { CLOCK_TOLERANCE_MS, issueCredential, MAX_CREDENTIAL, MAX_LIFETIME_MS, verifyCredential, type CredentialFacts } from '../../src/identity/credential.ts'
import { rawPublicKey, toDid } from '../../src/identity/keys.ts'
import { Credential, CredentialStatement } from '../../src/wire/generated/envelope.js'
import { PEER, rootKey, START, withCode } from './support.ts'

const HOUR = 3_600_000
const facts: CredentialFacts = { root: rootKey(1), peerId: PEER, signingKey: rootKey(2), notBefore: START, expires: START + 24 * HOUR }
const issue = (change: Partial<CredentialFacts> = {}): Uint8Array => issueCredential({ ...facts, ...change })

/** A credential that its root signed, whatever it says. */
function forge (change: Partial<CredentialStatement>, domain = 'a2a-node/credential/1\0'): Uint8Array {
  const honest = CredentialStatement.decode(Credential.decode(issue()).statement)
  const statement = CredentialStatement.encode({ ...honest, ...change })
  return Credential.encode({ statement, signature: Uint8Array.from(sign(null, Buffer.concat([Buffer.from(domain), statement]), rootKey(1))) })
}

describe('a credential', () => {
  it('says who speaks, through which peer, with which key, and from when to when', () => {
    const { signingKey, ...rest } = verifyCredential(issue(), START)
    assert.deepEqual(rest, { agentId: toDid(rootKey(1)), peerId: PEER, notBefore: START, expires: START + 24 * HOUR })
    assert.deepEqual(rawPublicKey(signingKey), rawPublicKey(rootKey(2)))
  })

  it('holds within its times and five minutes around them, also when it is known already', () => {
    const bytes = issue()
    for (const now of [START - CLOCK_TOLERANCE_MS, START, START + 24 * HOUR + CLOCK_TOLERANCE_MS - 1]) verifyCredential(bytes, now)
    assert.throws(() => verifyCredential(bytes, START - CLOCK_TOLERANCE_MS - 1), withCode('CREDENTIAL_INVALID', /only from 2026-01-02T03:04:05/))
    assert.throws(() => verifyCredential(bytes, START + 24 * HOUR + CLOCK_TOLERANCE_MS), withCode('CREDENTIAL_INVALID', /expired at 2026-01-03T03:04:05/))
  })

  it('does not hold with any bit changed', () => {
    const bytes = issue()
    for (let i = 0; i < bytes.length * 8; i++) {
      const changed = Uint8Array.from(bytes)
      changed[i >> 3]! ^= 1 << (i & 7)
      assert.throws(() => verifyCredential(changed, START), withCode('CREDENTIAL_INVALID'), `bit ${i}`)
    }
  })

  it('does not hold when cut', () => {
    const bytes = issue()
    for (let length = 0; length < bytes.length; length++) assert.throws(() => verifyCredential(bytes.subarray(0, length), START), withCode('CREDENTIAL_INVALID'))
  })

  for (const [what, bytes, why] of [
    ['of a later version', () => forge({ version: 2 }), /version is 2/],
    ['for another agent', () => forge({ agent: toDid(rootKey(3)) }), /did not sign/],
    ['of no agent', () => forge({ agent: 'did:web:me' }), /no did:key/],
    ['without a peer', () => forge({ peer: '' }), /names no peer/],
    ['with a short key', () => forge({ signingKey: new Uint8Array(31) }), /32 bytes/],
    ['that never holds', () => forge({ expires: 5n, notBefore: 5n }), /above 0/],
    ['that holds for years', () => forge({ expires: BigInt((START + MAX_LIFETIME_MS) / 1_000 + 1) }), /at most 30 days/],
    ['beyond the end of time', () => forge({ notBefore: 2n ** 63n, expires: 2n ** 63n + 4_096n }), /holds for/],
    ['signed for another purpose', () => forge({}, 'a2a-node/envelope/1\0'), /did not sign/],
    ['that is too large', () => new Uint8Array(MAX_CREDENTIAL + 1), /more than 1024/]
  ] as const) {
    it(`is refused when it is one ${what}`, () => {
      assert.throws(() => verifyCredential(bytes(), START), withCode('CREDENTIAL_INVALID', why))
    })
  }

  it('tolerates what a later version adds to it', () => {
    const extra = Uint8Array.of(0xfa, 0x01, 1, 7) // field 31
    const { statement } = Credential.decode(issue())
    const longer = Uint8Array.from(Buffer.concat([statement, extra]))
    const signature = Uint8Array.from(sign(null, Buffer.concat([Buffer.from('a2a-node/credential/1\0'), longer]), rootKey(1)))
    assert.equal(verifyCredential(Credential.encode({ statement: longer, signature }), START).peerId, PEER)
  })

  it('is never issued when nobody would accept it', () => {
    assert.throws(() => issue({ expires: START }), withCode('CREDENTIAL_INVALID'))
    assert.throws(() => issue({ expires: START + MAX_LIFETIME_MS + 1_000 }), withCode('CREDENTIAL_INVALID'))
    assert.throws(() => issue({ peerId: 'x' }), withCode('CREDENTIAL_INVALID'))
  })
})
