/** Runs a handler under its contract: input checked before, output checked after, and never waited for once it is aborted. */
import type { HandlerContext, Provision } from '../core/agent.ts'
import { A2aError, messageOf, type Failure } from '../core/errors.ts'
import { compileSchema, type SchemaCheck } from './schema.ts'

interface Checks {
  input?: SchemaCheck
  output?: SchemaCheck
}

const compiled = new WeakMap<Provision<any, any>, Promise<Checks>>()

/**
 * Compiles both schemas of a provision, once. `runHandler` does it by itself; calling it early tells early that a schema is none.
 *
 * @throws A2aError BAD_USAGE when a schema is none
 */
export async function compileProvision (provision: Provision<any, any>): Promise<void> {
  await checksOf(provision)
}

/**
 * Runs a handler. What comes out is what JSON makes of it (a Date is a string, `undefined` is null), so that what was
 * checked is what is sent. When `context.signal` aborts it rejects at once, whether the handler heeds the signal or not.
 *
 * @throws A2aError INPUT_INVALID, OUTPUT_INVALID; HANDLER_FAILED for whatever the handler throws, except failures of this
 *   capability or task itself, which pass; the signal's reason when that is an A2aError, else CANCELLED
 */
export async function runHandler (provision: Provision<any, any>, input: unknown, context: HandlerContext): Promise<{ output: unknown }> {
  const { capability, signal } = context
  const checks = await checksOf(provision)
  if (signal.aborted) throw abortedBy(context)

  const unfit = checks.input?.(input)
  if (unfit !== undefined) throw new A2aError({ code: 'INPUT_INVALID', capability, why: unfit })

  const output = asJson(await orAborted(() => provision.run(input, context), context), capability)

  const wrong = checks.output?.(output)
  if (wrong !== undefined) throw new A2aError({ code: 'OUTPUT_INVALID', capability, why: wrong })
  return { output }
}

function checksOf (provision: Provision<any, any>): Promise<Checks> {
  let checks = compiled.get(provision)
  if (checks === undefined) {
    checks = compileBoth(provision)
    compiled.set(provision, checks)
  }
  return checks
}

async function compileBoth ({ input, output }: Provision<any, any>): Promise<Checks> {
  return {
    input: input === undefined ? undefined : await compileSchema(input),
    output: output === undefined ? undefined : await compileSchema(output)
  }
}

function orAborted (run: () => unknown, context: HandlerContext): Promise<unknown> {
  const { signal } = context
  const { promise, resolve, reject } = Promise.withResolvers<unknown>()
  const abort = (): void => reject(abortedBy(context))
  signal.addEventListener('abort', abort, { once: true })
  new Promise(resolve => resolve(run()))
    // A handler that heeds its signal may throw before our own listener is called.
    .then(resolve, (error: unknown) => reject(signal.aborted ? abortedBy(context) : failed(error, context)))
    .finally(() => signal.removeEventListener('abort', abort))
  return promise
}

function abortedBy ({ signal, taskId }: HandlerContext): A2aError {
  const reason: unknown = signal.reason
  return reason instanceof A2aError ? reason : new A2aError({ code: 'CANCELLED', taskId, why: messageOf(reason) }, { cause: reason })
}

function failed (error: unknown, { capability, taskId }: HandlerContext): A2aError {
  if (error instanceof A2aError && isOwn(error.failure, capability, taskId)) return error
  return new A2aError({ code: 'HANDLER_FAILED', capability, why: messageOf(error) || 'it threw without a message', retryable: true }, { cause: error })
}

/** A failure of something the handler delegated is the handler's failure here; one that it states of itself stands, and so does a way that leads back. */
const isOwn = (failure: Failure, capability: string, taskId: string): boolean =>
  failure.code === 'REFUSED' || failure.code === 'LOOP' || ('capability' in failure && failure.capability === capability) || ('taskId' in failure && failure.taskId === taskId)

function asJson (value: unknown, capability: string): unknown {
  if (value === undefined || value === null) return null
  let why = `it gave a ${typeof value}, which JSON cannot hold`
  let cause: unknown
  try {
    const text = JSON.stringify(value) as string | undefined
    if (text !== undefined) return JSON.parse(text)
  } catch (error) {
    cause = error
    why = `its output is no JSON: ${messageOf(error)}`
  }
  throw new A2aError({ code: 'HANDLER_FAILED', capability, why, retryable: true }, { cause })
}
