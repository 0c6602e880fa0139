import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createContacts } from '../../src/net/contacts.ts'
import { peerIdFromString } from '@libp2p/peer-id'
import { sha256 } from '../../src/wire/hash.ts'
import { peerIdOf } from './support.ts'

const key = new TextEncoder().encode('data.revenue')
const distance = (peer: string): string => Buffer.from(sha256(peerIdFromString(peer).toMultihash().bytes).map((byte, i) => byte ^ (sha256(key)[i] ?? 0))).toString('hex')

test('the closest are those whose hash has the smallest distance to that of the key', async () => {
  const peers = await Promise.all(Array.from({ length: 100 }, () => peerIdOf(randomBytes(32))))
  const contacts = createContacts(1_000)
  for (const peer of peers) contacts.add(peer, 'folder')
  assert.deepEqual(contacts.closest(key, 10), peers.toSorted((a, b) => distance(a) < distance(b) ? -1 : 1).slice(0, 10))
})

test('a contact stays as long as one source knows it', async () => {
  const peer = await peerIdOf(randomBytes(32))
  const contacts = createContacts(10)
  contacts.add(peer, 'connected')
  assert.equal(contacts.hasOutsiders(), true)
  contacts.add(peer, 'folder')
  assert.equal(contacts.hasOutsiders(), false)
  contacts.remove(peer, 'connected')
  assert.equal(contacts.isNear(peer), true)
  contacts.remove(peer, 'folder')
  assert.equal(contacts.near(), 0)
})

test('there are strangers as long as one of them is connected', async () => {
  const contacts = createContacts(10)
  const [a = '', b = ''] = await Promise.all([peerIdOf(randomBytes(32)), peerIdOf(randomBytes(32))])
  for (const peer of [a, b]) contacts.add(peer, 'connected')
  contacts.remove(a, 'connected')
  assert.equal(contacts.hasOutsiders(), true)
  contacts.remove(b, 'connected')
  assert.equal(contacts.hasOutsiders(), false)
})

test('there are only so many, and what is no peer id is none', async () => {
  const contacts = createContacts(3)
  contacts.add('12D3KooWnonsense', 'folder')
  for (let i = 0; i < 5; i++) contacts.add(await peerIdOf(randomBytes(32)), 'folder')
  assert.equal(contacts.near(), 3)
})

test('a stranger is never among the closest, however close it made itself', async () => {
  const peers = await Promise.all(Array.from({ length: 60 }, () => peerIdOf(randomBytes(32))))
  const contacts = createContacts(100)
  const [honest = '', ...strangers] = peers.toSorted((a, b) => distance(a) < distance(b) ? 1 : -1)
  contacts.add(honest, 'folder')
  for (const stranger of strangers) contacts.add(stranger, 'connected')
  assert.deepEqual(contacts.closest(key, 3), [honest])
})
