import assert from 'node:assert/strict'
import { it } from 'node:test'
import { compose, payloadOf } from '../../src/wire/compose.ts'
import { signEnvelope } from '../../src/wire/envelope.ts'
import { hashOf } from '../../src/wire/hash.ts'
import { setScene, type Actor } from './scene.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Host } from '../../src/testing/host.ts'

const costOf = (bid: Envelope | undefined): number => bid === undefined ? 0 : payloadOf(bid, 'task.bid').cost

/** A requester that follows a script: what it sends to the provider, one by one. */
function scripted (actor: Actor, provider: Host) {
  const input = Buffer.from('{}')
  const fields = { correlationId: 'task-1', to: provider.agentId }
  const lastBid = () => actor.heard.findLast(({ type }) => type === 'task.bid')
  return {
    announce: (round: number) => actor.wire.send(provider.peer, signEnvelope(compose('task.announce', {
      capability: 'sim.work', round, closes_in_ms: 100, input_bytes: input.length, peer_id: actor.peer, endpoints: [], exclude: []
    }, actor.author, { correlationId: 'task-1', task: 'sim.work', remainingMs: 10_000 }), actor.signer)),
    award: async (epoch: number) => await actor.wire.request(provider.peer, {
      ...signEnvelope(compose('task.award', {
        capability: 'sim.work', bid_id: lastBid()?.messageId ?? 'none', input_hash: hashOf(input), requester_peer: actor.peer, endpoints: [], terms: { cost: costOf(lastBid()), lease_ms: 1_000, fallback: 'next-bidder' }
      }, actor.author, { ...fields, epoch, remainingMs: 10_000 }), actor.signer),
      content: input
    }),
    revoke: (epoch: number) => actor.wire.send(provider.peer, signEnvelope(compose('task.revoke', { reason: 'LEASE_EXPIRED' }, actor.author, { ...fields, epoch }), actor.signer)),
    results: () => actor.heard.filter(({ type }) => type === 'task.result')
  }
}

it('work that is revoked while its question is still under way ends, and does not bring the process down', async () => {
  const { host, actor, pass, seen } = setScene(async (_by, _input, { requireInput }) => await requireInput('really?'))
  const bob = host('bob')
  const { announce, award, revoke } = scripted(actor('req', () => undefined), bob)
  await announce(1)
  await pass(100)
  void award(1)
  // The question is never answered with so much as an acknowledgement.
  await pass(100)
  await revoke(1)
  await pass(10_000)
  assert.deepEqual([seen('began').length, seen('stopped').length], [1, 1])
})

it('a handler that was aborted and ends late has no say in the work that took its place', async () => {
  const slow = Promise.withResolvers<unknown>()
  const { host, actor, pass, seen } = setScene(async (_by, _input, { epoch }) => epoch === 1 ? await slow.promise : await new Promise(() => {}))
  const bob = host('bob')
  const { announce, award, revoke, results } = scripted(actor('req', () => undefined), bob)
  await announce(1)
  await pass(100)
  void award(1)
  await pass(100)
  await revoke(1)
  await pass(100)
  await announce(2)
  await pass(100)
  void award(2)
  await pass(100)
  assert.deepEqual(seen('began').map(({ epoch }) => epoch), [1, 2])
  slow.resolve({ of: 'epoch 1' })
  await pass(500)
  assert.deepEqual(results(), [])
})

it('asked again in one round it makes the same bid; in the next round another', async () => {
  const { host, actor, pass } = setScene()
  const bob = host('bob')
  const requester = actor('req', () => undefined)
  const { announce } = scripted(requester, bob)
  for (const round of [1, 1, 2, 1]) {
    await announce(round)
    await pass(100)
  }
  const bids = requester.heard.filter(({ type }) => type === 'task.bid').map(envelope => ({ id: envelope.messageId, ...payloadOf(envelope, 'task.bid') }))
  assert.deepEqual(bids.map(({ round }) => round), [1, 1, 2])
  assert.equal(bids[1]?.id, bids[0]?.id)
  assert.equal(bids[1]?.cost, bids[0]?.cost)
  assert.notEqual(bids[2]?.id, bids[0]?.id)
})

it('what it ended before a restart stays ended: an old award is refused after it, also when the task is announced again', async () => {
  const { host, actor, pass, seen } = setScene()
  const bob = host('bob')
  const requester = actor('req', () => undefined)
  const { announce, award, revoke } = scripted(requester, bob)
  await announce(1)
  await pass(100)
  void award(3)
  await pass(100)
  await revoke(3)
  await pass(100)
  bob.crash()
  bob.boot()
  await announce(2)
  await pass(100)
  for (const epoch of [2, 3]) {
    const reply = award(epoch)
    await pass(100)
    assert.equal((await reply).type, 'task.refuse')
  }
  const reply = award(4)
  await pass(100)
  assert.equal((await reply).type, 'task.accept')
  assert.deepEqual(seen('began').map(({ epoch }) => epoch), [3, 4])
})

it('an award of a bid that was lost with the process is refused, and the provider may be asked again', async () => {
  const { host, actor, pass, seen } = setScene()
  const bob = host('bob')
  const { announce, award } = scripted(actor('req', () => undefined), bob)
  await announce(1)
  await pass(100)
  // A disk that is slow enough: the bid has left, and is not on it.
  bob.disk.begin({ kind: 'disk-slow', at: 0, forMs: 10_000, host: 'bob', ms: 5_000 })
  await announce(2)
  await pass(100)
  bob.crash()
  bob.boot()
  await pass(100)
  const reply = award(1)
  await pass(100)
  const refusal = await reply
  assert.equal(refusal.type, 'task.refuse')
  assert.equal(payloadOf(refusal, 'task.refuse').retryable, true)
  assert.equal(seen('began').length, 0)
})

it('a bid does not wait for the disk, unless that refused the last one', async () => {
  const { host, actor, pass } = setScene()
  const bob = host('bob')
  const requester = actor('req', () => undefined)
  const { announce } = scripted(requester, bob)
  const bids = () => requester.heard.filter(({ type }) => type === 'task.bid').length
  const end = bob.disk.begin({ kind: 'disk-fails', at: 0, forMs: 10_000, host: 'bob' })
  await announce(1)
  await pass(300)
  assert.equal(bids(), 1)
  await announce(2)
  await pass(300)
  assert.equal(bids(), 1, 'it offers nothing that it could not accept')
  end()
  await announce(3)
  await pass(300)
  assert.equal(bids(), 2)
})
