/** Which of the two keepers of a place is asked, in a large mesh. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeeping } from '../../src/discover/keeping.ts'
import type { AskOptions } from '../../src/discover/ask.ts'
import { clock, keepingLogger } from '../net/support.ts'
import type { Contact, Net } from '../../src/net/net.ts'

/** A mesh in which each key has a keeper of its own, in the order they are looked for. */
function largeMesh (keepers: Array<{ isNew?: boolean, names?: string[], fails?: boolean, isSlow?: boolean }>) {
  const places = new Map<string, Contact>()
  const asked: string[] = []
  const net = {
    peerId: 'self',
    onPeer: () => () => undefined,
    dht: {
      near: () => 20, turnover: () => 1, want: () => undefined,
      keepers: async (key: Uint8Array) => {
        const place = Buffer.from(key).toString()
        const number = places.size
        const contact = places.get(place) ?? { peer: String(number), addresses: [], isNew: keepers[number]?.isNew === true }
        places.set(place, contact)
        return [contact]
      }
    }
  } as unknown as Net
  const ask = async (peer: string, { onNamed }: AskOptions) => {
    asked.push(peer)
    const { names = [], fails = false, isSlow = false } = keepers[Number(peer)] ?? {}
    if (isSlow) {
      await new Promise(resolve => { setTimeout(resolve, 20) })
      asked.push(`${peer} answers`)
    }
    if (fails) throw new Error('it is gone')
    for (const name of names) onNamed?.(name)
    return { told: names.length, refused: 0 }
  }
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const keeping = createKeeping({ net, clock, logger, index: { match: () => [] } as never, ask: ask as never })
  return {
    look: async () => {
      await keeping.look('data.sum', 10, AbortSignal.timeout(5_000))
      return { asked, lookedFor: places.size }
    },
    [Symbol.dispose]: keeping.close
  }
}

test('who has been there for a while and names somebody is enough: the other is not even looked for', async () => {
  using mesh = largeMesh([{ names: ['an agent'] }, {}])
  assert.deepEqual(await mesh.look(), { asked: ['0'], lookedFor: 1 })
})

test('of one that is new the other is asked, if that is not new', async () => {
  using mesh = largeMesh([{ isNew: true }, { names: ['an agent'] }])
  assert.deepEqual(await mesh.look(), { asked: ['1'], lookedFor: 2 })
})

test('two that are new are asked together', async () => {
  using mesh = largeMesh([{ isNew: true, isSlow: true, names: ['an agent'] }, { isNew: true }])
  assert.deepEqual(await mesh.look(), { asked: ['0', '1', '0 answers'], lookedFor: 2 })
})

for (const first of [{ fails: true }, {}, { isNew: true }]) {
  test(`after one ${JSON.stringify(first)} that named nobody the other is asked`, async () => {
    using mesh = largeMesh([first, first])
    assert.deepEqual((await mesh.look()).asked, ['0', '1'])
  })
}

for (const [peers, isWarming] of [[17, true], [16, false]] as const) {
  test(`where ${peers} nodes are remembered, and nobody is seen yet, ${isWarming ? 'many may be starting again' : 'few are'}`, () => {
    const entries = Array.from({ length: 2 * peers }, (_, i) => ({ source: 'kept', peerId: String(i % peers) }))
    const net = { peerId: 'self', onPeer: () => () => undefined, dht: { near: () => 1 } } as unknown as Net
    let now = 0
    const keeping = createKeeping({ net, clock: { ...clock, now: () => now }, logger: keepingLogger(), index: { all: () => [...entries, { source: 'peer', peerId: 'another' }] } as never, ask: undefined as never })
    assert.equal(keeping.isWarming(), false)
    keeping.remembered()
    assert.equal(keeping.isWarming(), isWarming)
    now = 10_000
    assert.equal(keeping.isWarming(), false, 'after ten seconds they have started, or are gone')
    keeping.close()
  })
}
