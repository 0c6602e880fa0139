import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { hashOf } from '../../src/wire/hash.ts'
import { checkContract } from '../../src/settle/contract.ts'
import { PEER, withCode } from '../identity/support.ts'
import { provider, requester, signed, statementOf, stranger } from './support.ts'

const terms = { cost: 3, duration_ms: 400, lease_ms: 5_000, fallback: 'next-bidder' as const }
const award = statementOf(signed('task.award', requester, {
  capability: 'data.revenue.aggregate', bid_id: 'b1', terms, input_hash: hashOf(Buffer.from('input')), requester_peer: PEER, endpoints: []
}, { to: provider.agentId }))
const acceptance = (by = provider, hash = hashOf(award), rest = {}): Uint8Array => statementOf(signed('task.accept', by, { contract_hash: hash }, rest))

describe('a contract', () => {
  it('holds when the requester signed the award and the provider its acceptance', () => {
    assert.deepEqual(checkContract(award, acceptance()), {
      taskId: 't1', epoch: 1, capability: 'data.revenue.aggregate', requester: requester.agentId, provider: provider.agentId,
      terms, contractHash: hashOf(award), awardHolds: true, acceptanceHolds: true
    })
  })

  it('is not accepted yet without an acceptance', () => {
    const { awardHolds, acceptanceHolds } = checkContract(award)
    assert.deepEqual({ awardHolds, acceptanceHolds }, { awardHolds: true, acceptanceHolds: false })
  })

  it('does not hold with a changed award, nor does an acceptance of another', () => {
    const changed = Uint8Array.from(award)
    changed[Buffer.from(award).indexOf('"cost":3') + 7]!++
    const { terms, awardHolds, acceptanceHolds } = checkContract(changed, acceptance())
    assert.deepEqual({ cost: terms.cost, awardHolds, acceptanceHolds }, { cost: 4, awardHolds: false, acceptanceHolds: false })
  })

  for (const [what, bytes] of [
    ['somebody else', acceptance(stranger)],
    ['of another contract', acceptance(provider, hashOf(Buffer.from('x')))],
    ['of another task', acceptance(provider, hashOf(award), { correlationId: 't2' })],
    ['of another epoch', acceptance(provider, hashOf(award), { epoch: 2 })],
    ['that is none', statementOf(signed('task.refuse', provider, { reason: '', retryable: true }))],
    ['that is noise', new Uint8Array(7)]
  ] as const) {
    it(`is not accepted by an acceptance ${what}`, () => {
      assert.equal(checkContract(award, bytes).acceptanceHolds, false)
    })
  }

  it('cannot be read from anything but an award', () => {
    assert.throws(() => checkContract(acceptance()), withCode('MESSAGE_MALFORMED', /task.award was expected/))
  })
})
