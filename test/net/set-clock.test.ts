/** A machine's clock that is set while its node waits for others. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createSteadyClock, systemClock } from '../../src/core/clock.ts'
import { startNode } from './support.ts'
import type { Clock } from '../../src/core/ports.ts'

it('a request that gets no answer is given up in its time, when the clock was set back a day meanwhile', { timeout: 20_000 }, async t => {
  let ahead = 0
  const wall: Clock = { ...systemClock, now: () => systemClock.now() + ahead }
  const asked = Promise.withResolvers<void>()
  const asker = await startNode(t, { clock: createSteadyClock(wall), wall })
  const silent = await startNode(t)
  silent.net.handle('request', () => {
    asked.resolve()
    return undefined
  })
  await asker.net.wire.request(silent.net.peerId, asker.envelope('ping', {}), { addresses: silent.address() })
  const answer = asker.net.wire.request(silent.net.peerId, asker.envelope('request', {}, { to: silent.signer.agentId, task: 'a.b' }), { timeoutMs: 1_000 })
  answer.catch(() => undefined)
  await asked.promise
  ahead = -24 * 3_600_000
  const begun = performance.now()
  await assert.rejects(answer, { code: 'NO_REPLY' })
  assert.ok(performance.now() - begun < 5_000)
})
