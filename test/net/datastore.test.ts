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
  for (let i = 0; i < 100; i++) await store.put(key(`/dht/record/${i}`), new Uint8Array(1_024 * 1_024))
  const kept = []
  for await (const found of store.queryKeys({ prefix: '/dht/record' })) kept.push(found)
  assert.ok(kept.length < 16)
})
