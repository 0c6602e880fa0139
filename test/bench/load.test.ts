/** The load is what it says, for every subject the same. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { X509Certificate } from 'node:crypto'
import { createServer, connect } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { createFrames, frame } from '../../src/bench/frames.ts'
import { closedLoop, pour, windowed } from '../../src/bench/load.ts'
import { selfSigned } from '../../src/bench/tls.ts'

describe('a closed loop', () => {
  it('has as many in flight as it was told, never more', async () => {
    const open: Array<() => void> = []
    let most = 0
    const loop = closedLoop(() => new Promise<void>(resolve => {
      open.push(resolve)
      most = Math.max(most, open.length)
      if (open.length === 16) for (const answer of open.splice(0)) answer()
    }), { inFlight: 16, count: 160, warmUpMs: 0 })
    assert.equal((await loop).count, 160)
    assert.equal(most, 16)
  })

  it('gives the times it took', async () => {
    const { p50Us, p99Us, perSecond, elapsedMs } = await closedLoop(() => new Promise(resolve => { setTimeout(resolve, 5) }), { inFlight: 2, count: 20, warmUpMs: 0 })
    assert.ok(p50Us >= 4_000 && p99Us >= p50Us && elapsedMs >= 40, JSON.stringify({ p50Us, p99Us, elapsedMs }))
    assert.ok(Math.abs(perSecond - 20 / elapsedMs * 1_000) < 0.001)
  })

  it('fails with the first request that fails', async () => {
    await assert.rejects(closedLoop(() => Promise.reject(new Error('no answer')), { inFlight: 4, ms: 1_000, warmUpMs: 0 }), /no answer/)
  })
})

describe('pouring', () => {
  it('waits whenever it is told to', async () => {
    let room = 3
    let told = 0
    await pour(() => {
      assert.ok(room > 0, 'told without room')
      told++
      if (--room > 0) return undefined
      return new Promise(resolve => {
        setImmediate(() => {
          room = 3
          resolve()
        })
      })
    }, 100)
    assert.equal(told, 100)
  })

  it('has no more of a window than its size, and flushes it', async () => {
    let open = 0
    let most = 0
    let done = 0
    const { tell, flush } = windowed(async () => {
      most = Math.max(most, ++open)
      await new Promise(resolve => { setImmediate(resolve) })
      open--
      done++
    }, 8)
    await pour(() => tell(Buffer.alloc(0)), 100, flush)
    assert.equal(done, 100)
    assert.ok(most <= 8, String(most))
  })

  it('hands on what went wrong', async () => {
    const { tell, flush } = windowed(() => Promise.reject(new Error('gone')), 8)
    await assert.rejects(pour(() => tell(Buffer.alloc(0)), 100, flush), /gone/)
  })
})

describe('frames', () => {
  it('come out as they went in, however they are cut', () => {
    const sent = [Buffer.from('a'), Buffer.from('bb'.repeat(300)), Buffer.alloc(0), Buffer.from('c')]
    const bytes = Buffer.concat(sent.map(frame))
    for (const size of [1, 3, 7, 1_000]) {
      const got: Buffer[] = []
      const frames = createFrames(payload => { got.push(Buffer.from(payload)) })
      for (let at = 0; at < bytes.length; at += size) frames.push(bytes.subarray(at, at + size))
      assert.deepEqual(got, sent)
    }
  })
})

describe('the certificate of a run', () => {
  it('holds for the loopback, and is its own authority', async () => {
    // The length of its base64 differs from one to the next.
    const all = Array.from({ length: 40 }, () => selfSigned())
    for (const { cert } of all) {
      const certificate = new X509Certificate(cert)
      assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1')
      assert.ok(certificate.verify(certificate.publicKey) && certificate.ca)
    }
    const [{ cert, key } = { cert: '', key: '' }] = all
    const server = createServer({ cert, key }, socket => { socket.end('hello') }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca: cert })
    await once(socket, 'secureConnect')
    assert.ok(socket.authorized)
    socket.destroy()
    server.close()
  })
})
