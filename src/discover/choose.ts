/** Of those known to offer something: whom the filter means, and in which order they are told. */
import { matches, type Capability, type CapabilityPattern, type JsonSchema } from '../core/capability.ts'
import type { Entry } from './agent-index.ts'
import type { AgentFilter } from '../core/found.ts'

/** Checks a value against a JSON Schema; `undefined`: it fits. Rejects when it is no schema. */
export type CompileSchema = (schema: JsonSchema) => Promise<(value: unknown) => string | undefined>

/** The capabilities of an agent that are meant; none, when it is not meant at all. */
export type Choose = (entry: Entry) => Capability[] | Promise<Capability[]>

export function chooser (pattern: CapabilityPattern, { region, maxLoad = 1, maxCost = Infinity, protocol, accepts }: AgentFilter, compileSchema: CompileSchema): Choose {
  const plain = ({ capabilities, ...agent }: Entry): Capability[] => {
    if (agent.load > maxLoad || (region !== undefined && agent.region !== region) || (protocol !== undefined && !agent.protocols.includes(protocol))) return []
    return capabilities.filter(capability => matches(pattern, capability) && (capability.priceHint ?? 0) <= maxCost)
  }
  if (accepts === undefined) return plain
  return async entry => {
    const fitting = await Promise.all(plain(entry).map(async capability => await takes(capability, accepts, compileSchema) ? [capability] : []))
    return fitting.flat()
  }
}

/** Agents that nothing must be offered by: `*` means those that offer nothing too, unless something of an offer is asked for. */
export const isMeant = (pattern: CapabilityPattern, { maxCost, accepts }: AgentFilter, chosen: Capability[], entry: Entry): boolean =>
  chosen.length > 0 || (pattern.labels.length === 0 && pattern.version === undefined && entry.capabilities.length === 0 && maxCost === undefined && accepts === undefined)

/**
 * The less loaded first, by quarters; among them those of our own region; and among those at random, so that not everybody
 * takes the same one.
 */
export function ranked (entries: Entry[], region: string | undefined, random: () => number = Math.random): Entry[] {
  return entries
    .map(entry => ({ entry, load: Math.floor(entry.load * 4), away: region !== undefined && entry.region !== region ? 1 : 0, lot: random() }))
    .sort((a, b) => a.load - b.load || a.away - b.away || a.lot - b.lot)
    .map(({ entry }) => entry)
}

async function takes ({ input }: Capability, value: unknown, compileSchema: CompileSchema): Promise<boolean> {
  if (input === undefined) return true
  try {
    return (await compileSchema(withoutPatterns(input)))(value) === undefined
  } catch {
    return false
  }
}

/** A stranger's regular expression could take for ever: it is left to the agent itself. */
const withoutPatterns = (schema: JsonSchema): JsonSchema =>
  JSON.parse(JSON.stringify(schema), (key, value: unknown) => (key === 'pattern' && typeof value === 'string') || key === 'patternProperties' ? undefined : value) as JsonSchema
