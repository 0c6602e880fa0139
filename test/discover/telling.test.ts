/** Who of an agent's keepers is told what, in a large mesh. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTelling } from '../../src/discover/telling.ts'
import { createTimeline } from '../../src/testing/timeline.ts'
import type { Capability } from '../../src/core/capability.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Net } from '../../src/net/net.ts'

const DATA = [{ name: 'data.sum', version: 1 } as Capability]
/** Long enough for a mesh that does not change to be seen as one. */
const SETTLED_MS = 20_000

/** A mesh in which the same two are closest to every key. */
function largeMesh () {
  const told: string[] = []
  const clock = createTimeline(0)
  let onPeer: Parameters<Net['onPeer']>[0] = () => undefined
  const net = {
    peerId: 'self',
    onPeer: (listener: typeof onPeer) => {
      onPeer = listener
      return () => undefined
    },
    wire: { send: async (peer: string) => { told.push(peer) } },
    dht: {
      near: () => 20, turnover: () => 1, want: () => undefined,
      keepers: async (_: Uint8Array, count: number) => [{ peer: 'first', addresses: [] }, { peer: 'second', addresses: [] }].slice(0, count)
    }
  } as unknown as Net
  const logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
  const telling = createTelling({ net, clock, logger, index: { match: () => [] }, isLarge: () => true })
  return {
    clock,
    lost: (peer: string) => { onPeer({ type: 'closed', peer } as Parameters<typeof onPeer>[0]) },
    tell: async (all: boolean) => { await telling.tell(DATA, { from: 'agent' } as Envelope, all) },
    /** Since it was asked last. */
    told: () => told.splice(0).sort(),
    [Symbol.dispose]: telling.close
  }
}

test('news goes to the first and the second keeper, a heartbeat to the first alone', async () => {
  using mesh = largeMesh()
  await mesh.clock.runUntil(SETTLED_MS)
  await mesh.tell(true)
  assert.deepEqual(mesh.told(), ['first', 'second'])
  await mesh.tell(false)
  assert.deepEqual(mesh.told(), ['first'])
})

test('a heartbeat goes to a second keeper that knows nothing: one not told before, or lost since', async () => {
  using mesh = largeMesh()
  await mesh.clock.runUntil(SETTLED_MS)
  await mesh.tell(false)
  assert.deepEqual(mesh.told(), ['first', 'second'])
  mesh.lost('second')
  await mesh.tell(false)
  assert.deepEqual(mesh.told(), ['first', 'second'])
})
