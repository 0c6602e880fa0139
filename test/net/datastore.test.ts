import assert from 'node:assert/strict'
import { it } from 'node:test'
import { boundedDatastore } from '../../src/net/datastore.ts'

type Key = Parameters<ReturnType<typeof boundedDatastore>['get']>[0]
const key = (text: string): Key => ({ toString: () => text }) as Key

it('keeps what it is given, and no more than its bound', async () => {
  const store = boundedDatastore()
  for (let i = 0; i < 100_000; i++) await store.put(key(`/dht/provider/${i}`), new Uint8Array(8))
  const kept = []
  for await (const pair of store.query({ prefix: '/dht/' })) kept.push(pair)
  assert.ok(kept.length <= 20_000 && kept.length > 10_000, `${kept.length}`)
  assert.equal((await store.get(key('/dht/provider/99999'))).length, 8)
  assert.throws(() => store.get(key('/dht/provider/0')), { name: 'NotFoundError' })
  await store.delete(key('/dht/provider/99999'))
  assert.equal(await store.has(key('/dht/provider/99999')), false)
})

it('large records make room for each other', async () => {
  const store = boundedDatastore()
  for (let i = 0; i < 100; i++) await store.put(key(`/peers/${i}`), new Uint8Array(1_024 * 1_024))
  const kept = []
  for await (const found of store.queryKeys({ prefix: '/peers' })) kept.push(found)
  assert.ok(kept.length < 16)
})

it('a question for the providers of one key does not go over all records', async () => {
  const store = boundedDatastore()
  for (let i = 0; i < 15_000; i++) await store.put(key(`/dht/provider/key${i}/peer${i % 1_000}`), new Uint8Array(8))
  for (let i = 0; i < 3; i++) await store.put(key(`/dht/provider/wanted/honest${i}`), new Uint8Array(8))
  const begun = performance.now()
  for (let i = 0; i < 1_000; i++) {
    const found = []
    for await (const pair of store.query({ prefix: '/dht/provider/wanted' })) found.push(pair)
    assert.equal(found.length, 3)
  }
  assert.ok(performance.now() - begun < 1_000, 'a thousand questions take less than a millisecond each')
})

it('one peer has only so many provider records, and pushes nobody else out', async () => {
  const store = boundedDatastore()
  await store.put(key('/dht/provider/wanted/honest'), new Uint8Array(8))
  for (let i = 0; i < 100_000; i++) await store.put(key(`/dht/provider/key${i}/flooder`), new Uint8Array(8))
  const kept = []
  for await (const found of store.queryKeys({ prefix: '/dht/' })) kept.push(found.toString())
  assert.equal(kept.length, 513)
  assert.ok(kept.includes('/dht/provider/wanted/honest'))
})

it('one key has only so many provider records', async () => {
  const store = boundedDatastore()
  for (let i = 0; i < 1_000; i++) await store.put(key(`/dht/provider/wanted/peer${i}`), new Uint8Array(8))
  const kept = []
  for await (const found of store.queryKeys({ prefix: '/dht/provider/wanted' })) kept.push(found)
  assert.equal(kept.length, 128)
})
