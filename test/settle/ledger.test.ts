import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { checkReceipt, openReceipt } from '../../src/settle/receipt.ts'
import { createLedger } from '../../src/settle/ledger.ts'
import { verifyChain } from '../../src/settle/chain.ts'
import { withCode } from '../identity/support.ts'
import { clock, flipped, memoryChain, outcomeOf, provider, requester, statementOf, stranger } from './support.ts'

function start () {
  const chain = memoryChain()
  const mine = chain.list
  return {
    chain,
    provider: createLedger({ chain, signer: provider, clock }),
    requester: createLedger({ chain, signer: requester, clock }),
    ofProvider: () => mine(provider.agentId),
    ofRequester: () => mine(requester.agentId)
  }
}

describe('a ledger', () => {
  it('settles a contract on both sides, each linked to its own chain', async () => {
    const { provider, requester, ofProvider, ofRequester } = start()
    for (const taskId of ['t1', 't2']) {
      const receipt = statementOf(await provider.settleAsProvider(outcomeOf(taskId)))
      const answer = statementOf(await requester.settleAsRequester(openReceipt(receipt), true))
      await provider.attachCountersignature(taskId, answer).done
    }
    for (const entries of [ofProvider(), ofRequester()]) {
      assert.deepEqual(entries.map(({ taskId }) => taskId), ['t1', 't2'])
      assert.deepEqual(verifyChain(entries), { ok: true })
      for (const entry of entries) assert.equal(checkReceipt(entry).verified, true)
    }
  })

  it('keeps one chain however many settle at once', async () => {
    const { provider, requester, ofProvider, ofRequester } = start()
    const tasks = Array.from({ length: 40 }, (_, i) => `t${i}`)
    const receipts = await Promise.all(tasks.map(task => provider.settleAsProvider(outcomeOf(task))))
    await Promise.all(receipts.map(receipt => requester.settleAsRequester(openReceipt(statementOf(receipt)), true)))
    assert.equal(ofProvider().length, 40)
    assert.equal(ofRequester().length, 40)
    assert.deepEqual(verifyChain(ofProvider()), { ok: true })
    assert.deepEqual(verifyChain(ofRequester()), { ok: true })
  })

  it('keeps one chain for an agent that is both sides', async () => {
    const { provider: ledger, ofProvider } = start()
    const receipt = await ledger.settleAsProvider(outcomeOf('t1', { requester: provider.agentId }))
    const answer = await ledger.settleAsRequester(openReceipt(statementOf(receipt)), true)
    await ledger.attachCountersignature('t1', statementOf(answer)).done
    assert.equal(ofProvider().length, 2)
    assert.deepEqual(verifyChain(ofProvider()), { ok: true })
  })

  it('settles a contract once, asked again at once or later', async () => {
    const { provider, requester, ofProvider, ofRequester } = start()
    const asked = await Promise.all([1, 2, 3].map(() => provider.settleAsProvider(outcomeOf('t1'))))
    asked.push(await provider.settleAsProvider(outcomeOf('t1', { cost: 99 })))
    const [receipt] = new Set(asked.map(envelope => Buffer.from(statementOf(envelope)).toString('hex')))
    assert.equal(new Set(asked.map(envelope => Buffer.from(statementOf(envelope)).toString('hex'))).size, 1)
    assert.equal(ofProvider().length, 1)
    const statement = Buffer.from(receipt!, 'hex')
    const answers = await Promise.all([1, 2, 3].map(() => requester.settleAsRequester(openReceipt(statement), true)))
    answers.push(await requester.settleAsRequester(openReceipt(statement), true))
    assert.equal(new Set(answers.map(({ messageId }) => messageId)).size, 1)
    assert.equal(ofRequester().length, 1)
    await provider.settleAsProvider(outcomeOf('t1', { epoch: 2 }))
    assert.equal(ofProvider().length, 2, 'another epoch is another contract')
  })

  it('refuses a second receipt of the same contract', async () => {
    const { requester } = start()
    const [one, two] = await Promise.all([3, 4].map(cost => start().provider.settleAsProvider(outcomeOf('t1', { cost }))))
    const outcomes = await Promise.allSettled([one!, two!].map(receipt => requester.settleAsRequester(openReceipt(statementOf(receipt)), true)))
    assert.deepEqual(outcomes.map(({ status }) => status), ['fulfilled', 'rejected'])
    await assert.rejects(requester.settleAsRequester(openReceipt(statementOf(two!)), true), withCode('REFUSED', /another receipt/))
  })

  it('refuses a receipt for somebody else, or that does not hold', async () => {
    const { provider, requester, ofRequester } = start()
    const foreign = await provider.settleAsProvider(outcomeOf('t1', { requester: stranger.agentId }))
    await assert.rejects(requester.settleAsRequester(openReceipt(statementOf(foreign)), true), withCode('REFUSED'))
    const mine = statementOf(await provider.settleAsProvider(outcomeOf('t2')))
    assert.throws(() => openReceipt(flipped(mine)), withCode('SIGNATURE_INVALID'))
    assert.equal(ofRequester().length, 0)
  })

  it('attaches only the answer of the requester, to a receipt it has', async () => {
    const { provider, requester, ofProvider } = start()
    const receipt = statementOf(await provider.settleAsProvider(outcomeOf('t1')))
    const answer = statementOf(await requester.settleAsRequester(openReceipt(receipt), true))
    assert.throws(() => provider.attachCountersignature('t2', answer), withCode('TASK_UNKNOWN'))
    assert.throws(() => provider.attachCountersignature('t1', flipped(answer)), withCode('SIGNATURE_INVALID'))
    assert.equal(ofProvider()[0]?.countersignature, undefined)
    await provider.attachCountersignature('t1', answer).done
    await provider.attachCountersignature('t1', answer).done
    const otherwise = statementOf(await start().requester.settleAsRequester(openReceipt(receipt), false))
    assert.throws(() => provider.attachCountersignature('t1', otherwise), withCode('REFUSED', /otherwise/))
    assert.equal(checkReceipt(ofProvider()[0]!).accepted, true)
  })

  it('rejects what could not be written, and goes on from what was', async () => {
    const { chain, provider, ofProvider } = start()
    await provider.settleAsProvider(outcomeOf('t1'))
    chain.failNext(1)
    const outcomes = await Promise.allSettled(['t2', 't3'].map(task => provider.settleAsProvider(outcomeOf(task))))
    assert.equal(outcomes[0]?.status, 'rejected')
    await Promise.all(['t2', 't3'].map(task => provider.settleAsProvider(outcomeOf(task))))
    assert.deepEqual(ofProvider().map(({ taskId }) => taskId).sort(), ['t1', 't2', 't3'])
    assert.deepEqual(verifyChain(ofProvider()), { ok: true })
  })

  it('goes on after a settlement that cannot be made', async () => {
    const { provider, ofProvider } = start()
    const outcomes = await Promise.allSettled([provider.settleAsProvider(outcomeOf('t1', { cost: -1 })), provider.settleAsProvider(outcomeOf('t2'))])
    assert.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'fulfilled'])
    assert.deepEqual(verifyChain(ofProvider()), { ok: true })
  })
})

