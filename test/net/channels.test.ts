import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBytes } from 'node:crypto'
import { MAX_CONTENT } from '../../src/wire/messages.ts'
import { withCode } from '../identity/support.ts'
import { opened, startNode, until } from './support.ts'

const limit = { limit: 1 }

test('one channel serves both ways', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  a.net.handle('advert.query', query => a.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
  const known = opened(b.net, a.net.peerId)
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })
  await known
  assert.equal((await b.net.wire.request(a.net.peerId, b.envelope('advert.query', limit))).from, a.signer.agentId)
  const [row] = b.net.peers()
  assert.equal(row?.peerId, a.net.peerId)
  assert.equal(row?.direction, 'inbound')
  assert.deepEqual(row?.agents, [a.signer.agentId])
  assert.ok((a.net.peers()[0]?.rttMs ?? 0) > 0)
})

test('two that open a channel at the same moment both get their replies', async t => {
  for (let i = 0; i < 5; i++) {
    const [a, b] = await Promise.all([startNode(t), startNode(t)])
    for (const node of [a, b]) node.net.handle('advert.query', query => node.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
    const ask = (from: typeof a, to: typeof b) => Promise.all(Array.from({ length: 20 }, () => from.net.wire.request(to.net.peerId, from.envelope('advert.query', limit), { addresses: to.address() })))
    const replies = (await Promise.all([ask(a, b), ask(b, a)])).flat()
    assert.equal(replies.length, 40)
    await Promise.all([a.stop(), b.stop()])
  }
})

test('many who send at once share one connection', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await Promise.all(Array.from({ length: 50 }, () => a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })))
  await until(() => a.net.peers().length === 1, 'its hello')
  assert.equal(a.net.peers()[0]?.addresses.length, 1)
})

test('a sender waits for a reader that is slow, and memory stays bounded', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  const gate = Promise.withResolvers<undefined>()
  let arrived = 0
  b.net.handle('task.artifact', () => {
    arrived++
    return gate.promise
  })
  const content = randomBytes(MAX_CONTENT / 64)
  const total = 1_000
  let taken = 0
  const sends = Array.from({ length: total }, () => a.net.wire.send(b.net.peerId, a.envelope('task.artifact', { name: 'x' }, { content }), { addresses: b.address(), timeoutMs: 30_000 }).then(() => { taken++ }))
  // Each takes three places, for its size.
  const most = Math.ceil(256 / 3)
  await until(() => arrived === most, 'as many handlers at work as there may be')
  // Nothing tells that nothing more happens; so this looks at it for a while.
  const before = taken
  await new Promise(resolve => { setTimeout(resolve, 300) })
  assert.equal(arrived, most)
  assert.ok(taken <= before + 50 && taken < 400, `${taken} of ${total} were taken`)
  gate.resolve(undefined)
  await Promise.all(sends)
  await until(() => arrived === total, 'the rest')
})

test('a handler may ask back the peer that keeps all its handlers busy', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  a.net.handle('task.artifact', part => a.envelope('ack', {}, { causationId: part.messageId }))
  let done = 0
  b.net.handle('task.input', async () => {
    await b.net.wire.request(a.net.peerId, b.envelope('task.artifact', { name: 'x' }))
    done++
    return undefined
  })
  b.net.handle('advert.query', query => b.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
  await Promise.all(Array.from({ length: 600 }, () => a.net.wire.send(b.net.peerId, a.envelope('task.input', {}), { addresses: b.address() })))
  const { type } = await a.net.wire.request(b.net.peerId, a.envelope('advert.query', limit), { timeoutMs: 3_000 })
  assert.equal(type, 'advert.list')
  await until(() => done === 600, 'all of them')
})

test('when a peer ends, who waits for it is told at once', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  const asked = Promise.withResolvers<void>()
  const never = Promise.withResolvers<undefined>()
  b.net.handle('advert.query', () => { asked.resolve(); return never.promise })
  const request = a.net.wire.request(b.net.peerId, a.envelope('advert.query', limit), { addresses: b.address(), timeoutMs: 30_000 })
  const closed = new Promise<void>(resolve => { a.net.onPeer(({ type, peer }) => { if (type === 'closed' && peer === b.net.peerId) resolve() }) })
  request.catch(() => {})
  await asked.promise
  await b.stop()
  await assert.rejects(request, withCode('PEER_UNREACHABLE'))
  await closed
  assert.deepEqual(a.net.peers(), [])
  assert.deepEqual(a.net.speakers(b.net.peerId), [])
  never.resolve(undefined)
})

test('a peer that comes back with the same key is reached again', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })
  await until(() => a.net.peers().length === 1, 'the first channel')
  await b.stop()
  await until(() => a.net.peers().length === 0, 'its end')
  await assert.rejects(a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() }), withCode('PEER_UNREACHABLE'))
  const again = await startNode(t, { seed: b.seed })
  again.net.handle('advert.query', query => again.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
  const reply = await a.net.wire.request(b.net.peerId, a.envelope('advert.query', limit), { addresses: again.address() })
  assert.equal(reply.from, again.signer.agentId)
})

test('after a failed dial the next one waits, unless there are other addresses', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  const dead = ['/ip4/127.0.0.1/tcp/1']
  const send = (addresses: string[]) => a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses })
  await assert.rejects(send(dead), withCode('PEER_UNREACHABLE', /^(?!.*next try)/))
  await assert.rejects(send(dead), withCode('PEER_UNREACHABLE', /next try in/))
  await send(b.address())
})

