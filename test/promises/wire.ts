/** What every Wire promises, over a network or within a process. */
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { EnvelopeHandler, Wire } from '../../src/core/ports.ts'
import { MAX_CONTENT, type MessageName } from '../../src/wire/messages.ts'

export interface WireEnd {
  wire: Wire
  agentId: string
  /** An envelope from this end's agent, signed where its type asks for it. */
  envelope: (type: MessageName, payload: unknown, more?: Partial<Envelope>) => Envelope
  handle: (type: MessageName, handler: EnvelopeHandler) => void
}

export interface WirePair {
  /** Asks. */
  near: WireEnd
  /** Answers; may be the same node. */
  far: WireEnd
  addresses: string[]
}

const code = (expected: string) => (error: unknown): boolean => {
  assert.ok(error instanceof A2aError, String(error))
  assert.equal(error.code, expected)
  return true
}

export function wireKeepsItsPromises (name: string, makePair: (t: TestContext) => Promise<WirePair>): void {
  const promise = (what: string, run: (pair: WirePair, t: TestContext) => Promise<void>): void => {
    test(`wire (${name}) ${what}`, async t => { await run(await makePair(t), t) })
  }

  promise('brings a request to its handler and the reply back', async ({ near, far, addresses }) => {
    far.handle('advert.query', (query, origin) => {
      assert.equal(origin.peer, near.wire.peerId)
      assert.equal(query.from, near.agentId)
      assert.deepEqual(query.payload, { limit: 3 })
      return far.envelope('advert.list', { adverts: [] }, { causationId: query.messageId })
    })
    const query = near.envelope('advert.query', { limit: 3, unknown_field: 'is not passed on' })
    const reply = await near.wire.request(far.wire.peerId, query, { addresses })
    assert.equal(reply.type, 'advert.list')
    assert.equal(reply.from, far.agentId)
    assert.equal(reply.causationId, query.messageId)
  })

  promise('brings what is only sent', async ({ near, far, addresses }) => {
    const arrived = Promise.withResolvers<Envelope>()
    far.handle('task.heartbeat', envelope => { arrived.resolve(envelope); return undefined })
    const sent = near.envelope('task.heartbeat', {}, { epoch: 7 })
    await near.wire.send(far.wire.peerId, sent, { addresses })
    assert.equal((await arrived.promise).messageId, sent.messageId)
    assert.equal((await arrived.promise).epoch, 7)
  })

  promise('keeps the order of what is sent', async ({ near, far, addresses }) => {
    const arrived: number[] = []
    const all = Promise.withResolvers<void>()
    far.handle('task.progress', ({ sequence = 0 }) => {
      if (arrived.push(sequence) === 200) all.resolve()
      return undefined
    })
    await Promise.all(Array.from({ length: 200 }, (_, i) => near.wire.send(far.wire.peerId, near.envelope('task.progress', {}, { sequence: i }), { addresses })))
    await all.promise
    assert.deepEqual(arrived, Array.from({ length: 200 }, (_, i) => i))
  })

  promise('carries the largest content whole', async ({ near, far, addresses }) => {
    const content = new Uint8Array(MAX_CONTENT).map((_, i) => i * 31)
    const arrived = Promise.withResolvers<Uint8Array | undefined>()
    far.handle('task.artifact', envelope => { arrived.resolve(envelope.content); return undefined })
    await near.wire.send(far.wire.peerId, near.envelope('task.artifact', { name: 'a' }, { content }), { addresses })
    assert.ok(Buffer.from(content).equals(await arrived.promise ?? new Uint8Array()))
  })

  promise('refuses to send what is too large', async ({ near, far, addresses }) => {
    const content = new Uint8Array(MAX_CONTENT + 1)
    await assert.rejects(near.wire.send(far.wire.peerId, near.envelope('task.artifact', { name: 'a' }, { content }), { addresses }), code('MESSAGE_TOO_LARGE'))
  })

  promise('rejects with the failure that the other end threw', async ({ near, far, addresses }) => {
    far.handle('advert.query', () => { throw new A2aError({ code: 'STALE_EPOCH', taskId: 't', epoch: 1, current: 2 }) })
    await assert.rejects(near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 1 }), { addresses }), error => {
      code('STALE_EPOCH')(error)
      assert.deepEqual((error as A2aError).failure, { code: 'STALE_EPOCH', taskId: 't', epoch: 1, current: 2 })
      return true
    })
  })

  promise('tells nothing of an error that is none of ours', async ({ near, far, addresses }) => {
    far.handle('advert.query', () => { throw new Error('/home/me/secret.json: no such file') })
    await assert.rejects(near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 1 }), { addresses }), error => {
      code('INTERNAL')(error)
      assert.doesNotMatch(String(error), /secret/)
      return true
    })
  })

  promise('rejects with NO_REPLY when none comes in time', async ({ near, far, addresses }) => {
    const { promise: never, resolve } = Promise.withResolvers<undefined>()
    far.handle('advert.query', () => never)
    await assert.rejects(near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 1 }), { addresses, timeoutMs: 300 }), code('NO_REPLY'))
    resolve(undefined)
  })

  promise('answers what has no handler with MESSAGE_UNKNOWN', async ({ near, far, addresses }) => {
    await assert.rejects(near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 1 }), { addresses }), code('MESSAGE_UNKNOWN'))
    await assert.rejects(near.wire.request(far.wire.peerId, { ...near.envelope('ping', {}), type: 'from.the.future' }, { addresses }), code('MESSAGE_UNKNOWN'))
  })

  promise('keeps from handlers what does not fit its schema', async ({ near, far, addresses }) => {
    far.handle('advert.query', () => assert.fail('it reached the handler'))
    await assert.rejects(near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 'many' }), { addresses }), code('MESSAGE_MALFORMED'))
  })

  promise('keeps from handlers what its sender may not say', async ({ near, far, addresses }) => {
    far.handle('advert.query', () => assert.fail('it reached the handler'))
    far.handle('task.bid', () => assert.fail('it reached the handler'))
    const stranger = 'did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH'
    await assert.rejects(near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 1 }, { from: stranger }), { addresses }), code('CREDENTIAL_INVALID'))
    const unsigned = { ...near.envelope('task.bid', { round: 1, cost: 1, confidence: 1, load: 0, valid_ms: 1 }), auth: undefined }
    await assert.rejects(near.wire.request(far.wire.peerId, unsigned, { addresses }), code('SIGNATURE_INVALID'))
  })

  promise('gives up when the caller does', async ({ near, far, addresses }) => {
    const { promise: never, resolve } = Promise.withResolvers<undefined>()
    const asked = Promise.withResolvers<void>()
    far.handle('advert.query', () => { asked.resolve(); return never })
    const caller = new AbortController()
    const request = near.wire.request(far.wire.peerId, near.envelope('advert.query', { limit: 1 }), { addresses, signal: caller.signal })
    await asked.promise
    caller.abort(new Error('enough'))
    await assert.rejects(request, /enough/)
    resolve(undefined)
  })
}
