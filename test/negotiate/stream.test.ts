/** The stream of a handler: numbered, in order, and said again until its requester has it. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { A2aError, type Failure } from '../../src/core/errors.ts'
import { createStream, STREAM_BYTES, type Extra, type TaskStream } from '../../src/negotiate/stream.ts'
import { compose } from '../../src/wire/compose.ts'
import { createTimeline } from '../../src/testing/timeline.ts'
import { setScene } from './scene.ts'
import type { Envelope } from '../../src/core/envelope.ts'

const SILENT = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const AWAY: Failure = { code: 'PEER_UNREACHABLE', peer: 'p', why: 'nothing listens' }
const ASK = ['sim.work', { ask: 1 }, { maxDurationMs: 60_000, leaseMs: 4_000, bidWindowMs: 200 }, true] as const
const codeOf = (error: unknown): string => error instanceof A2aError ? error.code : String(error)

/** A stream to a requester that answers as `answer` says. */
function streamTo (answer: (said: Said, times: number) => Promise<void>) {
  const timeline = createTimeline(0)
  const abort = new AbortController()
  const said: Said[] = []
  const stream: TaskStream = createStream({
    clock: timeline, logger: SILENT, signal: abort.signal,
    tell: async (type, payload, { sequence = 0, content, acknowledged = false }: Extra = {}) => {
      const one = { type, what: (payload as { name?: string, note?: string }).name ?? (payload as { note?: string }).note ?? '', sequence, acknowledged, bytes: content?.length ?? 0 }
      said.push(one)
      await answer(one, said.length)
    }
  })
  return { stream, said, abort, pass: (ms: number) => timeline.runUntil(timeline.now() + ms) }
}
interface Said { type: string, what: string, sequence: number, acknowledged: boolean, bytes: number }

it('what a requester that is away did not take is said again under the same number, and nothing overtakes it', async () => {
  let away = true
  const { stream, said, pass } = streamTo(async () => { if (away) throw new A2aError(AWAY) })
  const flushed = Promise.all([stream.say('task.artifact', { name: 'a' }), stream.say('task.artifact', { name: 'b' }), stream.flushed()])
  stream.progress({ note: 'half' })
  stream.progress({ note: 'more' })
  await pass(5_000)
  assert.ok(said.length > 5, `${said.length} times`)
  assert.ok(said.every(({ what, sequence }) => what === 'a' && sequence === 1))
  const before = said.length
  away = false
  await pass(1_000)
  await flushed
  assert.deepEqual(said.slice(before).map(({ what, sequence, acknowledged }) => [what, sequence, acknowledged]), [['a', 1, true], ['b', 2, true], ['more', 3, false]])
})

it('progress is lost and not said again, and holds nothing up', async () => {
  const { stream, said, pass } = streamTo(async ({ type }) => { if (type === 'task.progress') throw new A2aError(AWAY) })
  stream.progress({ note: 'lost' })
  const taken = stream.say('task.artifact', { name: 'a' })
  await pass(0)
  await taken
  assert.deepEqual(said.map(({ what, sequence }) => [what, sequence]), [['lost', 1], ['a', 2]])
})

it('a handler goes on while little waits, waits while much does, and is refused what it does not wait for', async () => {
  const taken: Array<() => void> = []
  const { stream, pass } = streamTo(() => new Promise(resolve => { taken.push(resolve) }))
  const part = { content: new Uint8Array(STREAM_BYTES.kept / 2 - 2_048) }
  const kept: number[] = []
  const say = (n: number): Promise<void> => stream.say('task.artifact', { name: `${n}` }, part).then(() => { kept.push(n) })
  const calls = [say(1), say(2), say(3), say(4)]
  await pass(0)
  assert.deepEqual(kept, [1, 2])
  assert.equal(await stream.say('task.artifact', { name: '5' }, part).catch(codeOf), 'OVERLOADED')
  for (const going of [[1, 2], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]) {
    taken.shift()?.()
    await pass(0)
    assert.deepEqual(kept, going)
  }
  await Promise.all([...calls, stream.flushed()])
})

