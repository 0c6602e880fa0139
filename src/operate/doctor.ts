/** Looks a node over, and says what is not well and what to do. */
import { statfs, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Check, DiscoveryStatus } from '../core/found.ts'
import { MANY_CAPABILITIES, TOO_MANY_CAPABILITIES } from '../core/capability.ts'
import type { BreakerRow } from '../core/status.ts'
import type { HostedNode } from '../node.ts'

const MiB = 1_024 * 1_024
/** Below this a log may soon not be written. */
const LOW_DISK = 64 * MiB
const LOW_CREDENTIAL_MS = 3_600_000
/** Below this share of what peers know, something gets lost. */
const LOW_RECALL = 0.95
/** Heartbeats come every 30 s: with a median above this, in ms, many do not. */
const STALE_MS = 90_000
/** A node needs some seconds to get to know the DHT, in ms. */
const DHT_SETTLES_MS = 15_000

/** Each check on its own line, the ground first. */
export async function checkNode (node: HostedNode): Promise<Check[]> {
  const status = node.status()
  return [
    await checkHome(node.home),
    await checkKeys(node),
    checkCredentials(status.agents.map(({ credentialExpiresAt }) => credentialExpiresAt)),
    checkPorts(status.addresses),
    checkPeers(status.peers, node.peers().filter(({ agents }) => agents.length === 0).length),
    checkDht(status.dht, status.uptimeMs > DHT_SETTLES_MS && status.peers > 0),
    checkGossip(status.gossip, status.peers),
    checkAgents(status.agentsKnown - status.agents.length, status.agents.map(({ capabilities }) => capabilities.length)),
    checkDiscovery(status.discovery),
    checkBreakers(status.agents.flatMap(({ breakers }) => breakers)),
    checkRefused(status.refused)
  ]
}

async function checkHome (home: string): Promise<Check> {
  const { bavail, bsize } = await statfs(home)
  const free = bavail * bsize
  const log = await stat(join(home, 'log.db'))
  const found = `${home}, event log ${(log.size / MiB).toFixed(1)} MiB, ${Math.round(free / MiB)} MiB free`
  if (free < LOW_DISK) return { name: 'home', state: 'warning', found, advice: 'free some space: with a full disk no task is acknowledged' }
  return { name: 'home', state: 'ok', found }
}

async function checkKeys ({ home, hosted }: HostedNode): Promise<Check> {
  const files = [join(home, 'keys', 'node.pem'), ...hosted.map(({ keyFile }) => keyFile)]
  const open = (await Promise.all(files.map(async file => ((await stat(file)).mode & 0o077) === 0 ? undefined : file))).filter(file => file !== undefined)
  if (open.length > 0) return { name: 'keys', state: 'failed', found: `others can read ${open.join(', ')}`, advice: `chmod 600 ${open.join(' ')}` }
  return { name: 'keys', state: 'ok', found: `${count(files.length, 'key file')}, only yours to read` }
}

function checkCredentials (expires: number[]): Check {
  const left = Math.min(...expires) - Date.now()
  const found = `valid for another ${(left / 3_600_000).toFixed(1)} h`
  if (left < LOW_CREDENTIAL_MS) return { name: 'credentials', state: 'warning', found, advice: 'renew them: a2a-node id rotate' }
  return { name: 'credentials', state: 'ok', found }
}

