import { shortId, type Console } from '../console.ts'
import { formatDuration } from '../duration.ts'
import type { DiscoveryStatus, Times } from '../../core/found.ts'
import type { BreakerRow, SlotsRow } from '../../core/status.ts'
import { runningNode } from '../session.ts'
import { facts, table } from '../table.ts'

/** How well agents are found, in one line. */
function discoveryLine ({ recall, stalenessMs, dead, warm, cold }: DiscoveryStatus): string {
  const time = (what: string, { count, p99Ms }: Times): string[] => p99Ms === undefined ? [] : [`${count} ${what}, p99 ${formatDuration(p99Ms)}`]
  return [
    recall === undefined ? 'not compared with peers yet' : `recall ${Math.round(recall * 1_000) / 10} %`,
    ...(stalenessMs === undefined ? [] : [`heard ${formatDuration(stalenessMs.p50)} ago (p99 ${formatDuration(stalenessMs.p99)})`]),
    ...time('warm searches', warm), ...time('cold', cold),
    ...(dead > 0 ? [`${dead} dead`] : [])
  ].join('; ')
}

/** A circuit breaker, in one line. */
function breakerLine (console: Console, { of, name, state, failures, retryMs, last }: BreakerRow): string {
  const again = retryMs === undefined ? '' : retryMs === 0 ? ', tried with the next call' : `, tried again in ${formatDuration(retryMs)}`
  return `${of} ${of === 'peer' && !console.verbose ? shortId(name) : name} ${state}${again}; failures in a row: ${failures}${last === undefined ? '' : `, lastly: ${last}`}`
}

/** A capability, with its slots that are taken. */
const slotsCell = ({ capability, taken, limit, callers }: SlotsRow): string =>
  taken === 0 ? capability : `${capability} (${taken} of ${limit}, for ${callers === 1 ? '1 caller' : `${callers} callers`})`

/** `a2a-node status`. @throws A2aError NODE_NOT_RUNNING */
export async function status (console: Console): Promise<number> {
  await using session = await runningNode(console)
  const node = await session.api.status()
  console.emit(node)
  if (console.json) return 0
  const refused = Object.entries(node.refused)
  const breakers = node.agents.flatMap(agent => agent.breakers)
  console.print(facts(console, [
    ['node', `${console.verbose ? node.peerId : shortId(node.peerId)}, version ${node.version}, process ${node.pid}`],
    ['home', node.home],
    ['up', `${formatDuration(node.uptimeMs)}`],
    ['memory', `${Math.round(node.rssBytes / 1_048_576)} MiB`],
    ...(node.addresses.length === 0 ? ['none'] : node.addresses).map((address, i): [string, string] => [i === 0 ? 'addresses' : '', address]),
    ['peers', `${node.peers}, DHT ${node.dht.mode} with ${node.dht.peers}`],
    ['agents known', String(node.agentsKnown)],
    ['event log', `${(node.log.bytes / 1_048_576).toFixed(1)} MiB, ${(node.log.usedBytes / 1_048_576).toFixed(1)} in use; ended tasks stay ${formatDuration(node.log.keepMs)}`],
    ['discovery', discoveryLine(node.discovery)],
    ['topics', node.gossip.map(({ topic, subscribers }) => `${topic} (${subscribers})`).join(', ') || 'none'],
    ['queue', `${node.queue.waiting} waiting, ${node.queue.running} running, ${node.queue.dead} dead`],
    ...breakers.map((row, i): [string, string] => [i === 0 ? 'breakers' : '', breakerLine(console, row)]),
    ['refused', refused.length === 0 ? undefined : refused.map(([code, count]) => `${code} ${count}`).join(', ')]
  ]))
  console.print('')
  console.print(table(console, ['AGENT', 'NAME', 'CAPABILITIES', 'RUNNING', 'QUEUED', 'LOAD', 'DONE', 'FAILED', 'P50', 'P99'], node.agents.map(agent => {
    const provided = agent.metrics.find(({ role }) => role === 'provider')
    return [
      console.verbose ? agent.agentId : shortId(agent.agentId), agent.name, agent.slots.map(slotsCell).join(', ') || '-', String(agent.running), String(agent.queued), `${Math.round(agent.load * 100)} %`,
      String(provided?.completed ?? 0), String(provided?.failed ?? 0), ...[provided?.p50Ms, provided?.p99Ms].map(ms => ms === undefined || provided?.completed === 0 ? '-' : formatDuration(ms))
    ]
  })))
  const costs = node.agents.flatMap(({ name, costs }) => costs.map(cost => ({ name, ...cost })))
  if (costs.length === 0) return 0
  console.print('')
  console.print(table(console, ['AGENT', 'CAPABILITY', 'WITH', 'TASKS', 'PAID', 'EARNED'], costs.map(({ name, role, capability, counterpart, tasks, cost }) => [
    name, capability, counterpart === undefined ? '' : console.verbose ? counterpart : shortId(counterpart), String(tasks),
    ...(role === 'requester' ? [String(cost), ''] : ['', String(cost)])
  ])))
  return 0
}
