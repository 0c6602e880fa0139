/**
 * Ten thousand bids that were copied, changed, replayed or are too late, with real keys, through the checks of the channel into
 * the requester's own end: what it awards are bids that their makers made for this announcement, and no other.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import { keyOfSeed, toPeerId } from '../../src/identity/keys.ts'
import { createSigner } from '../../src/identity/signer.ts'
import { createRequesterEnd } from '../../src/negotiate/requester.ts'
import { checkDirect } from '../../src/net/intake.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import { createRandom } from '../../src/testing/random.ts'
import { createTimeline } from '../../src/testing/timeline.ts'
import { compose, composeReply, payloadOf, type Author } from '../../src/wire/compose.ts'
import { encodeEnvelope, signEnvelope } from '../../src/wire/envelope.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Signer } from '../../src/core/ports.ts'
import type { TaskEvent } from '../../src/core/task.ts'

const ATTACKS = 10_000
const WINDOW_MS = 200
const random = createRandom(11)
const timeline = createTimeline(Date.UTC(2026, 0, 1))
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
let ids = 0

interface Somebody { author: Author, signer: Signer, peer: string }
function somebody (number: number): Somebody {
  const peer = toPeerId(keyOfSeed(new Uint8Array(32).fill(100 + number)))
  const signer = createSigner({ root: keyOfSeed(new Uint8Array(32).fill(number)), peerId: peer, clock: timeline })
  return { signer, peer, author: { agentId: signer.agentId, newId: () => `id-${++ids}`, now: timeline.now } }
}

const [ada, bob, mal] = [somebody(1), somebody(2), somebody(3)]
/** Announcements that Ada made, the newest last, and bids that were truly made for them. */
const calls: Envelope[] = []
const made = new Map<string, { call: Envelope, by: string, until: number }>()
const awards: Envelope[] = []
const heldBack: Envelope[] = []

const end = createRequesterEnd({
  author: ada.author, signer: ada.signer, clock: timeline, logger: silent,
  log: createMemoryLog({ clock: timeline }),
  wire: {
    peerId: ada.peer,
    send: async () => {},
    // Refused for now, so that the next bid that was taken is awarded too: none is left untried.
    request: async (_peer, envelope) => {
      if (envelope.type !== 'task.award') return composeReply(envelope, 'ack', {}, ada.author)
      awards.push(envelope)
      const holder = [bob, mal].find(({ author }) => author.agentId === envelope.to) as Somebody
      return signEnvelope(composeReply(envelope, 'task.refuse', { reason: 'later', retryable: true }, holder.author), holder.signer)
    }
  },
  addresses: () => [],
  candidates: async () => [],
  announce: envelope => { calls.push(envelope) },
  checkOutput: async () => undefined,
  openReceipt: () => { throw new Error('nothing is done here') },
  settle: async () => { throw new Error('nothing is done here') },
  rttMs: () => undefined
})

/** As node.ts hands on what came over a channel: checked, and to whom it is for. */
function arrive (bytes: Uint8Array, peer: string): 'refused' | 'read' {
  const checked = checkDirect(bytes, peer, () => true, timeline)
  if ('refused' in checked || checked.envelope.to !== ada.author.agentId || checked.envelope.type !== 'task.bid') return 'refused'
  // It is done when the log has it, for which time must pass.
  end.receive(checked.envelope, { peer }).catch(error => { assert.ok(error instanceof A2aError) })
  return 'read'
}

/** A bid by its maker, with what an attack would have otherwise. */
function bidFor (maker: Somebody, call: Envelope, { cost = random.between(1, 9), validMs = 60_000, round = payloadOf(call, 'task.announce').round, to = call.from, taskId = call.correlationId, causationId = call.messageId as string | null, id = maker.author.newId() } = {}): Envelope {
  const plain = compose('task.bid', { round, cost, confidence: 1, load: 0, valid_ms: validMs }, maker.author, { correlationId: taskId, causationId: causationId ?? undefined, to })
  return signEnvelope({ ...plain, messageId: id }, maker.signer)
}

function honest (call: Envelope, validMs = 60_000): Envelope {
  const bid = bidFor(bob, call, { cost: 10, validMs })
  made.set(bid.messageId, { call, by: bob.author.agentId, until: timeline.now() + validMs })
  return bid
}

const flipped = (bytes: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(bytes)
  const at = random.between(0, copy.length - 1)
  copy[at] = (copy[at] as number) ^ (1 << random.between(0, 7))
  return copy
}
const anyOf = <T>(list: T[]): T => list[random.between(0, list.length - 1)] as T

