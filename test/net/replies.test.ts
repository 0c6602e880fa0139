import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '../../src/core/clock.ts'
import { A2aError } from '../../src/core/errors.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import { createReplies } from '../../src/net/replies.ts'

const PEER = 'peer'
const FLYING = 64

const replyTo = (messageId: string): Envelope => ({ version: 1, messageId: 'r', correlationId: 'r', causationId: messageId, from: 'did:key:z', timestamp: 0, type: 'reply', payload: {} })

const oldBytes = (): number => getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')?.space_used_size ?? NaN

test('requests that were answered are let go without a collection of the whole heap', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void
  const replies = createReplies(() => new A2aError({ code: 'INTERNAL', why: 'none is expected' }), systemClock)
  const ask = (i: number): void => {
    const kept = Array.from({ length: 100 }, () => i)
    replies.expect({ peer: PEER, messageId: `m${i}`, type: 'request', timeoutMs: 60_000, onReply: () => kept.length, onFailed: () => kept.length })
  }
  for (let i = 0; i < FLYING; i++) ask(i)
  collect()
  const before = oldBytes()
  for (let i = FLYING; i < 20_000; i++) {
    assert.ok(replies.settle(PEER, replyTo(`m${i - FLYING}`)))
    ask(i)
    if (i % 500 === 0) collect({ type: 'minor' })
  }
  assert.equal(replies.waiting(PEER), FLYING)
  const grownBy = oldBytes() - before
  replies.fail(PEER, new A2aError({ code: 'PEER_UNREACHABLE', peer: PEER, why: 'the test is over' }))
  // All that was asked takes 17 MB.
  assert.ok(grownBy < 6_000_000, `${grownBy} bytes were kept`)
})
