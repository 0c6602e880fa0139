import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { socketOf } from '../../src/net/local.ts'
import { createUserProof, userKey } from '../../src/net/user-key.ts'
import { folder, startNode, until } from './support.ts'

const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid

test('three nodes with one folder find each other, and know that they are the same user', async t => {
  const rendezvous = folder()
  const first = await startNode(t, { rendezvous })
  await first.net.joined()
  const [second, third] = await Promise.all([startNode(t, { rendezvous }), startNode(t, { rendezvous })])
  await second.net.joined()
  assert.ok(second.net.peers().some(({ peerId }) => peerId === first.net.peerId), 'joined means that those who were there have been met')
  const nodes = [first, second, third]
  await until(() => nodes.every(({ net }) => net.peers().length === 2), 'everybody knows everybody')
  for (const { net } of nodes) {
    for (const { peerId, sameUser } of net.peers()) {
      assert.ok(sameUser)
      assert.ok(net.sameUser(peerId))
    }
    assert.ok(net.sameUser(net.peerId))
  }
})

test('nodes of different folders are not the same user', async t => {
  const [a, b] = await Promise.all([startNode(t), startNode(t)])
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: b.address() })
  await until(() => a.net.peers().length === 1 && b.net.peers().length === 1, 'both hellos')
  assert.equal(a.net.sameUser(b.net.peerId), false)
  assert.equal(b.net.sameUser(a.net.peerId), false)
})

test('two that start at the same moment find each other', async t => {
  const rendezvous = folder()
  const [a, b] = await Promise.all([startNode(t, { rendezvous }), startNode(t, { rendezvous })])
  await until(() => a.net.peers().length === 1 && b.net.peers().length === 1, 'the other')
})

test('a node takes its file away when it stops, and those of the dead', async t => {
  const rendezvous = folder()
  const dead = '12D3KooWQJqAAoKh8NSxVSs7QDxUKcAaK1CpL4mAmXnnzWoTKYCX'
  writeFileSync(join(rendezvous, `${dead}.json`), JSON.stringify({ peerId: dead, addresses: ['/ip4/127.0.0.1/tcp/1'], pid: deadPid() }))
  mkdirSync(join(rendezvous, 'sockets'))
  writeFileSync(socketOf(rendezvous, dead), '')
  const node = await startNode(t, { rendezvous })
  await node.net.joined()
  assert.ok(!existsSync(join(rendezvous, `${dead}.json`)))
  assert.ok(!existsSync(socketOf(rendezvous, dead)))
  const mine = join(rendezvous, `${node.net.peerId}.json`)
  assert.deepEqual(JSON.parse(readFileSync(mine, 'utf8')), { peerId: node.net.peerId, addresses: node.net.addresses(), pid: process.pid })
  assert.equal(statSync(mine).mode & 0o777, 0o600)
  await node.stop()
  assert.deepEqual(readdirSync(rendezvous, { recursive: true }), ['sockets', 'user.key'])
})

test('a node puts its file back when somebody has taken it away', async t => {
  const rendezvous = folder()
  const node = await startNode(t, { rendezvous })
  await node.net.joined()
  const { unlink } = await import('node:fs/promises')
  const mine = join(rendezvous, `${node.net.peerId}.json`)
  await unlink(mine)
  await until(() => existsSync(mine), 'the file')
})

test('nonsense in the folder does no harm', async t => {
  const rendezvous = folder()
  writeFileSync(join(rendezvous, '12D3KooWnonsense.json'), '{"peerId": [')
  writeFileSync(join(rendezvous, '12D3KooWnonsensf.json'), JSON.stringify({ peerId: '12D3KooWnonsensf', addresses: ['x'], pid: process.pid }))
  writeFileSync(join(rendezvous, 'README.json'), '')
  const [a, b] = [await startNode(t, { rendezvous }), await startNode(t, { rendezvous })]
  await b.net.joined()
  assert.deepEqual(b.net.peers().map(({ peerId }) => peerId), [a.net.peerId])
})

test('a folder that others may use is not used, and said so', async t => {
  const rendezvous = folder()
  chmodSync(rendezvous, 0o755)
  const node = await startNode(t, { rendezvous })
  assert.deepEqual(readdirSync(rendezvous), [])
  assert.match(String(node.logger.lines.find(({ level }) => level === 'warn')?.facts?.why), /chmod 700/)
})

test('of many who need the key at once, all get the same', async () => {
  const dir = folder()
  const keys = await Promise.all(Array.from({ length: 20 }, () => userKey(dir)))
  assert.equal(new Set(keys.map(key => Buffer.from(key).toString('hex'))).size, 1)
  assert.deepEqual(readdirSync(dir), ['user.key'])
  assert.equal(statSync(join(dir, 'user.key')).mode & 0o777, 0o600)
})

test('a proof is good from one peer to one other, and only with the key', () => {
  const proof = createUserProof(new Uint8Array(32).fill(1))
  const shown = proof.make('alice', 'bob') ?? ''
  assert.ok(proof.holds('alice', 'bob', shown))
  assert.ok(!proof.holds('bob', 'alice', shown))
  assert.ok(!proof.holds('alice', 'carol', shown))
  assert.ok(!proof.holds('alice', 'bob', shown.slice(0, -4)))
  assert.ok(!createUserProof(new Uint8Array(32).fill(2)).holds('alice', 'bob', shown))
  assert.ok(!createUserProof(undefined).holds('alice', 'bob', shown))
  assert.equal(createUserProof(undefined).make('alice', 'bob'), undefined)
})

test('a bootstrap node that is not there yet is met when it comes, though others are there', async t => {
  const rendezvous = folder()
  const gone = await startNode(t)
  const [address = ''] = gone.address()
  await gone.stop()
  const other = await startNode(t, { rendezvous })
  const node = await startNode(t, { rendezvous, bootstrap: [address] })
  await until(() => node.net.peers().length === 1, 'the other')
  await until(() => node.logger.lines.some(({ what }) => what.startsWith('a bootstrap node could not be reached')), 'a failure')
  const seed = await startNode(t, { seed: gone.seed, listen: [address.slice(0, address.indexOf('/p2p/'))] })
  await until(() => node.net.peers().some(({ peerId }) => peerId === seed.net.peerId), 'the bootstrap node')
  assert.equal(other.net.peers().length, 1)
})

test('a bootstrap node is met, with and without its peer id', async t => {
  const seed = await startNode(t)
  const [address = ''] = seed.address()
  for (const bootstrap of [address, address.split('/p2p/')[0] ?? '']) {
    const node = await startNode(t, { bootstrap: [bootstrap] })
    await node.net.joined(5_000)
    assert.deepEqual(node.net.peers().map(({ peerId }) => peerId), [seed.net.peerId])
  }
})
