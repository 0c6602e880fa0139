import { shortId, type Console } from '../console.ts'
import { formatDuration } from '../duration.ts'
import { anyNode, type NetworkOptions } from '../session.ts'
import { table } from '../table.ts'
import { parsePattern } from '../../core/capability.ts'
import { A2aError, messageOf } from '../../core/errors.ts'
import type { AgentFilter, FoundAgent } from '../../core/found.ts'

/** More agents than this are not listed. */
const LIMIT = 10_000

export interface FindCommandOptions extends NetworkOptions {
  watch?: boolean
  region?: string
  maxLoad?: number
  maxCost?: number
  protocol?: string
  /** JSON. */
  accepts?: string
  limit?: number
}

/** What the flags say of whom to look for. @throws A2aError BAD_USAGE */
export function filterOf ({ region, maxLoad, maxCost, protocol, accepts }: FindCommandOptions): AgentFilter {
  if (maxLoad !== undefined && maxLoad > 1) throw new A2aError({ code: 'BAD_USAGE', why: `--max-load is ${maxLoad}`, hint: 'give a share from 0 to 1' })
  return { region, maxLoad, maxCost, protocol, accepts: accepts === undefined ? undefined : parseAccepts(accepts) }
}

function parseAccepts (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new A2aError({ code: 'BAD_USAGE', why: `--accepts is no JSON: ${messageOf(error)}` })
  }
}

/** `a2a-node find PATTERN`. @throws A2aError NO_CAPABLE_AGENT when there is none */
export async function find (console: Console, options: FindCommandOptions, pattern: string): Promise<number> {
  parsePattern(pattern)
  if (options.watch === true) return await (await import('./watch.ts')).watch(console, options, pattern)
  const filter = filterOf(options)
  const begun = performance.now()
  const found = await search(console, options, pattern, filter, options.limit)
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

async function search (console: Console, options: NetworkOptions, pattern: string, filter: AgentFilter = {}, limit = LIMIT): Promise<FoundAgent[]> {
  await using session = await anyNode(console, options)
  const found = await session.api.find(pattern, { ...filter, limit })
  // the agent of a node that ends with this command is nobody to be found
  return session.shortLived ? found.filter(({ source }) => source !== 'local') : found
}

function show (console: Console, found: FoundAgent[]): void {
  for (const agent of found) console.emit(agent)
  if (console.json) return
  // Equals come in any order; people look for names.
  found.sort((a, b) => (a.name ?? '').localeCompare(b.name ?? ''))
  const { verbose } = console
  console.print(table(console, ['AGENT', 'NAME', 'CAPABILITIES', 'LOAD', 'HEARD', 'FROM', ...(verbose ? ['REPUTATION', 'ENDPOINTS'] : [])], found.map(agent => [
    verbose ? agent.agentId : shortId(agent.agentId),
    agent.name ?? '',
    agent.capabilities.map(({ name, version }) => version === 1 ? name : `${name}@${version}`).join(', '),
    `${Math.round(agent.load * 100)} %`,
    agent.source === 'local' ? 'here' : `${formatDuration(agent.ageMs)} ago`,
    agent.source,
    ...(verbose ? [agent.reputation === undefined ? '-' : `${Math.round(agent.reputation * 100)} %`, agent.endpoints.join(' ')] : [])
  ])))
}
