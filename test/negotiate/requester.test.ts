import assert from 'node:assert/strict'
import { it } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import { compose, payloadOf } from '../../src/wire/compose.ts'
import { decodeEnvelope } from '../../src/wire/envelope.ts'
import { setScene, type Actor } from './scene.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const ASK = ['sim.work', { ask: 1 }, { maxDurationMs: 20_000, leaseMs: 2_000, bidWindowMs: 200, output: { properties: { right: { const: true } } } }, true] as const
const awardsOf = ({ heard }: Actor): Envelope[] => heard.filter(({ type }) => type === 'task.award')
const isAccepted = (reply: Envelope): boolean =>
  payloadOf(decodeEnvelope(Buffer.from(payloadOf(reply, 'task.settled').countersignature, 'base64url')), 'task.countersign').accepted
/** Bids and accepts; the test does the rest. */
const honest = (envelope: Envelope, actor: Actor): Envelope | undefined => {
  if (envelope.type === 'task.announce') actor.bid(envelope)
  return envelope.type === 'task.award' ? actor.accept(envelope) : undefined
}

it('a second receipt for a settled contract is refused, and does not bring the process down', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const mal = actor('mal', honest)
  ada.delegate(...ASK)
  await pass(500)
  const [award] = awardsOf(mal) as [Envelope]
  const first = mal.wire.request(ada.peer, mal.resultOf(award, { right: true }))
  await pass(500)
  assert.equal((await first).type, 'task.settled')
  // The refusal comes while the log is still being written: it must not be an unhandled rejection.
  const second = mal.wire.request(ada.peer, mal.resultOf(award, { right: true, more: 1 })).catch((error: unknown) => error)
  await pass(500)
  assert.equal((await second as A2aError).code, 'REFUSED')
  assert.equal(seen('told').filter(({ event }) => event.event === 'result').length, 1)
})

it('a result that was settled before a crash is answered as it was', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const bob = actor('bob', honest)
  ada.delegate(...ASK)
  await pass(500)
  const result = bob.resultOf(awardsOf(bob)[0] as Envelope, { right: true })
  const answers: string[] = []
  for (let times = 0; times < 2; times++) {
    const reply = bob.wire.request(ada.peer, result)
    await pass(500)
    answers.push(payloadOf(await reply, 'task.settled').countersignature)
    ada.crash()
    ada.boot()
  }
  assert.equal(answers[0], answers[1])
  assert.equal(seen('told').filter(({ event }) => event.event === 'result').length, 1)
})

it('what the output must look like outlives a crash', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const mal = actor('mal', honest)
  ada.delegate(...ASK)
  await pass(500)
  ada.crash()
  ada.boot()
  await pass(100)
  mal.wire.request(ada.peer, mal.resultOf(awardsOf(mal).at(-1) as Envelope, { right: false })).catch(() => {})
  await pass(500)
  const moved = seen('told').find(({ event }) => event.event === 'moved')?.event
  assert.equal(moved?.event === 'moved' && moved.failure.code, 'OUTPUT_INVALID')
})

it('a result under the award from before a crash is as good as one under the award made again', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  // Its acceptances are lost, so the requester does not know of them when it comes back.
  const bob = actor('bob', (envelope, self) => {
    if (envelope.type === 'task.announce') self.bid(envelope)
    return undefined
  })
  ada.delegate(...ASK)
  await pass(500)
  ada.crash()
  ada.boot()
  await pass(100)
  const [before, again] = awardsOf(bob) as [Envelope, Envelope]
  assert.equal(before.epoch, again.epoch)
  assert.notDeepEqual(before.auth?.statement, again.auth?.statement)
  const reply = bob.wire.request(ada.peer, bob.resultOf(before, { right: true }))
  await pass(500)
  assert.equal(isAccepted(await reply), true)
  assert.ok(seen('told').some(({ event }) => event.event === 'result'))
})

