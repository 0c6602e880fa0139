import { printable, shortId, type Console } from '../console.ts'
import { exitCodeOf } from '../exit.ts'
import { describe } from '../follow.ts'
import { eventLine, failureFields, snakeCase } from '../json.ts'
import { progressLine } from '../progress.ts'
import { anyNode, type NetworkOptions } from '../session.ts'
import { leftOr, onStop } from '../signals.ts'
import { A2aError, explain } from '../../core/errors.ts'
import type { FanOutRequest } from '../../control/api.ts'

/** `a2a-node run CAPABILITY --fan-out POLICY`: prints the outputs as an array. Ctrl-C cancels all of it. */
export async function fanOut (console: Console, network: NetworkOptions, request: FanOutRequest): Promise<number> {
  using stop = onStop()
  await using session = await anyNode(console, network, stop.signal).catch(leftOr(stop))
  if (session === undefined || stop.signal.aborted) return stop.exitCode()
  using line = progressLine(console.live)
  const iterator = session.api.fanOut(request)[Symbol.asyncIterator]()
  const stopped = new Promise<undefined>(resolve => { stop.signal.addEventListener('abort', () => { resolve(undefined) }, { once: true }) })
  for (;;) {
    const next = iterator.next()
    next.catch(() => undefined)
    const step = await Promise.race([next, stopped])
    if (step === undefined) {
      await iterator.return?.()
      return stop.exitCode()
    }
    if (step.done === true) throw new A2aError({ code: 'INTERNAL', why: 'the fan-out ended without an outcome' })
    const event = step.value
    if (event.event !== 'fanned-out') {
      console.emit(eventLine(event), { asIs: true })
      line.show(describe(event))
      if (console.verbose) process.stderr.write(`${new Date(event.at).toISOString()} ${describe(event)}\n`)
      continue
    }
    line.clear()
    const { outcomes, failure } = event
    const last = { event: 'fanned-out', ...(failure === undefined ? {} : failureFields(failure)), outcomes: snakeCase(outcomes) }
    for (const outcome of outcomes) if (outcome.state === 'failed') console.note(`${shortId(outcome.agent)} failed: ${printable(explain(outcome.failure))}`)
    if (failure !== undefined) {
      console.fail(failure, undefined, last)
      return exitCodeOf(failure)
    }
    console.emit(last, { asIs: true })
    console.print(JSON.stringify(outcomes.flatMap(outcome => outcome.state === 'completed' ? [outcome.output] : []), null, console.terminal ? 2 : undefined))
    return 0
  }
}
