import { shortId, type Console } from '../console.ts'
import { formatDuration } from '../duration.ts'
import { anyNode, type NetworkOptions } from '../session.ts'
import { table } from '../table.ts'
import { parsePattern } from '../../core/capability.ts'
import { A2aError } from '../../core/errors.ts'
import type { FoundAgent } from '../../core/agent.ts'

/** More agents than this are not listed. */
const LIMIT = 10_000

export interface FindCommandOptions extends NetworkOptions {
  watch?: boolean
}

/** `a2a-node find PATTERN`. @throws A2aError NO_CAPABLE_AGENT when there is none */
export async function find (console: Console, options: FindCommandOptions, pattern: string): Promise<number> {
  parsePattern(pattern)
  if (options.watch === true) return await (await import('./watch.ts')).watch(console, options, pattern)
  const begun = performance.now()
  const found = await search(console, options, pattern)
  if (found.length === 0) throw new A2aError({ code: 'NO_CAPABLE_AGENT', capability: pattern, waitedMs: Math.round(performance.now() - begun) })
  show(console, found)
  return 0
}

/** `a2a-node agents`. An empty mesh is an answer too. */
export async function agents (console: Console, options: NetworkOptions): Promise<number> {
  const found = await search(console, options, '*')
  if (found.length === 0) console.note("no agent offers anything yet; start one: a2a-node start --capability text.case.upper --exec 'tr a-z A-Z'")
  else show(console, found)
  return 0
}

async function search (console: Console, options: NetworkOptions, pattern: string): Promise<FoundAgent[]> {
  await using session = await anyNode(console, options)
  const found = await session.api.find(pattern, { limit: LIMIT })
  // the agent of a node that ends with this command is nobody to be found
  return session.shortLived ? found.filter(({ source }) => source !== 'local') : found
}

function show (console: Console, found: FoundAgent[]): void {
  for (const agent of found) console.emit(agent)
  if (console.json) return
  const { verbose } = console
  console.print(table(console, ['AGENT', 'NAME', 'CAPABILITIES', 'LOAD', 'HEARD', 'FROM', ...(verbose ? ['ENDPOINTS'] : [])], found.map(agent => [
    verbose ? agent.agentId : shortId(agent.agentId),
    agent.name ?? '',
    agent.capabilities.map(({ name, version }) => version === 1 ? name : `${name}@${version}`).join(', '),
    `${Math.round(agent.load * 100)} %`,
    agent.source === 'local' ? 'here' : `${formatDuration(agent.ageMs)} ago`,
    agent.source,
    ...(verbose ? [agent.endpoints.join(' ')] : [])
  ])))
}
