/** A node of an earlier version in a large mesh: who hears of its agents tells their keepers. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { createRelay, KEEPING_PROTOCOL } from '../../src/discover/relay.ts'
import { createIndex } from '../../src/discover/agent-index.ts'
import { createIntake } from '../../src/discover/intake.ts'
import { compose, payloadOf } from '../../src/wire/compose.ts'
import { newId } from '../../src/wire/id.ts'
import { clock, keepingLogger } from '../net/support.ts'
import { someone } from './support.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Net } from '../../src/net/net.ts'

const OLDER = 'QmFormer11111111'
/** Often enough for what happens one time in seventeen. */
const OFTEN = 400

/** In a mesh of the older node, this one and two keepers. */
function largeMesh (t: TestContext, { isLarge = true, isWarming = false, near = true, keepers = ['first', OLDER, 'second'] } = {}) {
  const looked: string[] = []
  const sent: Array<{ peer: string, envelope: Envelope }> = []
  const index = createIndex(clock)
  const author = { agentId: 'did:key:zUs', newId, now: clock.now }
  const intake = createIntake({ index, clock, peerId: 'self', isOwn: () => false, onForgotten: () => undefined })
  const net = { dht: { isNear: () => near }, sameUser: () => true, wire: { send: async (peer: string, envelope: Envelope) => { sent.push({ peer, envelope }) } } } as unknown as Net
  const relay = createRelay({ net, index, intake, keeping: { isLarge: () => isLarge, isWarming: () => isWarming, isFresh: pattern => pattern === 'data.fresh', look: async pattern => { looked.push(pattern) }, keepersOf: async () => keepers.map(peer => ({ peer, addresses: [], isFirst: true })) }, anyAuthor: () => author, logger: keepingLogger() })
  const agent = someone(t, OLDER)
  const heard = async (facts: Parameters<typeof agent.says>[0], times: number, isNews = false, gossip?: boolean): Promise<typeof sent> => {
    const said = agent.says(facts)
    for (let i = 0; i < times; i++) relay.heard(said, { peer: OLDER, gossip }, isNews)
    await new Promise(setImmediate)
    return sent.splice(0)
  }
  const asked = async (query: { pattern?: string, agent_id?: string, local?: boolean }): Promise<string[]> => {
    await relay.inform(compose('advert.query', { limit: 10, ...query }, author, { correlationId: newId() }), { peer: OLDER })
    return looked.splice(0)
  }
  return { relay, index, agent, heard, asked }
}

test('keepers take it as the agent\'s own word, and its farewell', async t => {
  const { relay, index, agent, heard } = largeMesh(t)
  const [told] = await heard({ protocols: [] }, OFTEN)
  assert.ok(told !== undefined)
  assert.equal(told.envelope.type, 'advert.relay')
  relay.take(told.envelope, { peer: 'another' })
  assert.equal(index.get(agent.id)?.peerId, OLDER)
  const [farewell] = await heard({ protocols: [], ttl: 0, sequence: Date.now() + 1 }, OFTEN)
  assert.ok(farewell !== undefined)
  relay.take(farewell.envelope, { peer: 'another' })
  assert.equal(index.get(agent.id), undefined)
})

test('each keeper is told but the node itself, by some of those who hear a heartbeat, and by more of those to whom it is news', async t => {
  const { heard } = largeMesh(t)
  const beats = await heard({ protocols: [] }, OFTEN)
  assert.deepEqual([...new Set(beats.map(({ peer }) => peer))], ['first', 'second'])
  assert.ok(beats.length > 4 && beats.length < OFTEN / 2, `${beats.length}`)
  const news = await heard({ protocols: [] }, OFTEN, true)
  assert.ok(news.length > beats.length && news.length < OFTEN, `${news.length}`)
})

test('nobody is told of who tells keepers itself, of what was gossiped, in a small mesh, or of a stranger', async t => {
  const { heard } = largeMesh(t)
  assert.deepEqual(await heard({ protocols: [KEEPING_PROTOCOL] }, OFTEN, true), [])
  assert.deepEqual(await heard({ protocols: [] }, OFTEN, true, true), [])
  assert.deepEqual(await largeMesh(t, { isLarge: false }).heard({ protocols: [] }, OFTEN, true), [])
  assert.deepEqual(await largeMesh(t, { near: false }).heard({ protocols: [] }, OFTEN, true), [])
})

test('a stranger relays nothing, and a spoiled statement is refused', async t => {
  const { heard } = largeMesh(t)
  const [told] = await heard({ protocols: [] }, OFTEN)
  assert.ok(told !== undefined)
  const strange = largeMesh(t, { near: false })
  strange.relay.take(told.envelope, { peer: 'another' })
  assert.equal(strange.index.size(), 0)
  const statement = Buffer.from(payloadOf(told.envelope, 'advert.relay').advert, 'base64url')
  statement[statement.length - 1] = (statement.at(-1) as number) ^ 1
  const { relay } = largeMesh(t)
  assert.throws(() => relay.take({ ...told.envelope, payload: { advert: statement.toString('base64url') } }, { peer: 'another' }), { code: 'SIGNATURE_INVALID' })
})

test('keepers are asked before a query is answered, unless its sender asks them, they were asked lately, somebody is known, all may have just started, or it is a stranger', async t => {
  const { asked, relay, heard } = largeMesh(t)
  assert.deepEqual(await asked({ pattern: 'data.sum' }), ['data.sum'])
  assert.deepEqual(await asked({ pattern: 'data.sum', local: true }), [])
  assert.deepEqual(await asked({ pattern: 'data.fresh' }), [])
  assert.deepEqual(await asked({ agent_id: 'did:key:zThem' }), [])
  assert.deepEqual(await largeMesh(t, { isWarming: true }).asked({ pattern: 'data.sum' }), [])
  const [told] = await heard({ protocols: [], capabilities: [{ name: 'data.sum', version: 1 }] }, OFTEN)
  assert.ok(told !== undefined)
  relay.take(told.envelope, { peer: 'another' })
  assert.deepEqual(await asked({ pattern: 'data.sum' }), [])
  assert.deepEqual(await largeMesh(t, { near: false }).asked({ pattern: 'data.sum' }), [])
  assert.deepEqual(await largeMesh(t, { isLarge: false }).asked({ pattern: 'data.sum' }), [])
})
