/** Prints a task as it goes on: its events to whoever wants them, its result at the end. */
import { createInterface } from 'node:readline/promises'
import { printable, shortId, type Console } from './console.ts'
import { exitCodeOf } from './exit.ts'
import { eventLine } from './json.ts'
import { progressLine } from './progress.ts'
import { A2aError, explain } from '../core/errors.ts'
import type { Stop } from './signals.ts'
import type { NodeApi } from '../control/api.ts'
import type { TaskEvent } from '../core/task.ts'

export interface FollowOptions {
  stop: Stop
  /** Leaving cancels the task. */
  owned: boolean
  /** The events begin after this number, which may be that of the last. */
  after?: number
  /** What to answer when the provider asks for input. `undefined`: ask the person, if there is one. */
  answer?: { value: unknown }
  saveArtifact?: (event: TaskEvent & { event: 'artifact' }) => Promise<string>
}

/** How long a cancelled task may take to say so, in ms. */
const CANCEL_MS = 3_000

/** Follows the events to their end. Resolves to the command's exit code. */
export async function follow (console: Console, api: NodeApi, events: AsyncIterable<TaskEvent>, { stop, owned, after = 0, answer, saveArtifact }: FollowOptions): Promise<number> {
  using line = progressLine(console.live)
  const iterator = events[Symbol.asyncIterator]()
  const asked = new Promise<'stop'>(resolve => {
    if (stop.signal.aborted) resolve('stop')
    else stop.signal.addEventListener('abort', () => resolve('stop'), { once: true })
  })
  let taskId: string | undefined
  /** Why we cancelled it ourselves. */
  let unanswered: string | undefined
  for (;;) {
    const next = iterator.next()
    next.catch(() => undefined)
    const step = await Promise.race([next, asked])
    if (step === 'stop') {
      if (!owned || taskId === undefined) return stop.exitCode()
      line.show('cancelling')
      api.cancel(taskId).catch(() => undefined)
      const late = new Promise<undefined>(resolve => { setTimeout(() => resolve(undefined), CANCEL_MS) })
      const last = await Promise.race([lastOf(next, iterator), late])
      if (last !== undefined) report(last)
      return stop.exitCode()
    }
    if (step.done === true && after > 0 && taskId === undefined) {
      console.note(`nothing came after ${after}: the task has ended`)
      return 0
    }
    if (step.done === true) throw new A2aError({ code: 'INTERNAL', why: 'the task ended without a result' })
    const event = step.value
    taskId = event.taskId
    if (event.event === 'result' || event.event === 'failed') return report(event)
    await tell(event)
  }

  /** The end of the task, which everything is printed of. */
  function report (event: TaskEvent): number {
    line.clear()
    if (event.event === 'result') {
      console.emit(eventLine(event), { asIs: true })
      console.print(JSON.stringify(event.output ?? null, null, console.terminal ? 2 : undefined))
      return 0
    }
    if (event.event !== 'failed') return 1
    const failure = event.failure.code === 'CANCELLED' && unanswered !== undefined ? { ...event.failure, why: unanswered } : event.failure
    console.fail(failure, undefined, eventLine({ ...event, failure }))
    return exitCodeOf(failure)
  }

  async function tell (event: TaskEvent): Promise<void> {
    console.emit(eventLine(event), { asIs: true })
    const text = describe(event)
    line.show(text)
    if (console.verbose) process.stderr.write(`${new Date(event.at).toISOString()} ${text}\n`)
    else if (event.event === 'moved' || event.event === 'retrying') line.aside(() => console.note(text))
    if (event.event === 'artifact') {
      const place = await saveArtifact?.(event)
      if (place !== undefined || !console.verbose) line.aside(() => console.note(place === undefined ? text : `${text} saved as ${place}`))
    }
    if (event.event === 'input-required') await giveInput(event)
  }

  async function giveInput (event: TaskEvent & { event: 'input-required' }): Promise<void> {
    if (answer !== undefined) return await api.giveInput(event.taskId, answer.value)
    if (process.stdin.isTTY !== true || process.stderr.isTTY !== true) {
      unanswered = `the provider asked for input (${printable(event.prompt)}) and nobody was there to answer; give it with --answer JSON`
      await api.cancel(event.taskId).catch(() => undefined)
      return
    }
    line.clear()
    // not as a terminal: Ctrl-C is to reach the process
    const reader = createInterface({ input: process.stdin, output: process.stderr, terminal: false })
    try {
      await api.giveInput(event.taskId, valueOf(await reader.question(`${describe(event)}\n> `, { signal: stop.signal })))
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      reader.close()
    }
  }
}

/** What a person typed: JSON when it is, else the text itself. */
function valueOf (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The last event of a task, after the step that is under way. */
async function lastOf (pending: Promise<IteratorResult<TaskEvent>>, iterator: AsyncIterator<TaskEvent>): Promise<TaskEvent | undefined> {
  let step = await pending
  while (step.done !== true) {
    if (step.value.event === 'result' || step.value.event === 'failed') return step.value
    step = await iterator.next()
  }
  return undefined
}

const termsOf = ({ cost, durationMs }: { cost?: number, durationMs?: number }): string =>
  [...(cost === undefined ? [] : [`cost ${cost}`]), ...(durationMs === undefined ? [] : [`${durationMs} ms`])].join(', ')

/** An event in a few words. */
export function describe (event: TaskEvent): string {
  switch (event.event) {
    case 'announced': return `announced, round ${event.round}: ${event.asked} asked`
    case 'bid': return `bid from ${shortId(event.provider)}: ${termsOf(event)}`
    case 'countered': return `asked ${shortId(event.provider)} for other terms: ${termsOf(event)}`
    case 'answered': return `${shortId(event.provider)} ${event.revised ? 'bids anew' : 'keeps its bid'}: ${termsOf(event)}`
    case 'passed': return `${shortId(event.provider)} passed: ${printable(event.reason)}`
    case 'awarded': return `awarded to ${shortId(event.provider)}, epoch ${event.epoch}: ${printable(event.reason)}`
    case 'accepted': return `accepted by ${shortId(event.provider)}`
    case 'progress': return [shortId(event.provider), event.fraction === undefined ? 'working' : `${Math.round(event.fraction * 100)} %`, printable(event.note ?? '')].join(' ').trimEnd()
    case 'artifact': return `artifact ${printable(event.name)} (${printable(event.mediaType)}, ${event.data.length} bytes)`
    case 'input-required': return `${shortId(event.provider)} asks: ${printable(event.prompt)}`
    case 'moved': return `moved on from ${shortId(event.provider)}: ${printable(explain(event.failure))}`
    case 'fenced': return `refused a late ${event.what} of ${shortId(event.provider)}, epoch ${event.epoch}`
    case 'retrying': return `attempt ${event.attempt} of ${event.most}: ${printable(explain(event.failure))}; it is tried again`
    case 'result': return `done by ${shortId(event.provider)} in ${event.durationMs} ms`
    case 'failed': return `failed: ${printable(explain(event.failure))}`
  }
}
