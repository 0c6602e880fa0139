import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, connect, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { REUNION } from '../../src/net/limits.ts'
import { createReunion } from '../../src/net/reunion.ts'
import type { Clock } from '../../src/core/ports.ts'
import type { PeerEvent } from '../../src/net/net.ts'
import { manualClock } from '../identity/support.ts'
import { clock, keepingLogger, startNode, until } from './support.ts'

const settled = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

/** A network that is away until `there` is true. */
function apart ({ dead = [] as string[] } = {}) {
  const clock = manualClock()
  const listeners = new Set<(event: PeerEvent) => void>()
  const tell = (event: PeerEvent): void => { for (const listener of listeners) listener(event) }
  const state = { there: false, tried: [] as string[], atOnce: 0, most: 0 }
  const { seek, close: stop } = createReunion({
    clock,
    logger: keepingLogger(),
    onPeer: listener => {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },
    isDead: peer => Promise.resolve(dead.includes(peer)),
    async meet (peer, addresses) {
      state.tried.push(addresses.length === 0 ? peer : `${peer} ${addresses.join()}`)
      state.most = Math.max(state.most, ++state.atOnce)
      await settled()
      state.atOnce--
      if (!state.there) throw new Error('no route')
      tell({ type: 'opened', peer })
    }
  })
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      clock.advance(500)
      for (let i = 0; i < 8; i++) await settled()
    }
  }
  return { clock, state, tell, seek, stop, pass, lose: (peer: string) => { tell({ type: 'closed', peer }) } }
}

test('a lost peer is tried until it is back: a minute later within ten seconds', async () => {
  const { state, pass, lose, clock } = apart()
  lose('a')
  await pass(60_000)
  assert.ok(state.tried.length > 8 && state.tried.length < 40, `${state.tried.length} tries in a minute`)
  state.there = true
  const before = state.tried.length
  await pass(9_000)
  assert.equal(state.tried.length, before + 1)
  assert.equal(clock.pending(), 0, 'nobody is lost any more')
})

test('when one is back the others are tried at once, a few at a time', async () => {
  const { state, pass, lose, tell } = apart()
  for (let i = 0; i < 20; i++) lose(`p${i}`)
  await pass(60_000)
  assert.equal(state.most, REUNION.atOnce)
  state.there = true
  state.tried = []
  tell({ type: 'opened', peer: 'p7' })
  for (let i = 0; i < 100; i++) await settled()
  assert.equal(new Set(state.tried).size, 19)
  assert.equal(state.most, REUNION.atOnce)
})

test('one that was never met is tried where it should be', async () => {
  const { state, pass, seek, lose } = apart()
  seek('a', ['/somewhere'])
  lose('a')
  state.there = true
  await pass(3_000)
  assert.deepEqual(state.tried, ['a /somewhere'])
})

test('who comes and goes is tried less and less', async () => {
  const { state, pass, lose } = apart()
  state.there = true
  lose('a')
  for (let i = 0; i < 120; i++) {
    await pass(1_000)
    lose('a')
  }
  assert.ok(state.tried.length > 10 && state.tried.length < 50, `${state.tried.length} tries in two minutes`)
})

test('who said farewell is not tried, nor who is known to be dead', async () => {
  const { state, pass, lose, tell, clock } = apart({ dead: ['b'] })
  tell({ type: 'closed', peer: 'a', parted: true })
  lose('b')
  await pass(10_000)
  assert.deepEqual(state.tried, [])
  assert.equal(clock.pending(), 0)
})

test('so many are tried, so long, and none after the end', async () => {
  const { state, pass, lose, stop, clock } = apart()
  for (let i = 0; i < REUNION.peers + 10; i++) lose(`p${i}`)
  await pass(20_000)
  assert.equal(new Set(state.tried).size, REUNION.peers)
  await pass(REUNION.forMs + REUNION.lookMs * 2)
  assert.equal(clock.pending(), 0)
  lose('again')
  stop()
  assert.equal(clock.pending(), 0)
})

/** A way to a port that can be made silent: what is sent is swallowed, and nobody is told. */
async function silentRoad (t: TestContext, target: number) {
  const sockets = new Set<Socket>()
  const state = { silent: false }
  const server: Server = createServer(near => {
    sockets.add(near)
    if (state.silent) { near.on('error', () => {}).resume(); return }
    const far = connect(target, '127.0.0.1')
    sockets.add(far)
    for (const [from, to] of [[near, far], [far, near]] as const) {
      from.on('error', () => {}).on('data', bytes => { if (!state.silent) to.write(bytes) }).on('close', () => { if (!state.silent) to.destroy() })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { state, port: (server.address() as { port: number }).port }
}

/** Five times as fast as the true one. */
const hasty: Clock = { now: () => START + (clock.now() - START) * 5, after: (ms, run) => clock.after(ms / 5, run) }
const START = clock.now()

test('a peer behind a road that fell silent is given up, connection and all, and met again when it is whole', async t => {
  const [a, b] = await Promise.all([startNode(t, { clock: hasty }), startNode(t, { clock: hasty })])
  const port = Number(/tcp\/(\d+)/.exec(b.address()[0] ?? '')?.[1])
  const road = await silentRoad(t, port)
  await a.net.wire.send(b.net.peerId, a.envelope('ack', {}), { addresses: [`/ip4/127.0.0.1/tcp/${road.port}`] })
  await until(() => a.net.peers().length === 1, 'the peer')
  road.state.silent = true
  await until(() => a.net.peers().length === 0, 'that it is given up', 60_000)
  road.state.silent = false
  await until(() => a.net.peers().length === 1, 'that it is met again', 15_000)
})
