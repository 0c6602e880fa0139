/**
 * A thousand records that must not get in, by every way there is: an attacker's channel, gossip, what a peer says it knows
 * (asked for by pattern and by difference), and the DHT, whose hints lead to a liar. Real nodes; the records are made up by fast-check from
 * true ones: forged, bent, cut, said for others, rolled back, said again, outlived, from the future, too large.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { it, type TestContext } from 'node:test'
import * as fc from 'fast-check'
import { parseAdvert, type AdvertFacts } from '../../src/discover/advert.ts'
import { createDirectory } from '../../src/discover/directory.ts'
import { createHints } from '../../src/discover/hints.ts'
import { topicOf } from '../../src/discover/interests.ts'
import { compileSchema } from '../../src/execute/schema.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import { decodeEnvelope, encodeEnvelope, signEnvelope } from '../../src/wire/envelope.ts'
import { newId } from '../../src/wire/id.ts'
import { parsePayload } from '../../src/wire/messages.ts'
import { clock, keepingLogger, startNode, until, type TestNode } from '../net/support.ts'
import { someone, type Someone } from './support.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const RECORDS = 1_000
/** What no honest agent offers: where it is found, a record got in. */
const EVIL = 'data.evil'
const MINUTE = 60_000

async function withDirectory (t: TestContext) {
  const node = await startNode(t)
  const directory = createDirectory({ net: node.net, clock, logger: keepingLogger(), values: createMemoryLog({ clock }).values, protocols: [], compileSchema })
  t.after(() => directory.close())
  await directory.advertise({ author: { agentId: node.signer.agentId, newId, now: clock.now }, signer: node.signer, name: 'us', capabilities: () => [{ name: 'data.ours', version: 1 }], load: () => 0 })
  return { node, directory }
}

/** Records of a few victims, and how each is spoiled. */
function lies (victims: Someone[], thief: Someone, liarPeer: string): fc.Arbitrary<Uint8Array> {
  const now = Date.now()
  const evil = (facts: Partial<AdvertFacts> = {}): Partial<AdvertFacts> => ({ capabilities: [{ name: EVIL, version: 1 }], sequence: now + MINUTE, ...facts })
  const victim = fc.constantFrom(...victims)
  const rebuilt = (envelope: Envelope, more: object): Envelope => ({ ...envelope, payload: { ...envelope.payload as object, ...more } })
  return fc.oneof(
    // Bent: one byte of a true record is another, anywhere in it.
    fc.tuple(victim, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([who, at, by]) => {
      const bytes = who.statement(evil())
      bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ by
      return bytes
    }),
    // Cut, or with something behind it.
    fc.tuple(victim, fc.nat()).map(([who, at]) => { const bytes = who.statement(evil()); return bytes.subarray(0, at % bytes.length) }),
    fc.tuple(victim, fc.uint8Array({ minLength: 1, maxLength: 40 })).map(([who, more]) => Buffer.concat([who.statement(evil()), more])),
    // Signed by a key of one's own, for somebody else.
    victim.map(who => encodeEnvelope(signEnvelope({ ...thief.says(evil()), auth: undefined, from: who.id }, { ...thief.signer, agentId: who.id }))),
    victim.map(who => encodeEnvelope(signEnvelope(rebuilt({ ...thief.says(evil()), auth: undefined }, { agent_id: who.id }), thief.signer))),
    // With the victim's credential and the thief's signature.
    victim.map(who => encodeEnvelope(signEnvelope({ ...who.says(evil()), auth: undefined }, { agentId: who.id, credential: who.signer.credential, sign: bytes => thief.signer.sign(bytes) }))),
    // A node that its credential does not name.
    fc.constant(0).map(() => encodeEnvelope(thief.says(evil({ peerId: liarPeer })))),
    // Rolled back: truly signed, and older than what is known.
    fc.tuple(victim, fc.integer({ min: 1, max: MINUTE })).map(([who, back]) => who.statement(evil({ sequence: now - MINUTE - back }))),
    // Outlived, or from the future.
    fc.tuple(victim, fc.integer({ min: 400, max: 100_000 })).map(([who, seconds]) => who.statement(evil({ sequence: now + MINUTE }), now - seconds * 1_000 - 10 * MINUTE)),
    fc.tuple(victim, fc.integer({ min: 400, max: 100_000 })).map(([who, seconds]) => who.statement(evil({ sequence: now + MINUTE }), now + seconds * 1_000)),
    // Against the rules of an advert.
    fc.constantFrom('data.evil@1', '.', 'DATA', 'a.'.repeat(100), '').map(name => thief.statement(evil({ capabilities: [{ name, version: 1 }, { name: EVIL, version: 1 }] }))),
    fc.constant(0).map(() => thief.statement(evil({ capabilities: Array.from({ length: 65 }, () => ({ name: EVIL, version: 1 })) }))),
    fc.constantFrom(-1, 1.5, 2 ** 60).map(sequence => thief.statement(evil({ sequence }))),
    fc.constantFrom(-1, 2, Number.MAX_VALUE).map(load => thief.statement(evil({ load }))),
    fc.constantFrom('ack', 'task.announce', 'nonsense').map(type => encodeEnvelope(signEnvelope({ ...thief.says(evil()), auth: undefined, type }, thief.signer))),
    fc.uint8Array({ maxLength: 2_000 })
  )
}

