/**
 * Capability names: dotted, hierarchical, with a version (`data.revenue.aggregate@1`). A pattern is a name, or a prefix
 * that ends in `.*` (`data.revenue.*`), or `*`. A name without a version matches every version.
 */
import { A2aError } from './errors.ts'

/** An agent with more than so many is told that it would do better as several. */
export const MANY_CAPABILITIES = 5
export const TOO_MANY_CAPABILITIES = `an agent with more than ${MANY_CAPABILITIES} capabilities is better split: agents of 3 to 5 are found, loaded, trusted and replaced each on its own; node.createAgent() makes another one on the same node`

export interface CapabilityName {
  /** Without version: `data.revenue.aggregate`. */
  name: string
  labels: string[]
  /** Major version. Absent: any, in a question; 1, in an offer. */
  version?: number
}

export interface CapabilityPattern {
  labels: string[]
  /** It ended in `.*` or was `*`: everything below the labels matches too. */
  prefix: boolean
  version?: number
}

/** A JSON Schema (draft 2020-12 or 7), as an object. */
export type JsonSchema = Record<string, unknown>

/** What an agent can do, as it is advertised. */
export interface Capability {
  name: string
  version: number
  description?: string
  input?: JsonSchema
  output?: JsonSchema
  mediaTypes?: string[]
  /** What it usually costs, in the provider's cost units: a hint, the bid decides. */
  priceHint?: number
  /** Anybody may call it, not only the owner's own agents. */
  public?: boolean
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/
const MAX_LABELS = 8

/** @throws A2aError CAPABILITY_INVALID */
export function parseCapability (text: string): CapabilityName {
  const { labels, version } = parse(text, text)
  return { name: labels.join('.'), labels, version }
}

/** @throws A2aError CAPABILITY_INVALID */
export function parsePattern (text: string): CapabilityPattern {
  const [path = '', version] = splitVersion(text)
  if (path === '*') return { labels: [], prefix: true, version: parseVersion(version, text) }
  const prefix = path.endsWith('.*')
  const parsed = parse(prefix ? path.slice(0, -2) : path, text)
  return { labels: parsed.labels, prefix, version: parseVersion(version, text) }
}

/** True when the capability is one of those the pattern means. */
export function matches (pattern: CapabilityPattern, capability: Pick<Capability, 'name' | 'version'>): boolean {
  if (pattern.version !== undefined && pattern.version !== capability.version) return false
  const labels = capability.name.split('.')
  if (pattern.prefix ? labels.length < pattern.labels.length : labels.length !== pattern.labels.length) return false
  return pattern.labels.every((label, i) => labels[i] === label)
}

/** The gossip domain of a capability: its first label. Everybody interested in `data.…` shares one topic. */
export function domainOf (labels: string[]): string {
  return labels[0] ?? ''
}

/** `data.revenue.aggregate` → `data`, `data.revenue`, `data.revenue.aggregate`. */
export function prefixesOf (name: string): string[] {
  const labels = name.split('.')
  return labels.map((_, i) => labels.slice(0, i + 1).join('.'))
}

function parse (text: string, whole: string): { labels: string[], version?: number } {
  const [path = '', version] = splitVersion(text)
  const labels = path.split('.')
  if (labels.length > MAX_LABELS) throw invalid(whole, `it has ${labels.length} labels, at most ${MAX_LABELS} are allowed`)
  const bad = labels.find(label => !LABEL.test(label))
  if (bad !== undefined) throw invalid(whole, bad === '' ? 'it has an empty label' : `"${bad}" is no label`)
  return { labels, version: parseVersion(version, whole) }
}

function splitVersion (text: string): [path: string, version?: string] {
  const at = text.indexOf('@')
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function parseVersion (text: string | undefined, whole: string): number | undefined {
  if (text === undefined) return undefined
  const version = /^[1-9][0-9]{0,3}$/.test(text) ? Number(text) : NaN
  if (Number.isNaN(version)) throw invalid(whole, `"${text}" is no version`)
  return version
}

const invalid = (name: string, why: string): A2aError => new A2aError({ code: 'CAPABILITY_INVALID', name, why })
