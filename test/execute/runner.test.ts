import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { A2aError } from '../../src/core/errors.ts'
import { compileProvision, runHandler } from '../../src/execute/runner.ts'
import { contextOf } from './context.ts'

const is = (code: string, why?: RegExp) => (error: any) => {
  assert.equal(error.code, code, error.stack)
  if (why !== undefined) assert.match(error.message, why)
  return true
}

describe('runHandler', () => {
  test('gives the handler its input and context, and gives back its output', async () => {
    const { context } = contextOf()
    const ran = await runHandler({ run: (input, { taskId }) => ({ input, taskId }) }, { a: 1 }, context)
    assert.deepEqual(ran, { output: { input: { a: 1 }, taskId: '01JTASK' } })
  })

  test('never calls the handler with input that does not fit', async () => {
    let called = false
    await assert.rejects(runHandler({ input: { type: 'object' }, run: () => { called = true } }, 'text', contextOf().context),
      is('INPUT_INVALID', /text\.words\.count: the value must be object/))
    assert.equal(called, false)
  })

  test('lets no output pass that breaks its own schema', async () => {
    await assert.rejects(runHandler({ output: { type: 'number' }, run: () => 'one' }, null, contextOf().context), is('OUTPUT_INVALID', /must be number/))
  })

  test('checks the output as JSON makes it: a Date is a string, undefined is null', async () => {
    const { context } = contextOf()
    assert.deepEqual(await runHandler({ output: { type: 'string' }, run: () => new Date(0) }, null, context), { output: '1970-01-01T00:00:00.000Z' })
    assert.deepEqual(await runHandler({ output: { type: 'null' }, run: () => undefined }, null, context), { output: null })
  })

  test('turns outputs that JSON cannot hold into a clear failure', async () => {
    const cycle: unknown[] = []
    cycle.push(cycle)
    for (const [output, why] of [[() => {}, /a function/], [Symbol('x'), /a symbol/], [10n, /BigInt/], [cycle, /circular/]] as const) {
      await assert.rejects(runHandler({ run: () => output }, null, contextOf().context), is('HANDLER_FAILED', why))
    }
  })

  test('turns whatever is thrown, at once or later, into HANDLER_FAILED that may be retried', async () => {
    const thrown = [() => { throw new Error('at once') }, async () => { throw new Error('later') }, () => { throw 'a string' }, () => { throw undefined }]
    for (const run of thrown) {
      await assert.rejects(runHandler({ run }, null, contextOf().context), (error: any) => error.failure.retryable === true && is('HANDLER_FAILED')(error))
    }
    await assert.rejects(runHandler({ run: () => { throw new Error('one\ntwo') } }, null, contextOf().context), is('HANDLER_FAILED', /failed: one$/))
  })

  test('lets a failure that a handler states of itself stand, and takes that of a delegated task as its own', async () => {
    const own = new A2aError({ code: 'HANDLER_FAILED', capability: 'text.words.count', why: 'never', retryable: false })
    await assert.rejects(runHandler({ run: () => { throw own } }, null, contextOf().context), (error: any) => error === own)
    const other = new A2aError({ code: 'NO_BIDS', capability: 'data.read', rounds: 1, asked: 2 })
    await assert.rejects(runHandler({ run: () => { throw other } }, null, contextOf().context), (error: any) =>
      error.cause === other && error.failure.capability === 'text.words.count' && is('HANDLER_FAILED', /data\.read/)(error))
  })

  test('rejects at once when aborted, though the handler goes on', async () => {
    const { context, abort } = contextOf()
    const running = runHandler({ run: () => new Promise(() => {}) }, null, context)
    await Promise.resolve()
    const reason = new A2aError({ code: 'DEADLINE_EXCEEDED', taskId: '01JTASK', afterMs: 5 })
    abort(reason)
    await assert.rejects(running, error => error === reason)
  })

  test('calls an abort without a reason of ours CANCELLED, also when the handler heeds it', async () => {
    const { context, abort } = contextOf()
    const heeds = ({ signal }: { signal: AbortSignal }): Promise<never> =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped in the middle'))))
    const running = runHandler({ run: (_input, ctx) => heeds(ctx) }, null, context)
    await new Promise(setImmediate)
    abort(new Error('shutting down'))
    await assert.rejects(running, is('CANCELLED', /shutting down/))
  })

  test('does not start what was aborted before', async () => {
    const { context, abort } = contextOf()
    abort(new Error('too late'))
    await assert.rejects(runHandler({ run: () => assert.fail('called') }, null, context), is('CANCELLED', /too late/))
  })

  test('does not trip over a handler that throws after its abort', async () => {
    const { context, abort } = contextOf()
    const late = Promise.withResolvers<never>()
    const running = runHandler({ run: () => late.promise }, null, context)
    await new Promise(setImmediate)
    abort()
    await assert.rejects(running, is('CANCELLED'))
    late.reject(new Error('late'))
    await new Promise(setImmediate)
  })
})

test('compileProvision tells early that a schema is none', async () => {
  await compileProvision({ input: { type: 'object' }, run: () => {} })
  await assert.rejects(compileProvision({ output: { type: 'oops' }, run: () => {} }), is('BAD_USAGE'))
})
