import { formatDuration } from '../duration.ts'
import { printable, shortId, type Console } from '../console.ts'
import { anyNode } from '../session.ts'
import { leftOr, onStop } from '../signals.ts'
import { A2aError } from '../../core/errors.ts'
import { filterOf, type FindCommandOptions } from './find.ts'
import type { AgentChange } from '../../core/found.ts'

const SIGNS = { found: ['green', '+'], changed: ['yellow', '~'], left: ['red', '-'] } as const
const WHY = { withdrawn: 'offers it no more', farewell: 'said goodbye', unreachable: 'does not answer', expired: 'not heard of for too long', 'crowded-out': 'too many are known' } as const

/** `a2a-node find PATTERN --watch`: who is there, and each change, until a signal; then exit code 0. */
export async function watch (console: Console, options: FindCommandOptions, pattern: string): Promise<number> {
  const filter = filterOf(options)
  using stop = onStop()
  await using session = await anyNode(console, options, stop.signal).catch(leftOr(stop))
  if (session === undefined) return 0
  const iterator = session.api.watch({ pattern, ...filter })[Symbol.asyncIterator]()
  const stopped = new Promise<undefined>(resolve => {
    if (stop.signal.aborted) resolve(undefined)
    else stop.signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  console.note(`watching ${pattern}; Ctrl-C ends it`)
  for (;;) {
    const next = iterator.next()
    next.catch(() => undefined)
    const step = await Promise.race([next, stopped])
    if (step === undefined) break
    if (step.done === true) throw new A2aError({ code: 'PEER_UNREACHABLE', peer: 'the running node', why: 'it has stopped' })
    // the agent of a node that ends with this command is nobody to be found
    if (!session.shortLived || step.value.agent.source !== 'local') show(console, step.value)
  }
  iterator.return?.()?.catch(() => undefined)
  return 0
}

function show (console: Console, event: AgentChange): void {
  const { change, agent } = event
  console.emit(event)
  const [colour, sign] = SIGNS[change]
  const id = console.verbose ? agent.agentId : shortId(agent.agentId)
  const offers = agent.capabilities.map(({ name, version }) => version === 1 ? name : `${name}@${version}`).join(', ')
  const how = change === 'left' ? WHY[event.why] : `load ${Math.round(agent.load * 100)} %, ${agent.source === 'local' ? 'here' : `heard ${formatDuration(agent.ageMs)} ago from ${agent.source}`}`
  console.print(`${new Date().toTimeString().slice(0, 8)} ${console.style(colour, `${sign} ${change.padEnd(7)}`)} ${id} ${printable(agent.name ?? '')}  ${printable(offers)}  (${how})`)
}
