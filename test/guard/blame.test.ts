/** Whom a failed call speaks against. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { A2aError, type Failure } from '../../src/core/errors.ts'
import { blameOf } from '../../src/guard/blame.ts'

const RUNNING = new AbortController().signal
const error = (failure: object, cause?: unknown): A2aError => new A2aError({ capability: 'data.sum', why: 'no', ...failure } as Failure, { cause })
const thrown = (cause: unknown): A2aError => error({ code: 'HANDLER_FAILED', retryable: true }, cause)

describe('a failure speaks', () => {
  for (const [what, failure] of [
    ['anything thrown', new TypeError('fetch failed')],
    ['what the handler threw', thrown(new TypeError('fetch failed'))],
    ['an output that does not fit', error({ code: 'OUTPUT_INVALID' })],
    ['a peer that was asked and is gone', error({ code: 'PEER_UNREACHABLE', peer: 'p' })],
    ['a dependency whose breaker is open', thrown(error({ code: 'CIRCUIT_OPEN', what: 'crm', retryMs: 1 }))]
  ] as const) it(`against what was called: ${what}`, () => { assert.equal(blameOf(failure, RUNNING), 'failed') })

  for (const [what, failure] of [
    ['an input that does not fit', error({ code: 'INPUT_INVALID' })],
    ['what need not be tried again', error({ code: 'HANDLER_FAILED', retryable: false })],
    ['a refusal', error({ code: 'REFUSED' })],
    ['too small a budget for what was delegated', thrown(error({ code: 'OVER_BUDGET', maxCost: 1, lowest: 2 }))],
    ['a delegation in a circle', thrown(error({ code: 'LOOP', path: ['a', 'a'] }))]
  ] as const) it(`against its caller: ${what}`, () => { assert.equal(blameOf(failure, RUNNING), 'innocent') })

  it('of time when what was delegated had too little of it, and when the task was ended', () => {
    assert.equal(blameOf(thrown(error({ code: 'DEADLINE_EXCEEDED', taskId: 't', afterMs: 1 })), RUNNING), 'unfinished')
    assert.equal(blameOf(new Error('aborted'), AbortSignal.abort(error({ code: 'CANCELLED' }))), 'unfinished')
    assert.equal(blameOf(new Error('aborted'), AbortSignal.abort(new Error('enough'))), 'unfinished')
  })

  it('against nobody when the node is shut down', () => {
    assert.equal(blameOf(new Error('aborted'), AbortSignal.abort(error({ code: 'HANDLER_LOST' }))), 'innocent')
  })
})
