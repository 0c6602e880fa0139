/** What a breaker counts, when it opens, and how it comes back. */
import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { A2aError, type Failure } from '../../src/core/errors.ts'
import { createBreaker, type Blame, type Breaker } from '../../src/guard/breaker.ts'

describe('a breaker', () => {
  let now: number
  let changes: boolean[]
  let breaker: Breaker

  beforeEach(() => {
    now = 1_000_000
    changes = []
    breaker = createBreaker({ what: 'data.sum', clock: { now: () => now }, random: () => 1, changed: isOpen => { changes.push(isOpen) } })
  })

  const succeed = (ms = 0): Promise<string> => breaker.run(async () => {
    now += ms
    return 'done'
  }, () => 'failed')
  const fail = (blame: Blame = 'failed', ms = 0): Promise<unknown> => breaker.run(async () => {
    now += ms
    throw new Error('it broke')
  }, () => blame).catch((error: unknown) => error)
  const times = async (count: number, act: () => Promise<unknown>): Promise<void> => { for (let i = 0; i < count; i++) await act() }
  const refused = (): Failure | undefined => breaker.refusal()

  it('gives what the call gives, and throws what it throws', async () => {
    assert.equal(await succeed(), 'done')
    assert.equal((await fail() as Error).message, 'it broke')
  })

  it('opens with the fifth failure in a row, and then calls nothing', async () => {
    await times(4, fail)
    assert.equal(refused(), undefined)
    await fail()
    assert.deepEqual(refused(), { code: 'CIRCUIT_OPEN', what: 'data.sum', why: 'it broke', retryMs: 1_000 })
    let called = false
    const error = await breaker.run(async () => { called = true }, () => 'failed').catch((thrown: unknown) => thrown)
    assert.deepEqual([called, error instanceof A2aError && error.code], [false, 'CIRCUIT_OPEN'])
    assert.deepEqual([breaker.state(), changes], [{ state: 'open', failures: 5, retryMs: 1_000, last: 'it broke' }, [true]])
  })

  it('counts failures in a row only', async () => {
    await times(4, fail)
    await succeed()
    await times(4, fail)
    assert.equal(refused(), undefined)
  })

  it('does not count what the caller is to blame for', async () => {
    await times(50, () => fail('innocent'))
    assert.deepEqual([refused(), breaker.state().failures], [undefined, 0])
  })

  it('lets one call try after its pause: that closes it', async () => {
    await times(5, fail)
    now += 1_000
    assert.equal(refused(), undefined)
    const trial = Promise.withResolvers<void>()
    const running = breaker.run(() => trial.promise, () => 'failed')
    assert.equal(breaker.state().state, 'half-open')
    assert.equal(refused()?.code, 'CIRCUIT_OPEN', 'only one')
    trial.resolve()
    await running
    assert.deepEqual([refused(), breaker.state().failures, changes], [undefined, 0, [true, false]])
    await times(4, fail)
    assert.equal(refused(), undefined, 'and counting begins anew')
  })

  it('stays open for twice as long after each trial that fails, up to a minute', async () => {
    await times(5, fail)
    const pauses: number[] = []
    for (let trial = 0; trial < 9; trial++) {
      const { retryMs = 0 } = breaker.state()
      pauses.push(retryMs)
      now += retryMs
      await fail()
    }
    assert.deepEqual(pauses, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
  })

  it('tries again at once when a trial said nothing', async () => {
    await times(5, fail)
    now += 1_000
    await fail('innocent')
    assert.deepEqual([refused(), breaker.state().state], [undefined, 'open'])
    await fail()
    assert.equal(breaker.state().retryMs, 2_000)
  })

  it('counts a call that was ended from outside only when it had taken unusually long', async () => {
    await succeed(500)
    await times(9, () => fail('unfinished', 1_999))
    assert.equal(breaker.state().failures, 0)
    await times(5, () => fail('unfinished', 2_000))
    assert.equal(breaker.state().state, 'open')
  })

  it('takes a second for short and five for long where it knows no better', async () => {
    await times(9, () => fail('unfinished', 4_999))
    assert.equal(breaker.state().failures, 0)
    await fail('unfinished', 5_000)
    assert.equal(breaker.state().failures, 1)
    await succeed(1)
    await times(9, () => fail('unfinished', 999))
    assert.equal(breaker.state().failures, 0)
  })

  it('is not held open by a clock that was set back', async () => {
    await times(5, fail)
    now -= 3_600_000
    assert.equal(refused(), undefined)
    assert.equal(await succeed(), 'done')
    assert.equal(breaker.state().state, 'closed')
  })
})