/** Each gives bytes and the peer they come from. `call` is open now; `bid` was made by Bob for it, `old` are those of before. */
const attacks: Record<string, (call: Envelope, bid: Envelope, old: Envelope[]) => [Uint8Array, string]> = {
  'another sends it as it is': (_call, bid) => [encodeEnvelope(bid), mal.peer],
  'another signs what it says, in its maker’s name': (_call, bid) => [encodeEnvelope(signEnvelope({ ...bid, auth: undefined }, mal.signer)), mal.peer],
  'another signs it under its maker’s credential': (_call, bid) => [encodeEnvelope(signEnvelope({ ...bid, auth: undefined }, { ...mal.signer, agentId: bob.author.agentId, credential: bob.signer.credential, sign: mal.signer.sign })), bob.peer],
  'a bit of it is another': (_call, bid) => [flipped(encodeEnvelope(bid)), bob.peer],
  'its maker’s bid of before, again': (_call, _bid, old) => [encodeEnvelope(anyOf(old)), bob.peer],
  'for this task in a round that was, or is to come': call => [encodeEnvelope(bidFor(bob, call, { round: payloadOf(call, 'task.announce').round + anyOf([-1, 1, 2]) })), bob.peer],
  'an answer to an announcement of before': (call, _bid, old) => [encodeEnvelope(bidFor(mal, call, { causationId: anyOf(old).causationId ?? null })), mal.peer],
  'an answer to nothing': call => [encodeEnvelope(bidFor(mal, call, { causationId: null })), mal.peer],
  'an answer to this, about a task of before': (call, _bid, old) => [encodeEnvelope(bidFor(mal, call, { taskId: anyOf(old.filter(({ correlationId }) => correlationId !== call.correlationId)).correlationId })), mal.peer],
  'for another requester': call => [encodeEnvelope(bidFor(bob, call, { to: mal.author.agentId })), bob.peer],
  'its time is over when it comes': call => [encodeEnvelope(bidFor(mal, call, { validMs: 0 })), mal.peer]
}

it(`no bid of ${ATTACKS} that was copied, replayed, forged or held back is awarded, and those that were made are`, async () => {
  const kinds = Object.keys(attacks)
  const tried = new Map<string, number>()
  let [answered, genuine] = [0, 0]
  for (let attack = 0; attack < ATTACKS;) {
    const events: TaskEvent[] = []
    const work = end.delegate('data.sum', {}, { maxDurationMs: 30_000, bidWindowMs: WINDOW_MS }, { depth: 0, visited: [] })
    const followed = (async () => { for await (const event of work) events.push(event) })()
    for (let round = 1; round <= 3; round++) {
      while (calls.length === answered) await timeline.runUntil(timeline.now() + 5)
      const call = calls[answered++] as Envelope
      assert.equal(payloadOf(call, 'task.announce').round, round)
      const bid = honest(call)
      for (let n = 0; n < 80; n++, attack++) {
        const kind = kinds[attack % kinds.length] as string
        if (/before/.test(kind) && !heldBack.some(({ correlationId }) => correlationId !== call.correlationId)) continue
        const [bytes, peer] = (attacks[kind] as (typeof attacks)[string])(call, bid, heldBack)
        arrive(bytes, peer)
        tried.set(kind, (tried.get(kind) ?? 0) + 1)
      }
      // One that is short-lived, and comes when it would have ended, though the window is open.
      const late = honest(call, WINDOW_MS / 4)
      await timeline.runUntil(timeline.now() + WINDOW_MS / 2)
      arrive(encodeEnvelope(late), bob.peer)
      if (random.chance(0.7)) {
        assert.equal(arrive(encodeEnvelope(bid), bob.peer), 'read')
        genuine++
      }
      heldBack.push(bid, late)
      await timeline.runUntil(timeline.now() + WINDOW_MS / 2)
    }
    await timeline.runUntil(timeline.now() + 40_000)
    await followed
    assert.equal(events.at(-1)?.event, 'failed')
    if (heldBack.length > 500) heldBack.splice(0, 250)
  }
  for (const kind of kinds) assert.ok((tried.get(kind) ?? 0) > 500, `${kind} was tried ${tried.get(kind)} times`)
  for (const award of awards) {
    const bid = made.get(payloadOf(award, 'task.award').bid_id)
    assert.ok(bid !== undefined && bid.by === award.to && bid.call.correlationId === award.correlationId && timeline.now() > 0, `awarded a bid that was not made for it: ${JSON.stringify(award.payload)}`)
    assert.ok(award.timestamp < bid.until, 'awarded a bid that does not stand any more')
  }
  assert.ok(genuine > 50 && awards.length === genuine, `${awards.length} awards of ${genuine} bids`)
})
