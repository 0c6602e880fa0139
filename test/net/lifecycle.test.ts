import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { withCode } from '../identity/support.ts'
import { folder, startNode } from './support.ts'

test('a port in use is LISTEN_FAILED, with the address', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close() })
  const { port } = server.address() as { port: number }
  for (const address of [`/ip4/127.0.0.1/tcp/${port}`, `/ip4/127.0.0.1/tcp/${port}/ws`]) {
    await assert.rejects(startNode(t, { listen: [address] }), error => {
      assert.deepEqual((error as { failure: unknown }).failure, { code: 'LISTEN_FAILED', address, why: 'another process uses this port' })
      return true
    })
  }
})

test('what cannot be listened on is LISTEN_FAILED', async t => {
  await assert.rejects(startNode(t, { listen: ['127.0.0.1:80'] }), withCode('LISTEN_FAILED', /no multiaddr/))
  await assert.rejects(startNode(t, { listen: ['/ip4/127.0.0.1/udp/0'] }), withCode('LISTEN_FAILED'))
  await assert.rejects(startNode(t, { listen: ['/ip4/192.0.2.7/tcp/0'] }), withCode('LISTEN_FAILED', /does not have that address/))
})

test('a bootstrap address that is none is BAD_USAGE', async t => {
  await assert.rejects(startNode(t, { bootstrap: ['example.org'] }), withCode('BAD_USAGE'))
})

test('a node that does not listen reaches others, and is a client of the DHT', async t => {
  const server = await startNode(t)
  const client = await startNode(t, { listen: [] })
  assert.deepEqual(client.address(), [])
  assert.equal(client.net.dht.status().mode, 'client')
  assert.equal(server.net.dht.status().mode, 'server')
  server.net.handle('advert.query', query => server.envelope('advert.list', { adverts: [] }, { causationId: query.messageId }))
  await client.net.wire.request(server.net.peerId, client.envelope('advert.query', { limit: 1 }), { addresses: server.address() })
})

test('stopping is quick, and can be done twice', async t => {
  const nodes = await Promise.all([startNode(t), startNode(t), startNode(t)])
  const [a, b, c] = nodes
  await Promise.all([a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() }), b.net.wire.send(c.net.peerId, b.envelope('ack', {}), { addresses: c.address() })])
  const begun = performance.now()
  await Promise.all([b.stop(), b.stop()])
  assert.ok(performance.now() - begun < 500)
  await assert.rejects(b.net.wire.send(a.net.peerId, b.envelope('ack', {}), { addresses: a.address() }), withCode('PEER_UNREACHABLE'))
})

test('a process whose nodes have stopped ends by itself', async () => {
  const child = spawn(process.execPath, [new URL('two-nodes.ts', import.meta.url).pathname, folder()], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', data => { out += data })
  let stoppedAt = 0
  child.stdout.once('data', () => { stoppedAt = performance.now() })
  const [code] = await once(child, 'exit')
  assert.equal(code, 0)
  assert.equal(out, 'stopped\n')
  assert.ok(performance.now() - stoppedAt < 500, 'something kept it alive')
})
