import assert from 'node:assert/strict'
import { it } from 'node:test'
import { admission } from '../../src/announce/admission.ts'
import { announcementIntake } from '../../src/announce/announcer.ts'
import type { A2aError } from '../../src/core/errors.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const clock = { now: () => 0, after: () => () => {} }
const call = (from = 'a', messageId = 'm'): Envelope => ({ version: 1, messageId, correlationId: 't', from, timestamp: 0, type: 'task.announce', payload: {} })

it('one peer that announces without end is told that it is too much, and others are heard', async () => {
  let considered = 0
  const take = admission({ clock, sameUser: peer => peer === 'mine', connected: () => true }, () => { considered++; return undefined })
  const answers = await Promise.allSettled(Array.from({ length: 1_000 }, async () => await take(call(), { peer: 'mal' })))
  assert.equal(considered, 200)
  assert.equal((answers.at(-1) as { reason: A2aError }).reason.code, 'OVERLOADED')
  await take(call(), { peer: 'bob' })
  for (let i = 0; i < 5_000; i++) await take(call(), { peer: 'mine' })
  assert.equal(considered, 5_201)
})

it('few requesters that are not connected are dialled at once, whoever they say they are', async () => {
  let open = 0
  const held = Promise.withResolvers<undefined>()
  const take = admission({ clock, sameUser: () => false, connected: () => false }, () => { open++; return held.promise })
  const all = Array.from({ length: 100 }, async (_, i) => await take(call(), { peer: `made-up-${i}` }))
  assert.equal(open, 8)
  held.resolve(undefined)
  await Promise.all(all)
  await take(call(), { peer: 'later' })
  assert.equal(open, 9)
})

it('the message ids of one requester cannot be used up by another', async () => {
  const heard: string[] = []
  const take = announcementIntake(({ from }) => { heard.push(from); return undefined })
  await take(call('mal'), { peer: 'mal' })
  await take(call('ada'), { peer: 'ada' })
  await take(call('ada'), { peer: 'ada' })
  assert.deepEqual(heard, ['mal', 'ada'])
})
