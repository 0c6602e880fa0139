import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { createOutbox, type Waiting } from '../../src/net/outbox.ts'

const message = (caller: string, lane: Waiting['lane'] = 'normal', bytes = 400) => ({ caller, lane, bytes })
type Message = ReturnType<typeof message>

function fill (...messages: Message[]): ReturnType<typeof createOutbox<Message>> {
  const outbox = createOutbox<Message>()
  for (const each of messages) outbox.add(each)
  return outbox
}

test('control leaves before what was there first, low after it', () => {
  const [low, normal, control] = [message('a', 'low'), message('a'), message('a', 'control')]
  assert.deepEqual(fill(low, normal, control).clear(), [control, normal, low])
})

test('a low message leaves now and then though there is always something else', () => {
  const outbox = fill(message('a', 'low'), ...Array.from({ length: 1_000 }, () => message('a')))
  const at = outbox.clear().findIndex(({ lane }) => lane === 'low')
  assert.ok(at > 0 && at < 100, `it was number ${at}`)
})

test('one caller with ten thousand messages waiting does not hold up another', () => {
  const outbox = fill(...Array.from({ length: 10_000 }, () => message('busy')), message('other'))
  const at = outbox.clear().findIndex(({ caller }) => caller === 'other')
  assert.ok(at <= 16 * 1_024 / 400 + 1, `the other was number ${at}`)
})

test('callers share by bytes, not by messages', () => {
  const outbox = fill(...Array.from({ length: 100 }, () => message('large', 'normal', 64 * 1_024)), ...Array.from({ length: 10_000 }, () => message('small')))
  const sent = { large: 0, small: 0 }
  for (let i = 0; i < 5_000; i++) {
    const next = outbox.next() as Message
    sent[next.caller as keyof typeof sent] += next.bytes
  }
  assert.ok(sent.large / sent.small > 0.9 && sent.large / sent.small < 1.15, JSON.stringify(sent))
})

test('each caller and lane keeps its order, nothing is lost, and what was taken back does not leave', () => {
  const added = fc.array(fc.record({ caller: fc.constantFrom('a', 'b', 'c'), lane: fc.constantFrom('control' as const, 'normal' as const, 'low' as const), bytes: fc.nat(100_000), back: fc.boolean(), before: fc.nat(3) }), { maxLength: 200 })
  fc.assert(fc.property(added, list => {
    const outbox = createOutbox<Message>()
    const left: Message[] = []
    const gone = new Set<Message>()
    for (const each of list) {
      outbox.add(each)
      for (let i = 0; i < each.before && i < 1; i++) {
        const next = outbox.next()
        if (next !== undefined) left.push(next)
      }
      if (each.back && outbox.remove(each)) gone.add(each)
    }
    left.push(...outbox.removeAll(({ bytes }) => bytes === 77), ...outbox.clear())
    assert.equal(outbox.size, 0)
    assert.equal(left.length + gone.size, list.length)
    for (const caller of ['a', 'b', 'c']) {
      for (const lane of ['control', 'normal', 'low']) {
        const mine = (each: Message): boolean => each.caller === caller && each.lane === lane && each.bytes !== 77
        assert.deepEqual(left.filter(mine), list.filter(each => mine(each) && !gone.has(each)))
      }
    }
  }))
})