it('its end is told to whoever waits for it, and nothing is said after it', async () => {
  const { stream, said, abort, pass } = streamTo(async () => { throw new A2aError(AWAY) })
  const flushed = stream.say('task.artifact', { name: 'a' }).then(stream.flushed).catch((error: unknown) => error)
  const asked = stream.sayNow('task.input-required', { prompt: '?' }).catch((error: unknown) => error)
  await pass(100)
  const over = new A2aError({ code: 'CANCELLED', taskId: 't', why: 'enough' })
  abort.abort(over)
  assert.deepEqual([await flushed, await asked], [over, over])
  const before = said.length
  await pass(10_000)
  assert.equal(said.length, before)
  await assert.rejects(stream.say('task.artifact', { name: 'b' }), over)
})

it('what the requester refuses ends the stream, but for who hears of it', async () => {
  const { stream, pass } = streamTo(async ({ what, type }) => { if (what === 'bad' || type === 'task.input-required') throw new A2aError({ code: 'REFUSED', why: 'no' }) })
  const asked = stream.sayNow('task.input-required', { prompt: '?' }).catch(codeOf)
  await pass(0)
  assert.equal(await asked, 'REFUSED')
  const flushed = stream.say('task.artifact', { name: 'good' }).then(stream.flushed)
  await pass(0)
  await flushed
  await stream.say('task.artifact', { name: 'bad' }).then(stream.flushed).then(() => assert.fail(), error => { assert.equal(codeOf(error), 'REFUSED') })
  await assert.rejects(stream.say('task.artifact', { name: 'good' }), { code: 'REFUSED' })
})

it('a requester that is killed again and again has every artifact once and in order, under the same numbers', async () => {
  const { host, pass, seen } = setScene(async (_by, _input, { artifact, progress }, { sleep }) => {
    for (let part = 1; part <= 30; part++) {
      progress(part / 30)
      await artifact(`part ${part}`, part)
      await sleep(200)
    }
    return { right: true }
  })
  const ada = host('ada')
  host('bob')
  const taskId = ada.delegate(...ASK)?.taskId as string
  for (const downMs of [300, 1_500, 700]) {
    await pass(900)
    ada.crash()
    await pass(downMs)
    ada.boot()
  }
  await pass(10_000)
  const lives = Object.values(Object.groupBy(seen('told').filter(told => told.taskId === taskId), ({ life = 0 }) => life)).map((told = []) => told.map(({ event }) => event))
  const whole = await ada.eventsOf(taskId)
  assert.equal(lives.length, 4)
  assert.deepEqual(whole.flatMap(event => event.event === 'artifact' ? [event.name] : []), Array.from({ length: 30 }, (_, i) => `part ${i + 1}`))
  assert.equal(whole.at(-1)?.event, 'result')
  assert.deepEqual(whole.map(({ seq }) => seq), whole.map((_, i) => i + 1))
  for (const told of lives) assert.equal(JSON.stringify(told), JSON.stringify(whole.slice(0, told.length)))
})

it('an artifact that comes again is acknowledged again, and neither told nor kept twice', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const bob = actor('bob', (envelope, self) => {
    if (envelope.type === 'task.announce') self.bid(envelope)
    return envelope.type === 'task.award' ? self.accept(envelope) : undefined
  })
  ada.delegate(...ASK)
  await pass(500)
  const { correlationId: taskId, epoch } = bob.heard.find(({ type }) => type === 'task.award') as Envelope
  const artifact = (sequence: number): Envelope => compose('task.artifact', { name: 'x' }, bob.author, { correlationId: taskId, to: ada.agentId, epoch, sequence, content: Buffer.alloc(10_000), mediaType: 'x/y' })
  const answers: string[] = []
  for (const sequence of [1, 1, 2, 1]) {
    const reply = bob.wire.request(ada.peer, artifact(sequence)).then(({ type }) => type, codeOf)
    await pass(100)
    answers.push(await reply)
  }
  assert.deepEqual(answers, ['ack', 'ack', 'ack', 'ack'])
  assert.equal(seen('told').filter(({ event }) => event.event === 'artifact').length, 2)
  const kept = (ada.disk.rows.eventsOf.get(`requester ${taskId}`) ?? []).filter(({ type }) => type === 'artifact')
  assert.equal(kept.filter(({ data }) => (data as string).length > 10_000).length, 2)
  const unknown = bob.wire.request(ada.peer, { ...artifact(1), correlationId: 'nobody-asked' }).catch(codeOf)
  await pass(100)
  assert.equal(await unknown, 'TASK_UNKNOWN')
})
