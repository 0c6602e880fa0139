import assert from 'node:assert/strict'
import { once } from 'node:events'
import { it } from 'node:test'
import { within } from '../../src/core/deadline.ts'

it('a deadline ends by itself', async () => {
  const signal = within(1)
  if (!signal.aborted) {
    const alive = setTimeout(() => {}, 10_000)
    await once(signal, 'abort')
    clearTimeout(alive)
  }
  assert.equal((signal.reason as Error).name, 'TimeoutError')
})

it('a caller narrows it, and gives the reason', () => {
  const caller = new AbortController()
  const signal = within(60_000, caller.signal)
  assert.equal(signal.aborted, false)
  caller.abort(new Error('enough'))
  assert.equal((signal.reason as Error).message, 'enough')
})

it('one that is over, or a fraction of a millisecond, is no error', () => {
  for (const ms of [-5, 0, 0.2]) assert.doesNotThrow(() => within(ms))
})
