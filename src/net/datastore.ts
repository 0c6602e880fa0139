/**
 * Where libp2p keeps what others tell it: peers, and the DHT's records. Its own store has no bound, and the DHT keeps
 * whatever it is sent; here what was used longest ago goes. Everything in it is a hint, told again by who means it.
 */
import { LRUCache } from 'lru-cache'
import { NotFoundError } from '@libp2p/interface'
import type { createLibp2p } from 'libp2p'
import { STORE } from './limits.ts'

type Datastore = NonNullable<NonNullable<Parameters<typeof createLibp2p>[0]>['datastore']>
type Key = Parameters<Datastore['get']>[0]
interface Pair { key: Key, value: Uint8Array }

export function boundedDatastore (): Datastore {
  const pairs = new LRUCache<string, Pair>({ max: STORE.entries, maxSize: STORE.bytes, sizeCalculation: ({ value }, key) => key.length + value.length + STORE.overhead })

  const get = (key: Key): Uint8Array => {
    const pair = pairs.get(key.toString())
    if (pair === undefined) throw new NotFoundError()
    return pair.value
  }
  const put = (key: Key, value: Uint8Array): Key => {
    pairs.set(key.toString(), { key, value })
    return key
  }
  const among = ({ prefix = '', offset = 0, limit = Infinity }: { prefix?: string, offset?: number, limit?: number }): Pair[] =>
    [...pairs.values()].filter(({ key }) => key.toString().startsWith(prefix)).slice(offset, offset + limit)

  return {
    get, put,
    has: key => pairs.has(key.toString()),
    delete: key => { pairs.delete(key.toString()) },
    async * getMany (keys) { for await (const key of keys) yield { key, value: get(key) } },
    async * putMany (source) { for await (const { key, value } of source) yield put(key, value) },
    async * deleteMany (keys) {
      for await (const key of keys) {
        pairs.delete(key.toString())
        yield key
      }
    },
    batch () {
      const todo: Array<() => void> = []
      return {
        put: (key, value) => { todo.push(() => { put(key, value) }) },
        delete: key => { todo.push(() => { pairs.delete(key.toString()) }) },
        commit: () => { for (const run of todo.splice(0)) run() }
      }
    },
    async * query (query) {
      for (const pair of among(query)) if (query.filters?.every(fits => fits(pair)) ?? true) yield pair
    },
    async * queryKeys (query) {
      for (const { key } of among(query)) if (query.filters?.every(fits => fits(key)) ?? true) yield key
    }
  }
}
