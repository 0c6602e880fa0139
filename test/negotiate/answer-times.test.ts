import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createAnswerTimes, type AnswerTimes } from '../../src/negotiate/answer-times.ts'

/** Each answered so many ms after a call of its own. */
function answering (times: AnswerTimes, agentId: string, took: number[]): void {
  for (const [n, ms] of took.entries()) {
    times.called(`${agentId} ${n}`, 1_000 * n)
    times.answered(`${agentId} ${n}`, agentId, 1_000 * n + ms)
  }
}

describe('how long agents take to answer a call', () => {
  it('is the mean and four times the deviation, as TCP waits for an acknowledgement', () => {
    const times = createAnswerTimes()
    answering(times, 'a', [100])
    assert.equal(times.within(['a']), 300)
    answering(times, 'a', [180])
    // RFC 6298: 100 + (180 - 100) / 8; 50 + (80 - 50) / 4.
    assert.equal(times.within(['a']), 110 + 4 * 58 - 2)
  })

  it('is that of the slowest of them, and 50 ms at least', () => {
    const times = createAnswerTimes()
    answering(times, 'quick', Array.from({ length: 50 }, () => 2))
    answering(times, 'far', Array.from({ length: 50 }, () => 250))
    assert.equal(times.within(['quick']), 50)
    const both = times.within(['quick', 'far']) ?? 0
    assert.ok(both >= 250 && both < 260, `${both} ms`)
  })

  it('is not known of nobody, nor when one of them never answered', () => {
    const times = createAnswerTimes()
    answering(times, 'a', [5])
    assert.equal(times.within([]), undefined)
    assert.equal(times.within(['a', 'new']), undefined)
  })

  it('grows when they answer late, and not for one that was stopped, nor for what answers no call of ours', () => {
    const times = createAnswerTimes()
    answering(times, 'a', Array.from({ length: 50 }, () => 10))
    assert.equal(times.within(['a']), 50)
    answering(times, 'a', [30_000])
    times.answered('unknown', 'a', 5)
    times.answered(undefined, 'a', 5)
    assert.equal(times.within(['a']), 50)
    answering(times, 'a', [400, 400, 400])
    assert.ok((times.within(['a']) ?? 0) > 400)
  })
})
