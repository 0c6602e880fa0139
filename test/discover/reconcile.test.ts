/** Two nodes make their indexes alike: what the one lacks is sent, and nothing else. */
import assert from 'node:assert/strict'
import { compileSchema } from '../../src/execute/schema.ts'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { createIndex } from '../../src/discover/agent-index.ts'
import { parseAdvert } from '../../src/discover/advert.ts'
import { createDirectory } from '../../src/discover/directory.ts'
import { createIntake } from '../../src/discover/intake.ts'
import { createKeeper } from '../../src/discover/kept.ts'
import { createReconciler } from '../../src/discover/reconcile.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import { newId } from '../../src/wire/id.ts'
import { clock, folder, keepingLogger, startNode, type TestNode } from '../net/support.ts'
import { someone, type Someone } from './support.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const crowd = (t: TestContext, count: number, offers: (i: number) => string): Someone[] => Array.from({ length: count }, (_, i) => someone(t, `QmSomeone${'1'.repeat(8)}${i}`.replaceAll('0', 'z'), offers(i)))

/** An index with its reconciler on a real node; what was sent to whoever asked. */
async function side (t: TestContext) {
  const node = await startNode(t)
  const { net, signer } = node
  const index = createIndex(clock)
  const logger = keepingLogger()
  const intake = createIntake({ index, clock, peerId: net.peerId, isOwn: () => false, onForgotten: () => {} })
  const reconciler = createReconciler({ wire: net.wire, index, intake, interests: () => new Set(['data']), anyAuthor: () => ({ agentId: signer.agentId, newId, now: clock.now }), logger, askAll: async () => assert.fail('it knows digests') })
  const sent: number[] = []
  net.handle('advert.survey', reconciler.answerSurvey)
  net.handle('advert.sync', query => {
    const answer = reconciler.answerSync(query)
    sent.push((answer as Envelope & { payload: { adverts: string[] } }).payload.adverts.length)
    return answer
  })
  const knows = (who: Someone, at?: number): void => {
    const envelope = who.says({}, at)
    index.put(parseAdvert(envelope, (envelope.payload as { peer_id: string }).peer_id), 'peer', 'somebody')
  }
  return { node, index, reconciler, sent, knows }
}

async function meet (from: TestNode, to: TestNode): Promise<void> {
  await from.net.wire.send(to.net.peerId, from.envelope('ack', {}), { addresses: to.address() })
}

it('sends what is missing, nothing when nothing is, and what is newer', async t => {
  const [here, there] = [await side(t), await side(t)]
  await meet(here.node, there.node)
  const agents = crowd(t, 300, i => `data.x${i % 7}`)
  for (const agent of agents) there.knows(agent, 1_000 + Date.now() - 5_000)
  const reconcile = () => here.reconciler.reconcile(there.node.net.peerId)
  assert.deepEqual(await reconcile(), { theirs: 300, missed: 300 })
  assert.deepEqual(there.sent.splice(0), [256, 44])
  assert.deepEqual(await reconcile(), { theirs: 300, missed: 0 })
  assert.deepEqual(there.sent.splice(0), [], 'the digests are the same')
  for (const agent of agents.slice(0, 3)) there.knows(agent)
  assert.deepEqual(await reconcile(), { theirs: 300, missed: 0 })
  assert.deepEqual(there.sent, [3])
  assert.equal(here.index.sequenceOf(agents[0]?.id ?? ''), there.index.sequenceOf(agents[0]?.id ?? ''))
})

it('of thousands only the domains of interest come, in parts', async t => {
  const [here, there] = [await side(t), await side(t)]
  await meet(here.node, there.node)
  for (const agent of crowd(t, 2_500, i => i < 2_200 ? 'data.x' : 'text.x')) there.knows(agent)
  const { missed } = await here.reconciler.reconcile(there.node.net.peerId)
  assert.equal(missed, 2_200)
  assert.equal(here.index.size(), 2_200)
  assert.ok(there.sent.every(count => count <= 256))
})

it('forgeries among what a peer says it knows do not get in, and the rest does', async t => {
  const [here, liar] = [await side(t), await startNode(t)]
  await meet(here.node, liar)
  const [honest, victim] = crowd(t, 2, () => 'data.x') as [Someone, Someone]
  const bent = victim.statement()
  bent[bent.length - 5] = (bent[bent.length - 5] as number) ^ 1
  liar.net.handle('advert.survey', query => ({ ...liar.envelope('advert.digest', { agents: 2, domains: [{ domain: 'data', agents: 1_000_000_000, digest: 'AAAAAAAAAAA' }] }), causationId: query.messageId }))
  let asked = 0
  liar.net.handle('advert.sync', query => {
    asked++
    return { ...liar.envelope('advert.list', { adverts: [bent, honest.statement({}, Date.now() - 10)].map(bytes => Buffer.from(bytes).toString('base64url')), more: true }), causationId: query.messageId }
  })
  await here.reconciler.reconcile(liar.net.peerId)
  assert.deepEqual(here.index.all().map(({ agentId }) => agentId), [honest.id])
  assert.ok(asked <= 128, 'who always says that there is more is not asked for ever')
})

it('a late joiner learns a domain from one member, also of a node of an earlier version', async t => {
  const file = join(folder(), 'agents.jsonl')
  const known = createIndex(clock)
  const keeper = createKeeper({ file, index: known, clock, logger: keepingLogger() })
  keeper.begin()
  const agents = crowd(t, 600, i => i < 400 ? 'data.x' : 'text.x')
  for (const agent of agents) known.put(parseAdvert(agent.says(), (agent.says().payload as { peer_id: string }).peer_id), 'peer', 'somebody')
  await keeper.close()
  const start = async (more: { file?: string } = {}) => {
    const node = await startNode(t)
    const directory = createDirectory({ net: node.net, clock, logger: keepingLogger(), values: createMemoryLog({ clock }).values, protocols: [], compileSchema, ...more })
    t.after(() => directory.close())
    await directory.advertise({ author: { agentId: node.signer.agentId, newId, now: clock.now }, signer: node.signer, name: 'us', capabilities: () => [], load: () => 0 })
    return { node, directory }
  }
  const member = await start({ file })
  assert.equal((await member.directory.find('*', { limit: 1_000 })).length, 601)
  const joiner = await start()
  await meet(joiner.node, member.node)
  const found = await joiner.directory.find('data.*', { limit: 1_000 })
  assert.equal(found.length, 400)
  assert.ok(joiner.directory.size() <= 402, 'what it did not ask about was not sent')

  const old = await startNode(t)
  old.net.handle('advert.query', query => ({ ...old.envelope('advert.list', { adverts: agents.slice(0, 200).map(agent => Buffer.from(agent.statement({}, Date.now() - 5)).toString('base64url')) }), causationId: query.messageId }))
  const second = await start()
  await meet(second.node, old)
  assert.equal((await second.directory.find('data.*', { limit: 1_000 })).length, 200)
})
