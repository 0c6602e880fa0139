import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { hashOf } from '../../src/wire/hash.ts'
import { checkReceipt, countersign, issueReceipt, openCountersignature, openReceipt } from '../../src/settle/receipt.ts'
import { withCode } from '../identity/support.ts'
import { flipped, outcomeOf, provider, requester, signed, stamp, statementOf, stranger } from './support.ts'

const previous = new Uint8Array(32)
const receipt = issueReceipt({ ...outcomeOf('t1'), previous }, provider, stamp)
const statement = statementOf(receipt)
const answer = countersign(openReceipt(statement), { accepted: true, previous }, requester, stamp)
const countersignature = statementOf(answer)
/** The payload of the receipt, for others to sign. */
const payload = receipt.payload as never

describe('a receipt', () => {
  it('signed by both sides is verified, and says what was done', () => {
    assert.deepEqual(checkReceipt({ statement, countersignature }), {
      hash: hashOf(statement),
      provider: provider.agentId,
      requester: requester.agentId,
      inputHash: hashOf(Buffer.from('input')),
      outputHash: hashOf(Buffer.from('output')),
      accepted: true,
      verified: true
    })
    assert.equal(receipt.to, requester.agentId)
    assert.equal(answer.to, provider.agentId)
    assert.equal(answer.causationId, receipt.messageId)
  })

  it('of a failure names it, and has no output', () => {
    const failed = statementOf(issueReceipt({ ...outcomeOf('t1', { outcome: 'failed', failure: 'HANDLER_FAILED', outputHash: undefined }), previous }, provider, stamp))
    assert.equal(openReceipt(failed).receipt.failure, 'HANDLER_FAILED')
    assert.equal('outputHash' in checkReceipt({ statement: failed }), false)
  })

  it('that the requester did not accept is verified, and not accepted', () => {
    const refused = statementOf(countersign(openReceipt(statement), { accepted: false, previous }, requester, stamp))
    const { accepted, verified } = checkReceipt({ statement, countersignature: refused })
    assert.deepEqual({ accepted, verified }, { accepted: false, verified: true })
  })

  it('without an answer is not verified yet', () => {
    const facts = checkReceipt({ statement })
    assert.equal(facts.verified, false)
    assert.equal('accepted' in facts, false)
  })

  it('is not verified with a byte changed in either statement', () => {
    assert.equal(checkReceipt({ statement: flipped(statement), countersignature }).verified, false)
    assert.equal(checkReceipt({ statement, countersignature: flipped(countersignature) }).verified, false)
    assert.throws(() => openReceipt(flipped(statement)), withCode('SIGNATURE_INVALID'))
  })

  it('is not verified at a time when the credentials do not hold, and is at the time it was made', () => {
    const later = stamp.now() + 48 * 3_600_000
    assert.equal(checkReceipt({ statement, countersignature }, later).verified, false)
    assert.equal(checkReceipt({ statement, countersignature }).verified, true)
  })

  it('of one provider cannot be signed by another', () => {
    const forged = signed('task.receipt', stranger, payload, { to: requester.agentId })
    assert.throws(() => openReceipt(statementOf(forged)), withCode('SIGNATURE_INVALID', /as provider/))
    assert.equal(checkReceipt({ statement: statementOf(forged), countersignature }).verified, false)
  })

  for (const [what, rest] of [['another task', { correlationId: 't2' }], ['another epoch', { epoch: 2 }], ['another requester', { to: stranger.agentId }]] as const) {
    it(`in an envelope of ${what} does not hold`, () => {
      const forged = signed('task.receipt', provider, payload, { to: requester.agentId, ...rest })
      assert.throws(() => openReceipt(statementOf(forged)), withCode('SIGNATURE_INVALID', /another task, epoch or requester/))
    })
  }

  it('is answered by its requester only', () => {
    assert.throws(() => countersign(openReceipt(statement), { accepted: true, previous }, stranger, stamp), withCode('REFUSED'))
    const zero = Buffer.from(previous).toString('base64url')
    const forged = signed('task.countersign', stranger, { receipt_hash: hashOf(statement), accepted: true, previous: zero })
    assert.throws(() => openCountersignature(statementOf(forged), statement), withCode('SIGNATURE_INVALID', /as requester/))
  })

  it('is not verified by the answer to another receipt', () => {
    const other = statementOf(issueReceipt({ ...outcomeOf('t1', { cost: 4 }), previous }, provider, stamp))
    assert.throws(() => openCountersignature(countersignature, other), withCode('SIGNATURE_INVALID', /another receipt/))
    assert.equal(checkReceipt({ statement: other, countersignature }).verified, false)
  })

  it('is nothing else that was signed', () => {
    const refusal = statementOf(signed('task.refuse', provider, { reason: 'busy', retryable: true }))
    assert.throws(() => openReceipt(refusal), withCode('MESSAGE_MALFORMED', /task.receipt was expected/))
    assert.throws(() => checkReceipt({ statement: refusal }), withCode('MESSAGE_MALFORMED'))
    assert.equal(checkReceipt({ statement, countersignature: refusal }).verified, false)
    assert.throws(() => checkReceipt({ statement: new Uint8Array(9) }), withCode('MESSAGE_MALFORMED'))
  })

  it('is never issued against the schema', () => {
    assert.throws(() => issueReceipt({ ...outcomeOf('t1', { cost: -1 }), previous }, provider, stamp), withCode('MESSAGE_MALFORMED', /cost/))
  })
})