function checkPorts (addresses: string[]): Check {
  if (addresses.length === 0) return { name: 'ports', state: 'failed', found: 'listens nowhere', advice: 'give an address with --listen; without one nobody can reach this node' }
  const outside = addresses.filter(address => !/\/ip4\/127\.|\/ip6\/::1\//.test(address))
  const found = `listens on ${count(addresses.length, 'address', 'addresses')}`
  if (outside.length === 0) return { name: 'ports', state: 'ok', found: `${found}, on this machine only` }
  return { name: 'ports', state: 'ok', found: `${found}, ${outside.length} of them beyond this machine` }
}

function checkPeers (peers: number, silent: number): Check {
  if (peers === 0) return { name: 'peers', state: 'warning', found: 'nobody is connected', advice: 'start another node on this machine or network, or give one with --bootstrap' }
  if (silent > 0) return { name: 'peers', state: 'warning', found: `${peers} connected, ${silent} of them have not said who they are`, advice: 'they may run another version: compare a2a-node --version there' }
  return { name: 'peers', state: 'ok', found: `${peers} connected` }
}

function checkDht ({ mode, peers }: { mode: string, peers: number }, expected: boolean): Check {
  if (peers === 0 && expected) return { name: 'dht', state: 'warning', found: `${mode}, knows no other node`, advice: 'agents are found directly and by gossip all the same; compare a2a-node --version on the other nodes' }
  return { name: 'dht', state: 'ok', found: `${mode}, knows ${count(peers, 'node')}` }
}

function checkGossip (topics: Array<{ topic: string, subscribers: number }>, connected: number): Check {
  const lonely = topics.filter(({ subscribers }) => subscribers === 0)
  const found = topics.length === 0 ? 'in no topic, since this node offers nothing and has asked for nothing yet' : `${count(topics.length, 'topic')}, ${topics.length - lonely.length} with others in them`
  if (connected > 0 && topics.length > 0 && lonely.length === topics.length) return { name: 'gossip', state: 'warning', found, advice: 'nobody connected shares a domain with this node; direct calls work all the same' }
  return { name: 'gossip', state: 'ok', found }
}

/** @param capabilities how many each agent of this node offers */
function checkAgents (others: number, capabilities: number[]): Check {
  const own = capabilities.reduce((sum, count) => sum + count, 0)
  const found = `${count(others, 'other agent')} known; this node offers ${count(own, 'capability', 'capabilities')}`
  if (others === 0) return { name: 'agents', state: 'warning', found, advice: 'nobody else is found: see peers above' }
  if (capabilities.some(number => number > MANY_CAPABILITIES)) return { name: 'agents', state: 'warning', found, advice: TOO_MANY_CAPABILITIES }
  return { name: 'agents', state: 'ok', found }
}

function checkDiscovery ({ recall, compared, stalenessMs, dead, warm, cold, restored }: DiscoveryStatus): Check {
  const found = [
    recall === undefined ? 'not compared with a peer yet' : `knows ${percent(recall)} of what peers know (${count(compared, 'comparison')})`,
    ...(stalenessMs === undefined ? [] : [`heard ${Math.round(stalenessMs.p50 / 1_000)} s ago at the median`]),
    ...[['warm', warm] as const, ['cold', cold] as const].flatMap(([what, { p99Ms }]) => p99Ms === undefined ? [] : [`${what} searches ${p99Ms < 10 ? p99Ms.toFixed(2) : Math.round(p99Ms)} ms at p99`]),
    ...(dead > 0 ? [`${dead} did not answer any more`] : []),
    ...(restored > 0 ? [`${restored} known from before the start`] : [])
  ].join(', ')
  if (recall !== undefined && recall < LOW_RECALL) return { name: 'discovery', state: 'warning', found, advice: 'adverts get lost on their way here: is the machine too busy, or are there too few peers? What is missing is fetched every 30 s' }
  if (stalenessMs !== undefined && stalenessMs.p50 > STALE_MS) return { name: 'discovery', state: 'warning', found, advice: 'heartbeats do not arrive: see peers and gossip above' }
  return { name: 'discovery', state: 'ok', found }
}

function checkBreakers (rows: BreakerRow[]): Check {
  const open = rows.filter(({ state }) => state !== 'closed')
  if (open.length === 0) return { name: 'breakers', state: 'ok', found: rows.length === 0 ? 'all closed' : `all closed, ${rows.length} of them with failures since the last success` }
  return {
    name: 'breakers',
    state: 'warning',
    found: open.map(({ of, name, failures, last }) => `${of} ${name} is open after ${failures} failures in a row${last === undefined ? '' : `, lastly: ${last}`}`).join('; '),
    advice: 'each is tried again by itself after a while, 1 minute at most; mend what a capability or an adapter calls, a peer is left out until it answers'
  }
}

function checkRefused (refused: Record<string, number>): Check {
  const entries = Object.entries(refused)
  const found = entries.length === 0 ? 'no message had to be refused' : entries.map(([code, count]) => `${code} ${count}`).join(', ')
  const versions = (refused.VERSION_UNSUPPORTED ?? 0) + (refused.MESSAGE_UNKNOWN ?? 0)
  if (versions > 0) return { name: 'messages', state: 'warning', found, advice: 'a node of another version is about: update the older one' }
  return { name: 'messages', state: 'ok', found }
}

const percent = (share: number): string => `${(share * 100).toFixed(share === 1 ? 0 : 1)} %`
const count = (number: number, one: string, many: string = `${one}s`): string => `${number} ${number === 1 ? one : many}`
