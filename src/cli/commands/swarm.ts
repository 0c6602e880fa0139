import { availableParallelism } from 'node:os'
import type { Console } from '../console.ts'
import { formatDuration } from '../duration.ts'
import { liveBlock } from '../progress.ts'
import { onStop } from '../signals.ts'
import { facts, table } from '../table.ts'
import { A2aError } from '../../core/errors.ts'
import { runSwarm, type SwarmEvent } from '../../swarm/supervisor.ts'
import type { Summary } from '../../swarm/summary.ts'

/** How often a plain line is printed where there is no terminal, in ms. */
const PLAIN_MS = 5_000

/** `a2a-node swarm`. Exit code 1 when an agent was not found, or a task or a process was lost. */
export async function swarm (console: Console, { agents, processes, for: forMs, rate }: { agents: number, processes?: number, for: number, rate: number }): Promise<number> {
  // three processes at least, so that the providers of a capability are in different ones
  const count = processes ?? Math.min(agents, Math.max(3, availableParallelism()))
  if (!Number.isInteger(agents) || agents < 1) throw new A2aError({ code: 'BAD_USAGE', why: '--agents must be a whole number, 1 or more' })
  if (!Number.isInteger(count) || count < 1 || count > agents) throw new A2aError({ code: 'BAD_USAGE', why: `--processes must be a whole number from 1 to ${agents}` })
  if (rate <= 0) throw new A2aError({ code: 'BAD_USAGE', why: '--rate must be more than 0' })
  using stop = onStop()
  using block = liveBlock(console.live)
  let plainAt = 0
  const onEvent = (event: SwarmEvent): void => {
    console.emit(event)
    if (event.event === 'worker-lost') block.aside(() => console.note(`process ${event.process} was lost: ${event.why}`))
    else if (event.event === 'planned') console.note(`${event.agents} agents in ${event.processes} processes: ${event.capabilities} capabilities in ${event.domains} domains`)
    else if (event.event === 'phase') block.aside(() => console.note(`${formatDuration(event.elapsedMs)}: ${event.phase}`))
    else if (event.event === 'worker-started') return
    else if (console.live) block.show(stateText(event, count))
    else if (performance.now() - plainAt >= PLAIN_MS) {
      plainAt = performance.now()
      console.note(stateText(event, count).replaceAll('\n', ', '))
    }
  }
  const summary = await runSwarm({ agents, processes: count, forMs, rate, signal: stop.signal, onEvent })
  block.clear()
  console.emit({ event: 'summary', ...summary })
  if (!console.json) print(console, summary)
  if (summary.interrupted) return stop.exitCode()
  return summary.good ? 0 : 1
}

const stateText = (state: SwarmEvent & { event: 'state' }, processes: number): string => [
  `${state.phase}, ${formatDuration(state.elapsedMs)}`,
  `processes ready ${state.ready} of ${processes}, ${mib(state.rssBytes)}`,
  `agents found ${state.found} of ${state.expected}`,
  `tasks started ${state.started}, completed ${state.completed}, failed ${state.failed}, open ${state.open}`
].join('\n')

function print (console: Console, { discovery, tasks, perProcess, ...summary }: Summary): void {
  const failures = Object.entries(tasks.failures).map(([code, count]) => `${code} ${count}`).join(', ')
  console.print(facts(console, [
    ['result', [summary.interrupted ? 'interrupted' : undefined, summary.good ? 'every agent was found, no task was lost' : summary.interrupted ? undefined : 'NOT GOOD'].filter(part => part !== undefined).join(': ')],
    ['swarm', `${summary.agents} agents, ${summary.processes} processes, ${summary.domains} domains, ${summary.capabilities} capabilities`],
    ['time', `${formatDuration(summary.elapsedMs)}, all ready after ${formatDuration(summary.startMs)}`],
    ['found', `${discovery.found} of ${discovery.expected} (recall ${(discovery.recall * 100).toFixed(2)} %), ${discovery.complete ? 'complete' : 'given up'} after ${formatDuration(discovery.completeMs)}`],
    ['find', `p50 ${formatDuration(discovery.p50Ms)}, p99 ${formatDuration(discovery.p99Ms)}`],
    ['tasks', `started ${tasks.started}, completed ${tasks.completed}, failed ${tasks.failed}, lost ${tasks.lost}, awarded again ${tasks.reawards}`],
    ['failures', failures === '' ? undefined : failures],
    ['task', `p50 ${formatDuration(tasks.p50Ms)}, p99 ${formatDuration(tasks.p99Ms)}, ${tasks.perSecond} a second`],
    ['lost processes', summary.workersLost === 0 ? undefined : String(summary.workersLost)]
  ]))
  console.print('')
  console.print(table(console, ['PROCESS', 'PID', 'AGENTS', 'MEMORY', 'CPU', ''], perProcess.map(row => [
    String(row.process), String(row.pid ?? ''), String(row.agents), mib(row.rssBytes), formatDuration(row.cpuMs), row.lost ?? ''
  ])))
}

const mib = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`
