import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { Envelope } from '../../src/core/envelope.ts'
import type { EnvelopeHandler } from '../../src/core/ports.ts'
import { createIndex } from '../../src/discover/agent-index.ts'
import { createAsk } from '../../src/discover/ask.ts'
import { createIntake } from '../../src/discover/intake.ts'
import { createFrameReader, framePrefix } from '../../src/net/frames.ts'
import { nodeEnvelope } from '../../src/net/hello.ts'
import { LOCAL } from '../../src/net/limits.ts'
import { createLocalSocket, socketOf, type LocalSocket } from '../../src/net/local.ts'
import { createRouter } from '../../src/net/router.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/wire/envelope.ts'
import { newId } from '../../src/wire/id.ts'
import { someone } from '../discover/support.ts'
import { clock, folder, keepingLogger, startNode, type TestNode } from './support.ts'

const DID = 'did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp'
const PEERS = ['12D3KooWQJqAAoKh8NSxVSs7QDxUKcAaK1CpL4mAmXnnzWoTKYCX', '12D3KooWGjTmvJLDwRyaeoYQYqyD4VUhjgYvb1nDPUU1Gq7Rv6kB'] as const

const question = (): Envelope => nodeEnvelope(DID, 'advert.query', { pattern: 'data.*', limit: 1 }, undefined, Date.now())
const list = (cause: Envelope, adverts: string[] = []): Envelope => nodeEnvelope(DID, 'advert.list', { adverts }, cause, Date.now())

const empty: EnvelopeHandler = query => list(query)

interface End extends LocalSocket { counted: string[] }

function end (t: TestContext, where: string, self: string, handler?: EnvelopeHandler): End {
  const logger = keepingLogger()
  const counted: string[] = []
  const count = (code: string): void => { counted.push(code) }
  const router = createRouter({ self: DID, clock, logger, count, onLateReply () {} })
  if (handler !== undefined) router.handle('advert.query', handler)
  const local = createLocalSocket({ folder: where, self, router, count, clock, wall: clock, logger })
  t.after(local.close)
  return { ...local, counted }
}

async function pair (t: TestContext, handler: EnvelopeHandler): Promise<{ asker: End, answerer: End, where: string, path: string }> {
  const where = folder()
  const answerer = end(t, where, PEERS[1], handler)
  await answerer.listen()
  return { asker: end(t, where, PEERS[0]), answerer, where, path: socketOf(where, PEERS[1]) }
}

const framed = (bytes: Uint8Array): Buffer => Buffer.concat([framePrefix(bytes.length), bytes])

async function raw (path: string, bytes: Uint8Array): Promise<{ socket: Socket, received: () => Buffer }> {
  const chunks: Buffer[] = []
  const socket = connect(path).on('data', chunk => { chunks.push(chunk) }).on('error', () => {})
  await once(socket, 'connect')
  socket.write(bytes)
  return { socket, received: () => Buffer.concat(chunks) }
}

/** Who answers at a socket as `serve` says. */
async function impostor (t: TestContext, where: string, serve: (socket: Socket) => void): Promise<void> {
  const path = socketOf(where, PEERS[1])
  mkdirSync(dirname(path), { recursive: true })
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    serve(socket)
  }).listen(path)
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
}

/** Of twenty nodes of one folder, two that are not connected. */
async function strangers (t: TestContext): Promise<{ asker: TestNode, asked: TestNode, rendezvous: string }> {
  const rendezvous = folder()
  const nodes = await Promise.all(Array.from({ length: 20 }, () => startNode(t, { rendezvous })))
  for (const { net, envelope } of nodes) {
    const advert = Buffer.from(someone(t, net.peerId).statement()).toString('base64url')
    net.handle('advert.query', ({ messageId, correlationId }) => envelope('advert.list', { adverts: [advert] }, { causationId: messageId, correlationId }))
  }
  await Promise.all(nodes.map(({ net }) => net.joined()))
  // Who has joined still meets others for a while, and the two must not meet by themselves.
  const connections = (): number => nodes.reduce((sum, { net }) => sum + net.connected().length, 0)
  for (let before = NaN, i = 0; before !== connections() && i < 20; i++) {
    before = connections()
    await wait(500)
  }
  const [found] = nodes.flatMap(asker => nodes.flatMap(asked => asker !== asked && asker.net.dht.isNear(asked.net.peerId) && !asker.net.connected().includes(asked.net.peerId) ? [{ asker, asked, rendezvous }] : []))
  assert.ok(found, 'of twenty, not all are connected')
  return found
}

/** Asks for adverts, as who looks for agents does. Resolves to how many came, and whether it took a connection. */
async function askForAdverts ({ asker, asked }: Awaited<ReturnType<typeof strangers>>): Promise<{ news: number, connected: boolean }> {
  const index = createIndex(clock)
  const intake = createIntake({ index, clock, peerId: asker.net.peerId, isOwn: () => false, onForgotten () {} })
  const ask = createAsk({ wire: asker.net.wire, index, intake, anyAuthor: () => ({ agentId: asker.signer.agentId, newId, now: clock.now }), logger: asker.logger })
  const { news } = await ask(asked.net.peerId, { pattern: 'data.*', addresses: asked.address() })
  return { news, connected: asker.net.connected().includes(asked.net.peerId) }
}

test('nodes of one user that are not connected ask each other, and are not connected after it', async t => {
  assert.deepEqual(await askForAdverts(await strangers(t)), { news: 1, connected: false })
})