const asText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

it('of a thousand spoiled records none gets in, by any way', { timeout: 60_000 }, async t => {
  const { node, directory } = await withDirectory(t)
  const bystander = await startNode(t)
  const liar = await startNode(t)
  const victims = Array.from({ length: 4 }, (_, i) => someone(t, `QmVictim${'1'.repeat(8)}${i + 1}`))
  const truth = victims.map(who => who.statement())
  let told: Uint8Array[] = truth
  const handed = new Set<Uint8Array>()
  const list = (query: Envelope): Envelope => {
    for (const bytes of told) handed.add(bytes)
    return { ...liar.envelope('advert.list', { adverts: told.map(asText) }), causationId: query.messageId }
  }
  liar.net.handle('advert.query', list)
  liar.net.handle('advert.sync', list)
  liar.net.handle('advert.survey', query => ({ ...liar.envelope('advert.digest', { agents: 1, domains: [{ domain: 'data', agents: 1, digest: asText(randomBytes(8)) }] }), causationId: query.messageId }))
  for (const one of [liar, bystander]) await one.net.wire.send(node.net.peerId, one.envelope('ack', {}), { addresses: node.address() })
  await directory.find('data.*')
  assert.equal((await directory.find('data.x')).length, victims.length, 'the truth gets in')
  const before = sequencesOf(directory, victims)
  const thief = someone(t, liar.net.peerId)
  const records = fc.sample(lies(victims, thief, bystander.net.peerId), RECORDS)

  liar.net.gossip.join(topicOf('data'))
  await until(() => (liar.net.gossip.topics()[0]?.subscribers ?? 0) > 0 && liar.net.dht.status().peers > 0, 'the topic, and the DHT')
  // So that a search for it leads to the liar by the DHT too.
  createHints({ dht: liar.net.dht, logger: keepingLogger() }).provide([{ name: EVIL, version: 1 }])
  for (let i = 0; i < records.length; i += 50) {
    told = records.slice(i, i + 50)
    // What a peer knows, by pattern (also as if the DHT had named it) and by difference.
    // It is thrown out for what it says, and comes again.
    await liar.net.wire.send(node.net.peerId, liar.envelope('ack', {}), { addresses: node.address() }).catch(() => {})
    await directory.find(EVIL, { timeoutMs: 100 })
    await directory.find('*', { timeoutMs: 100 })
    await Promise.all(told.map(bytes => said(liar, node, bytes)))
  }
  assert.ok(handed.size > RECORDS * 0.8, `${handed.size} were handed over`)
  assert.deepEqual((await directory.find(EVIL, { timeoutMs: 50 })).map(({ name, sequence }) => ({ name, sequence })), [])
  assert.deepEqual(sequencesOf(directory, victims), before, 'nobody was replaced')
  assert.ok((await directory.find('data.x')).length === victims.length, 'and nobody was taken out')
})

/** By the attacker's own channel and by gossip, as far as its own encoder writes it. */
async function said (liar: TestNode, to: TestNode, bytes: Uint8Array): Promise<void> {
  let envelope: Envelope
  try {
    envelope = decodeEnvelope(bytes)
  } catch {
    return
  }
  await Promise.allSettled([
    liar.net.wire.send(to.net.peerId, envelope, { addresses: to.address(), timeoutMs: 1_000 }),
    liar.net.gossip.publish(topicOf('data'), envelope)
  ])
}

const sequencesOf = (directory: ReturnType<typeof createDirectory>, who: Someone[]): Array<number | undefined> => who.map(({ id }) => directory.get(id)?.sequence)

it('gossip of an agent that was heard before is not taken again, word for word, after it has left', async t => {
  const { node, directory } = await withDirectory(t)
  const peer = await startNode(t)
  const agent = someone(t, peer.net.peerId)
  await peer.net.wire.send(node.net.peerId, peer.envelope('ack', {}), { addresses: node.address() })
  peer.net.gossip.join(topicOf('data'))
  await directory.find('data.*')
  await until(() => (peer.net.gossip.topics()[0]?.subscribers ?? 0) > 0, 'the topic')
  const now = Date.now()
  const known = (count: number) => async () => { while ((await directory.find('data.x', { timeoutMs: 1 })).length !== count) await new Promise(setImmediate) }
  await peer.net.gossip.publish(topicOf('data'), agent.says({ sequence: now - 2 }))
  await known(1)()
  await peer.net.gossip.publish(topicOf('data'), agent.says({ sequence: now, ttl: 0 }))
  await known(0)()
  await peer.net.gossip.publish(topicOf('data'), agent.says({ sequence: now - 1 }))
  await peer.net.gossip.publish(topicOf('data'), agent.says({ sequence: now + 5, ttl: 300 }, now - 20 * MINUTE))
  await until(() => (node.net.refused.ADVERT_STALE ?? 0) === 2, 'two refusals')
  assert.equal(directory.get(agent.id), undefined)
})

it('the records that are spoiled are good before', t => {
  const who = someone(t, 'QmVictim1111')
  const envelope = decodeEnvelope(who.statement())
  assert.equal(parseAdvert({ ...envelope, payload: parsePayload('advert', envelope.payload) }, 'QmVictim1111').agentId, who.id)
})
