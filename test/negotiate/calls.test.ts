import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openTask } from '../../src/core/requester.ts'
import { createAnswerTimes } from '../../src/negotiate/answer-times.ts'
import { createCalls, type CallParts, type Candidate } from '../../src/negotiate/calls.ts'
import { createSeal } from '../../src/testing/seals.ts'
import { createTimeline } from '../../src/testing/timeline.ts'
import { specOf } from '../core/samples.ts'

const candidate = (_: unknown, i: number): Candidate => ({ agentId: `did:key:z${i}`, peer: `peer-${i}`, addresses: [] })

/** When the others of the domain hear of a task, in ms: when nobody answers, and when somebody does. */
async function othersHear (known: number, to?: string): Promise<[silent: number, answered: number] | undefined> {
  const clock = createTimeline(0)
  const { task } = openTask({ ...specOf(), to })
  let gossip: Parameters<CallParts['announce']>[2]['gossip']
  const call = createCalls({
    candidates: async () => Array.from({ length: known }, candidate),
    announce: (_envelope, _candidates, options) => { gossip = options.gossip },
    sender: () => ({ author: { agentId: 'did:key:zme', newId: () => 'id', now: clock.now }, signer: createSeal('did:key:zme'), peerId: 'peer-me', addresses: [], now: clock.now() }),
    stateOf: () => task,
    standingOf: () => ({ kept: 0, broken: 0, open: 0, newcomers: 0 }),
    happen: () => {},
    inputBytes: () => 0,
    answerTimes: createAnswerTimes(),
    clock,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  })
  await call(task, 1)
  return gossip && [gossip.afterMs, gossip.othersMs]
}

describe('the others of a domain hear of a task', () => {
  it('soon, when one or two are known who might do it', async () => {
    assert.deepEqual(await othersHear(1), [125, 250])
    assert.deepEqual(await othersHear(2), [125, 250])
  })

  it('when four windows have passed without a bid, where three or more are known: they are busy, and gossip gives everybody more to do', async () => {
    assert.deepEqual(await othersHear(3), [2_000, 2_000])
  })

  it('never, when it is for one agent', async () => {
    assert.equal(await othersHear(1, 'did:key:z0'), undefined)
  })
})
