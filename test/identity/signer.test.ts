import { verify } from 'node:crypto'
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { verifyCredential } from '../../src/identity/credential.ts'
import { createSigner } from '../../src/identity/signer.ts'
import { toDid } from '../../src/identity/keys.ts'
import { manualClock, PEER, rootKey, START, withCode } from './support.ts'

const HOUR = 3_600_000
const bytes = Buffer.from('something')

function start (lifetimeMs?: number) {
  const clock = manualClock()
  const signer = createSigner({ root: rootKey(1), peerId: PEER, clock, lifetimeMs })
  const holds = () => {
    const credential = signer.credential()
    const signature = signer.sign(bytes)
    return verify(null, bytes, verifyCredential(credential, clock.now()).signingKey, signature)
  }
  return { clock, signer, holds }
}

describe('a signer', () => {
  it('signs with the key of its credential, for a day', () => {
    const { signer, holds } = start()
    assert.equal(signer.agentId, toDid(rootKey(1)))
    assert.ok(holds())
    assert.equal(signer.notBefore(), START)
    assert.equal(signer.expiresAt(), START + 24 * HOUR)
  })

  it('takes a new key at half the lifetime, again and again, and tells', () => {
    const { clock, signer, holds } = start()
    const seen: number[] = []
    const credentials = new Set([signer.credential()])
    const stop = signer.onRotated(() => {
      seen.push((clock.now() - START) / HOUR)
      credentials.add(signer.credential())
    })
    clock.advance(48 * HOUR)
    assert.deepEqual(seen, [12, 24, 36, 48])
    assert.equal(credentials.size, 5)
    assert.ok(holds())
    stop()
    clock.advance(12 * HOUR)
    assert.equal(seen.length, 4)
  })

  it('rotates when asked, and then waits half a lifetime again', () => {
    const { clock, signer } = start()
    clock.advance(11 * HOUR)
    const before = signer.credential()
    signer.rotate()
    assert.notDeepEqual(signer.credential(), before)
    assert.equal(signer.expiresAt(), START + 35 * HOUR)
    assert.equal(clock.pending(), 1)
    verifyCredential(before, clock.now())
    clock.advance(11 * HOUR)
    assert.equal(signer.expiresAt(), START + 35 * HOUR)
    clock.advance(HOUR)
    assert.equal(signer.expiresAt(), START + 47 * HOUR)
  })

  for (const [what, jump] of [['slept past the end of its credential', 30 * HOUR], ['had its clock set back', -HOUR]] as const) {
    it(`never gives out a credential that does not hold, when the machine ${what}`, () => {
      const { clock, signer, holds } = start()
      let rotations = 0
      signer.onRotated(() => {
        rotations++
        signer.credential()
      })
      clock.jump(jump)
      assert.ok(holds())
      assert.equal(rotations, 1)
    })
  }

  it('leaves no timer behind once closed, and signs on with what it has', () => {
    const { clock, signer, holds } = start()
    signer.close()
    assert.equal(clock.pending(), 0)
    assert.ok(holds())
    signer.rotate()
    assert.equal(clock.pending(), 0)
  })

  it('refuses lifetimes that no credential can have', () => {
    for (const lifetime of [0, 1_999, NaN, 31 * 24 * HOUR]) assert.throws(() => start(lifetime), withCode('BAD_USAGE'))
  })
})