describe('a chain', () => {
  async function settled () {
    const { provider, requester, ofProvider, ofRequester } = start()
    for (const taskId of ['t0', 't1', 't2']) {
      const receipt = statementOf(await provider.settleAsProvider(outcomeOf(taskId)))
      await provider.attachCountersignature(taskId, statementOf(await requester.settleAsRequester(openReceipt(receipt), true))).done
    }
    return { provided: ofProvider(), requested: ofRequester() }
  }

  it('of nothing holds', () => {
    assert.deepEqual(verifyChain([]), { ok: true })
  })

  it('shows where it was cut, turned round, doubled or exchanged', async () => {
    const { provided: [a, b, c], requested } = await settled() as any
    const brokenAt = (entries: any[]): number | undefined => (verifyChain(entries) as { brokenAt?: number }).brokenAt
    assert.equal(brokenAt([a, b, c]), undefined)
    assert.equal(brokenAt([b, c]), 0)
    assert.equal(brokenAt([a, c]), 1)
    assert.equal(brokenAt([a, c, b]), 1)
    assert.equal(brokenAt([a, b, b]), 2)
    assert.equal(brokenAt([a, requested[1], c]), 1)
    assert.equal(brokenAt([requested[0], b]), 1)
    assert.equal(brokenAt([a, { ...c, previous: a.hash }]), 1, 'what was signed counts, and not what is noted beside it')
    assert.equal(brokenAt([{ ...requested[0], agent: provider.agentId }]), 0, 'nor whose it is said to be')
  })

  it('shows any entry that was changed', async () => {
    for (const entries of Object.values(await settled())) {
      const entry = entries[1]!
      for (const change of [
        { taskId: 't9' }, { epoch: 9 }, { agent: stranger.agentId },
        { previous: new Uint8Array(32) }, { hash: flipped(entry.hash) },
        { statement: flipped(entry.statement) }, { statement: entries[0]!.statement },
        { countersignature: flipped(entry.countersignature!) }, { countersignature: entries[0]!.countersignature }
      ]) {
        const check = verifyChain(entries.with(1, { ...entry, ...change }))
        assert.deepEqual([check.ok, (check as { brokenAt?: number }).brokenAt], [false, 1], Object.keys(change).join())
      }
    }
  })
})
