/** Who does what in a swarm. The same numbers always give the same plan. */
import { WORK } from './work.ts'

export interface PlannedAgent {
  name: string
  capabilities: string[]
}

export interface Plan {
  /** Agents by process. */
  processes: PlannedAgent[][]
  capabilities: string[]
  domains: string[]
}

const DOMAINS = [
  'books', 'cargo', 'data', 'energy', 'farms', 'games', 'health', 'images', 'jobs', 'law',
  'maps', 'music', 'news', 'orders', 'plants', 'roads', 'shops', 'sports', 'text', 'weather'
]
/** Providers of each capability, at least, as far as there are so many agents. */
const PROVIDERS = 3

/**
 * Spreads agents over processes and domains. Agents that follow each other sit in different processes and offer the same
 * capability, so that each capability has three providers or more, in as many processes as there are, up to three.
 */
export function planSwarm (agents: number, processes: number): Plan {
  const count = Math.max(1, Math.min(Math.floor(agents / PROVIDERS), DOMAINS.length * WORK.length))
  const capabilities = Array.from({ length: count }, (_, i) => `${DOMAINS[i % DOMAINS.length]}.${WORK[Math.floor(i / DOMAINS.length)]?.name}`)
  const plan: PlannedAgent[][] = Array.from({ length: processes }, () => [])
  for (let i = 0; i < agents; i++) {
    plan[i % processes]?.push({ name: `agent-${i}`, capabilities: [capabilities[Math.floor(i / PROVIDERS) % count] as string] })
  }
  return { processes: plan, capabilities, domains: [...new Set(capabilities.map(capability => capability.split('.')[0] as string))] }
}
