/**
 * Where libp2p keeps what others tell it: peers, and the DHT's records. Its own store has no bound, and the DHT keeps
 * whatever it is sent; here what was used longest ago goes. Everything in it is a hint, told again by who means it.
 *
 * Provider records are `<prefix>/<key>/<peer>`: one key has so many, of which any may go for a new one, so that newcomers do not surely
 * push the others out; and one peer has so many, of which its oldest goes.
 */
import { LRUCache } from 'lru-cache'
import { NotFoundError } from '@libp2p/interface'
import type { createLibp2p } from 'libp2p'
import { STORE } from './limits.ts'

type Datastore = NonNullable<NonNullable<Parameters<typeof createLibp2p>[0]>['datastore']>
type Key = Parameters<Datastore['get']>[0]
interface Pair { key: Key, value: Uint8Array }

export function boundedDatastore (): Datastore {
  const folders = new Map<string, Set<string>>()
  const owners = new Map<string, Set<string>>()
  const pairs = new LRUCache<string, Pair>({
    maxSize: STORE.bytes,
    sizeCalculation: ({ value }, key) => key.length + value.length + STORE.overhead,
    dispose: (_pair, key, reason) => { if (reason !== 'set') unlink(key) }
  })

  function link (key: string): void {
    const [folder, name] = split(key)
    add(folders, folder, key)
    if (isProvider(key)) add(owners, name, key)
  }
  function unlink (key: string): void {
    const [folder, name] = split(key)
    remove(folders, folder, key)
    if (isProvider(key)) remove(owners, name, key)
  }
  /** Room for one more provider record. */
  function makeRoom (key: string): void {
    const [folder, name] = split(key)
    const [oldest] = owners.get(name) ?? []
    if ((owners.get(name)?.size ?? 0) >= STORE.recordsOfPeer && oldest !== undefined) pairs.delete(oldest)
    const records = folders.get(folder)
    if (records !== undefined && records.size >= STORE.recordsOfKey) pairs.delete([...records][Math.floor(Math.random() * records.size)] as string)
  }

  const get = (key: Key): Uint8Array => {
    const pair = pairs.get(key.toString())
    if (pair === undefined) throw new NotFoundError()
    return pair.value
  }
  const put = (key: Key, value: Uint8Array): Key => {
    const name = key.toString()
    if (!pairs.has(name)) {
      if (isProvider(name)) makeRoom(name)
      link(name)
    }
    pairs.set(name, { key, value })
    if (!pairs.has(name)) unlink(name)
    return key
  }
  /** One folder is looked up; the rest of the store is not gone over for each question. */
  const among = ({ prefix = '', offset = 0, limit = Infinity }: { prefix?: string, offset?: number, limit?: number }): Pair[] => {
    const inFolder = folders.get(prefix)
    const found = inFolder === undefined
      ? isProvider(`${prefix}/`) ? [] : [...pairs.values()].filter(({ key }) => key.toString().startsWith(prefix))
      : [...inFolder].flatMap(key => pairs.peek(key) ?? [])
    return found.slice(offset, offset + limit)
  }

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

/** `/dht/provider/<key>/<peer>`. */
const isProvider = (key: string): boolean => key.startsWith('/dht/provider/') && key.indexOf('/', '/dht/provider/'.length) > 0

const split = (key: string): [folder: string, name: string] => [key.slice(0, key.lastIndexOf('/')), key.slice(key.lastIndexOf('/') + 1)]

function add (sets: Map<string, Set<string>>, name: string, key: string): void {
  const set = sets.get(name)
  if (set === undefined) sets.set(name, new Set([key]))
  else set.add(key)
}

function remove (sets: Map<string, Set<string>>, name: string, key: string): void {
  const set = sets.get(name)
  set?.delete(key)
  if (set?.size === 0) sets.delete(name)
}