test('what is no peer id, or no address, is unreachable', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await assert.rejects(a.net.wire.send('no peer id', a.envelope('ack', {})), withCode('PEER_UNREACHABLE'))
  await assert.rejects(a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: ['nowhere', '/ip4/300.1.1.1/tcp/1'] }), withCode('PEER_UNREACHABLE'))
})

test('addresses that belong to somebody else are not dialled', async t => {
  const [a, b, c] = await Promise.all([startNode(t), startNode(t), startNode(t)])
  await assert.rejects(a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: c.address() }), withCode('PEER_UNREACHABLE'))
  assert.deepEqual(c.net.peers(), [])
})

test('greeting anew tells the others who speaks here now', async t => {
  let extra: Uint8Array[] = []
  const a = await startNode(t)
  const b = await startNode(t, { credentials: () => extra })
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })
  await until(() => a.net.peers().length === 1, 'its hello')
  assert.deepEqual(a.net.speakers(b.net.peerId), [])
  extra = [b.signer.credential()]
  const told = new Promise<void>(resolve => { a.net.onPeer(({ type }) => { if (type === 'changed') resolve() }) })
  b.net.greet()
  await told
  assert.deepEqual(a.net.speakers(b.net.peerId), [{ agentId: b.signer.agentId, peerId: b.net.peerId }])
})

test('a credential of another node proves nothing', async t => {
  const a = await startNode(t)
  const victim = await startNode(t)
  const thief = await startNode(t, { credentials: () => [victim.signer.credential()] })
  await thief.net.wire.send(a.net.peerId, thief.envelope('ping', {}, { from: victim.signer.agentId }), { addresses: a.address() })
  await until(() => (a.net.refused.CREDENTIAL_INVALID ?? 0) >= 2, 'both refusals')
  assert.deepEqual(a.net.speakers(thief.net.peerId), [])
})

test('a task message signed by another node than the one that brings it is refused', async t => {
  const [a, b, c] = await Promise.all([startNode(t), startNode(t), startNode(t)])
  b.net.handle('task.accept', () => assert.fail('it reached the handler'))
  const captured = a.envelope('task.accept', { contract_hash: 'A'.repeat(43) })
  await assert.rejects(c.net.wire.request(b.net.peerId, captured, { addresses: b.address() }), withCode('SIGNATURE_INVALID'))
})

test('an advert may be passed on by another node than its author', async t => {
  const [a, b, c] = await Promise.all([startNode(t), startNode(t), startNode(t)])
  const advert = a.envelope('advert', { agent_id: a.signer.agentId, sequence: 1, capabilities: [], protocols: [], peer_id: a.net.peerId, endpoints: [], load: 0, ttl: 60 })
  b.net.handle('advert', envelope => b.envelope('ack', {}, { causationId: envelope.messageId }))
  assert.equal((await c.net.wire.request(b.net.peerId, advert, { addresses: b.address() })).type, 'ack')
})

test('who sends too much that must be refused is disconnected', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })
  const closed = new Promise<void>(resolve => { b.net.onPeer(({ type }) => { if (type === 'closed') resolve() }) })
  await Promise.allSettled(Array.from({ length: 150 }, () => a.net.wire.send(b.net.peerId, a.envelope('advert.query', { limit: 'x' }))))
  await closed
  assert.ok((b.net.refused.MESSAGE_MALFORMED ?? 0) > 100)
  assert.ok(b.logger.lines.some(({ what }) => what === 'disconnected a peer'))
})

test('who waits for a peer that does not read is told when its time is over, and the next messages arrive', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  const gate = Promise.withResolvers<undefined>()
  let arrived = 0
  b.net.handle('task.artifact', () => {
    arrived++
    return gate.promise
  })
  const content = randomBytes(MAX_CONTENT / 4)
  const send = (timeoutMs: number): Promise<void> => a.net.wire.send(b.net.peerId, a.envelope('task.artifact', { name: 'x' }, { content }), { addresses: b.address(), timeoutMs })
  const results = await Promise.allSettled(Array.from({ length: 40 }, () => send(500)))
  const refused = results.filter(result => result.status === 'rejected').map(({ reason }) => (reason as { code: string }).code)
  assert.ok(refused.length > 10, `${refused.length} of 40 were refused`)
  assert.deepEqual([...new Set(refused)], ['OVERLOADED'])
  await assert.rejects(a.net.wire.request(b.net.peerId, a.envelope('task.artifact', { name: 'x' }, { content }), { timeoutMs: 200 }), withCode('OVERLOADED'))
  gate.resolve(undefined)
  await send(10_000)
  await until(() => arrived > 40 - refused.length, 'the last one')
})

test('a small message does not wait for the large ones of another agent of the same node', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  const order: string[] = []
  b.net.handle('task.artifact', ({ payload }) => { order.push((payload as { name: string }).name) })
  const content = randomBytes(MAX_CONTENT / 4)
  await a.net.wire.send(b.net.peerId, a.envelope('task.artifact', { name: 'first' }), { addresses: b.address() })
  const large = Array.from({ length: 20 }, () => a.net.wire.send(b.net.peerId, a.envelope('task.artifact', { name: 'large' }, { content }), { timeoutMs: 30_000 }))
  await a.net.wire.request(b.net.peerId, a.envelope('ping', {}))
  const before = order.length
  await Promise.all(large)
  await until(() => order.length === 21, 'all of them')
  assert.ok(before < 15, `the ping waited for ${before - 1} of 20 large messages`)
})
