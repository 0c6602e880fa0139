import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createSlice } from '../../src/net/slice.ts'

/** A clock that goes on only when it is told to: a busy machine must not make a message take longer here. */
function stopped (): { now: () => number, busy: (ms: number) => void } {
  let time = 0
  return { now: () => time, busy: ms => { time += ms } }
}

it('reading that takes long pauses until what follows from it has been written and sent, and goes on', async () => {
  const said: string[] = []
  const { now, busy } = stopped()
  const { promise, resolve } = Promise.withResolvers<void>()
  const slice = createSlice(5, () => {
    said.push('goes on')
    resolve()
  }, now)
  for (let i = 0; i < 4 && slice.left(); i++) {
    said.push('message')
    // As a commit is asked for at the end of the turn, and sends at the end of its own.
    if (i === 0) setImmediate(() => { setImmediate(() => { said.push('sent') }) })
    busy(3)
  }
  assert.equal(slice.left(), false)
  await promise
  assert.deepEqual(said, ['message', 'message', 'sent', 'goes on'])
  assert.equal(slice.left(), true)
})

it('each turn of the event loop begins anew, and short ones never pause', async () => {
  const { now, busy } = stopped()
  const slice = createSlice(5, () => { assert.fail('it did not pause') }, now)
  for (let turn = 0; turn < 5; turn++) {
    assert.equal(slice.left(), true)
    busy(3)
    assert.equal(slice.left(), true)
    await new Promise(setImmediate)
  }
})