it('a receipt about another contract is not countersigned as accepted', async () => {
  const { host, actor, pass } = setScene()
  const ada = host('ada')
  const mal = actor('mal', honest)
  ada.delegate(...ASK)
  await pass(500)
  const [award] = awardsOf(mal) as [Envelope]
  const forged = { ...award, auth: { credential: new Uint8Array(), statement: Buffer.from('another contract') } }
  const reply = mal.wire.request(ada.peer, mal.resultOf(forged, { right: true }))
  await pass(500)
  assert.equal(isAccepted(await reply), false)
})

it('a requester that was restarted while bids came in awards the bids that its bidders still know', async () => {
  const { host, pass, seen } = setScene()
  const [ada] = [host('ada'), host('bob'), host('cyd')]
  ada.delegate(...ASK)
  // Bids arrive one by one; before the last one the window is still open.
  while (!seen('told').some(({ event }) => event.event === 'bid')) await pass(1)
  ada.crash()
  ada.boot()
  await pass(2_000)
  const story = seen('told').map(({ event }) => event.event)
  assert.ok(story.includes('result'))
  assert.ok(!story.includes('moved'))
})

it('the acceptance is kept with both signatures, also when progress overtook it', async () => {
  const { host, actor, pass } = setScene()
  const ada = host('ada')
  const bob = actor('bob', (envelope, self) => {
    if (envelope.type === 'task.announce') self.bid(envelope)
    if (envelope.type !== 'task.award') return undefined
    const heartbeat = { ...self.accept(envelope), messageId: 'beat', causationId: undefined, type: 'task.heartbeat', payload: {}, auth: undefined }
    self.wire.send(ada.peer, heartbeat).catch(() => {})
    return self.accept(envelope)
  })
  ada.delegate(...ASK)
  await pass(1_000)
  assert.equal(awardsOf(bob).length, 1)
  const [taskId] = [...ada.disk.rows.eventsOf.keys()].map(key => key.split(' ')[1])
  const kept = ada.disk.rows.eventsOf.get(`requester ${taskId}`)?.filter(({ type }) => type === 'accepted')
  assert.equal(kept?.length, 1)
  const { award, acceptance } = JSON.parse(kept?.[0]?.data as string) as { award: string, acceptance: string }
  assert.ok(award.length > 0 && acceptance.length > 0)
})

it('a task that nobody can do yet is given up after three announcements, or looked for until its deadline by who is patient', async () => {
  const { host, pass, seen } = setScene()
  const ada = host('ada')
  const endings = () => seen('told').flatMap(({ event }) => event.event === 'failed' ? [event.failure.code] : event.event === 'result' ? [event.provider] : [])
  const [capability, input, options] = ASK
  ada.delegate(capability, input, options, false)
  ada.delegate(capability, input, { ...options, patient: true }, true)
  await pass(10_000)
  assert.deepEqual(endings(), ['NO_CAPABLE_AGENT'])
  const bob = host('bob')
  await pass(8_000)
  assert.deepEqual(endings(), ['NO_CAPABLE_AGENT', bob.agentId])
})

it('who was too busy, and who lost, is invited again; each announcement comes with its own wait', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const heard: number[] = []
  actor('busy', (envelope, self) => {
    if (envelope.type === 'task.award') return self.accept(envelope)
    if (envelope.type !== 'task.announce') return undefined
    const { round, peer_id: to } = payloadOf(envelope, 'task.announce')
    heard.push(round)
    if (round >= 5) self.bid(envelope)
    else self.wire.send(to, compose('task.pass', { round, reason: 'busy', code: 'OVERLOADED' }, self.author, { correlationId: envelope.correlationId, causationId: envelope.messageId, to: envelope.from })).catch(() => {})
    return undefined
  })
  const [capability, input, options] = ASK
  ada.delegate(capability, input, { ...options, patient: true }, false)
  await pass(15_000)
  assert.deepEqual([...new Set(heard)].slice(0, 5), [1, 2, 3, 4, 5])
  assert.ok(seen('told').some(({ event }) => event.event === 'awarded'))
})