test('a node without a socket, as one of the version before, is connected to', async t => {
  const found = await strangers(t)
  unlinkSync(socketOf(found.rendezvous, found.asked.net.peerId))
  assert.deepEqual(await askForAdverts(found), { news: 1, connected: true })
})

test('the socket is gone when its node stops', async t => {
  const { answerer, where, path } = await pair(t, empty)
  assert.ok(existsSync(path))
  assert.equal(statSync(dirname(path)).mode & 0o777, 0o700)
  await answerer.close()
  assert.deepEqual(readdirSync(join(where, 'sockets')), [])
})

test('one that was left by a kill is replaced', async t => {
  const where = folder()
  mkdirSync(join(where, 'sockets'))
  writeFileSync(socketOf(where, PEERS[1]), 'not even a socket')
  const asker = end(t, where, PEERS[0])
  assert.equal(await asker.ask(PEERS[1], question()), undefined)
  await end(t, where, PEERS[1], empty).listen()
  assert.equal((await asker.ask(PEERS[1], question()))?.type, 'advert.list')
})

test('an answer of a megabyte arrives whole', async t => {
  const adverts = Array.from({ length: 10 }, () => randomBytes(70_000).toString('base64url'))
  const { asker } = await pair(t, query => list(query, adverts))
  assert.deepEqual((await asker.ask(PEERS[1], question()))?.payload, { adverts })
})

test('what a node answers with an error is its error; and only adverts may be asked for', async t => {
  const { asker } = await pair(t, () => { throw new Error('no') })
  await assert.rejects(asker.ask(PEERS[1], question()), { code: 'INTERNAL' })
  await assert.rejects(asker.ask(PEERS[1], nodeEnvelope(DID, 'ping', {}, undefined, Date.now())), { code: 'MESSAGE_UNKNOWN' })
})

test('who gives up, or gets no answer in time, waits no longer', async t => {
  const { asker } = await pair(t, () => new Promise(() => {}))
  await assert.rejects(asker.ask(PEERS[1], question(), { timeoutMs: 50 }), { code: 'NO_REPLY' })
  const leaving = new AbortController()
  const asked = asker.ask(PEERS[1], question(), { signal: leaving.signal })
  setTimeout(() => { leaving.abort(new Error('enough')) }, 20)
  await assert.rejects(asked, /enough/)
})

test('garbage, a question that is too long, and half of one end that connection and nothing else', async t => {
  const { asker, answerer, path } = await pair(t, empty)
  const closed = async (bytes: Uint8Array): Promise<string> => {
    const { socket, received } = await raw(path, bytes)
    await once(socket, 'close')
    return received().toString('hex')
  }
  assert.equal(await closed(framed(randomBytes(200))), '')
  assert.equal(await closed(framePrefix(LOCAL.questionBytes + 1)), '')
  assert.equal(await closed(Buffer.alloc(5, 0xff)), '')
  assert.deepEqual(answerer.counted, ['MESSAGE_MALFORMED', 'MESSAGE_TOO_LARGE', 'MESSAGE_MALFORMED'])
  const half = await raw(path, framed(encodeEnvelope(question())).subarray(0, 20))
  half.socket.destroy()
  const two = await raw(path, Buffer.concat([framed(encodeEnvelope(question())), framed(encodeEnvelope(question()))]))
  await once(two.socket, 'close')
  const reader = createFrameReader(1_000_000)
  reader.push(two.received())
  assert.equal(decodeEnvelope(reader.next() as Uint8Array).type, 'advert.list')
  assert.equal(reader.next(), undefined, 'one question a connection')
  assert.equal((await asker.ask(PEERS[1], question()))?.type, 'advert.list')
})

test('with too many who ask and say nothing, others are sent away to connect; after a while there is room again', async t => {
  const { asker, path } = await pair(t, empty)
  const silent = await Promise.all(Array.from({ length: LOCAL.connections }, () => raw(path, Buffer.alloc(0))))
  assert.equal(await asker.ask(PEERS[1], question()), undefined)
  await Promise.all(silent.map(({ socket }) => once(socket, 'close')))
  assert.equal((await asker.ask(PEERS[1], question()))?.type, 'advert.list')
})

for (const [what, answer] of [
  ['closes at once', socket => { socket.destroy() }],
  ['answers garbage', socket => { socket.end(framed(randomBytes(100))) }],
  ['answers another question', socket => { socket.end(framed(encodeEnvelope(list(question())))) }],
  ['says that more will come than may', socket => { socket.write(Buffer.alloc(5, 0xff)) }]
] as ReadonlyArray<[string, (socket: Socket) => void]>) {
  test(`one who ${what} is to be connected to`, async t => {
    const where = folder()
    await impostor(t, where, answer)
    assert.equal(await end(t, where, PEERS[0]).ask(PEERS[1], question()), undefined)
  })
}

test('where the path is too long for a socket, or the folder cannot be written, there is none', async t => {
  const long = join(folder(), 'x'.repeat(100))
  const answerer = end(t, long, PEERS[1], empty)
  await answerer.listen()
  assert.ok(!existsSync(long))
  const file = join(folder(), 'a-file')
  writeFileSync(file, '')
  await end(t, file, PEERS[1], empty).listen()
  assert.equal(await end(t, file, PEERS[0]).ask(PEERS[1], question()), undefined)
})

test('a node that stops lets nobody wait', async t => {
  const heard = Promise.withResolvers<void>()
  const { asker, answerer } = await pair(t, () => {
    heard.resolve()
    return new Promise(() => {})
  })
  const asked = asker.ask(PEERS[1], question())
  await heard.promise
  await answerer.close()
  assert.equal(await asked, undefined)
})
