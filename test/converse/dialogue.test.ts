/** One end of a dialogue, and at the other whoever does not keep to it. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createDialogue, type OpenDialogue } from '../../src/converse/dialogue.ts'
import { readFrames } from '../../src/converse/frame-stream.ts'
import { encodeMessage, encodeSign, KIND } from '../../src/converse/frames.ts'
import { DIALOGUE } from '../../src/converse/limits.ts'
import { createPipe } from '../../src/net/pipe.ts'
import { STREAMS } from '../../src/net/limits.ts'
import type { ByteStream } from '../../src/net/streams.ts'
import { manualClock, withCode, type ManualClock } from '../identity/support.ts'

const turn = (): Promise<void> => new Promise(resolve => { setImmediate(resolve) })

function half (): { end: OpenDialogue, other: ByteStream, clock: ManualClock } {
  const clock = manualClock()
  const [stream, other] = createPipe('peer', STREAMS.readAhead)
  const end = createDialogue({ stream, frames: readFrames(stream), clock, id: '1', name: 'test', with: 'did:key:z1', data: undefined })
  return { end, other, clock }
}

it('a stream that ends without an end of the dialogue is no end of it', async () => {
  const { end: { dialogue }, other } = half()
  await other.write(encodeMessage('heard').frame)
  await other.end()
  const reader = dialogue[Symbol.asyncIterator]()
  assert.equal((await reader.next()).value, 'heard')
  await assert.rejects(reader.next(), withCode('PEER_UNREACHABLE'))
  assert.ok(dialogue.signal.aborted)
})

it('after both ends, a stream that is not ended is reset', async () => {
  const { end: { dialogue, closed }, other, clock } = half()
  await other.write(encodeSign(KIND.end))
  await dialogue.end()
  for await (const _ of dialogue) assert.fail('nothing was sent')
  assert.equal(other.closed.aborted, false)
  clock.advance(DIALOGUE.lingerMs)
  await closed
  assert.ok(other.closed.aborted)
  assert.equal(clock.pending(), 0)
})

it('a cancel is over in time, whether it was heard or not', async () => {
  const { end: { dialogue }, other, clock } = half()
  const cancelled = dialogue.cancel('enough')
  await turn()
  clock.advance(DIALOGUE.lingerMs)
  await cancelled
  await assert.rejects(async () => { for await (const _ of other); }, withCode('PEER_UNREACHABLE'))
})

it('disposing waits no longer than it may for who takes nothing', async () => {
  const { end: { dialogue }, clock } = half()
  for (let i = 0; i < 20; i++) void dialogue.send(new Uint8Array(100_000))
  const disposed = dialogue[Symbol.asyncDispose]()
  await turn()
  assert.equal(dialogue.signal.aborted, false)
  clock.advance(DIALOGUE.disposeMs)
  await turn()
  clock.advance(DIALOGUE.lingerMs)
  await disposed
  assert.match(String(dialogue.signal.reason), /not taken in time/)
})

it('who says and reads no more does not wait for ever for the end of the other', async () => {
  const { end: { dialogue, finish, closed }, other, clock } = half()
  await dialogue.send('a last word')
  finish()
  await turn()
  clock.advance(DIALOGUE.disposeMs)
  await turn()
  clock.advance(DIALOGUE.lingerMs)
  await closed
  const heard: number[] = []
  await assert.rejects(async () => { for await (const { byteLength } of other) heard.push(byteLength) }, withCode('PEER_UNREACHABLE'))
  assert.ok(heard.length > 0)
  assert.equal(clock.pending(), 0)
})

it('a peer that is gone is the end of it, without a word to the stream', async () => {
  const { end } = half()
  const reading = assert.rejects(end.dialogue[Symbol.asyncIterator]().next(), withCode('PEER_UNREACHABLE'))
  end.lose('it does not answer')
  await reading
  await assert.rejects(end.dialogue.send('x'), withCode('PEER_UNREACHABLE'))
})

it('messages of one turn leave in one piece', async () => {
  const { end: { dialogue }, other } = half()
  const pieces: number[] = []
  const reading = (async () => { for await (const piece of other) pieces.push(piece.byteLength) })().catch(() => {})
  for (let i = 0; i < 100; i++) void dialogue.send('x'.repeat(100))
  assert.deepEqual(pieces, [])
  await turn()
  await turn()
  assert.deepEqual(pieces, [100 * 104])
  other.abort('over')
  await reading
})
