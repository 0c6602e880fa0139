/** Why somebody is not found: every step from the question to the agent, looked at one by one. */
import { ASK_PEERS } from './limits.ts'
import { topicOf } from './interests.ts'
import { domainOf, matches, parsePattern, type CapabilityPattern } from '../core/capability.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { within } from '../core/deadline.ts'
import type { Entry, Index } from './agent-index.ts'
import type { AskOptions, Told } from './ask.ts'
import type { Hints } from './hints.ts'
import type { Check } from '../core/found.ts'
import type { Clock } from '../core/ports.ts'
import type { Net } from '../net/net.ts'

export interface WhyParts {
  net: Net
  index: Index
  clock: Clock
  hints: Hints
  ask: (peer: string, options: AskOptions) => Promise<Told>
  joined: (timeoutMs: number) => Promise<void>
}

/** Everything together may take so long, in ms. */
const WHY_MS = 12_000
/** The DHT, and one agent. */
const DHT_MS = 3_000
const AGENT_MS = 3_000
/** So many agents are asked themselves. */
const MAX_AGENTS = 8

/** @param target a capability or pattern; or an agent's id, the end of it (`…6Mk2x`), or its name */
export const createWhy = (parts: WhyParts) => async (target: string): Promise<Check[]> => {
  const signal = within(WHY_MS)
  await parts.joined(2_000)
  const agentId = agentMeant(parts.index, target)
  return agentId === undefined ? await whyCapability(parts, target, signal) : await whyAgent(parts, agentId, signal)
}

async function whyCapability (parts: WhyParts, target: string, signal: AbortSignal): Promise<Check[]> {
  const { net, index } = parts
  let pattern: CapabilityPattern
  try {
    pattern = parsePattern(target)
  } catch (error) {
    return [{ name: 'name', state: 'failed', found: messageOf(error), advice: 'give a capability as data.sum, a prefix as data.*, or an agent as did:key:…' }]
  }
  const before = index.match(pattern)
  const checks: Check[] = [{ name: 'name', state: 'ok', found: `${target} is ${pattern.prefix ? 'a prefix' : 'a capability'}${pattern.version === undefined ? '' : `, version ${pattern.version} only`}` }, connected(net)]
  checks.push(before.length > 0
    ? { name: 'index', state: 'ok', found: `${count(before.length, 'agent')} known: ${names(before)}` }
    : { name: 'index', state: 'warning', found: `nobody known here${similar(index, pattern)}`, advice: 'the next steps show whether somebody else knows one' })
  checks.push(listening(net, domainOf(pattern.labels)))
  checks.push(await askedPeers(parts, { pattern: target, signal }))
  checks.push(await askedDht(parts, pattern, target, signal))
  const after = index.match(pattern)
  if (after.length === 0) {
    return [...checks, { name: 'agents', state: 'failed', found: `nobody offers ${target}${similar(index, pattern)}`, advice: similar(index, pattern) === '' ? 'start an agent that offers it; if one runs, see there: a2a-node status' : 'ask for one of those, or correct the name' }]
  }
  const asked = await Promise.all(after.slice(0, MAX_AGENTS).map(async entry => ({ entry, check: await askedItself(parts, entry, signal) })))
  const answering = asked.filter(({ check }) => check.state === 'ok').map(({ entry }) => entry).filter(entry => index.get(entry.agentId)?.capabilities.some(capability => matches(pattern, capability)) === true)
  return [...checks, ...asked.map(({ check }) => check), access(net, answering, pattern), answering.length > 0
    ? { name: 'found', state: 'ok', found: `${count(answering.length, 'agent')} found that ${answering.length === 1 ? 'answers' : 'answer'}${before.length === 0 ? '; the index did not have it, and has it now' : ''}` }
    : { name: 'found', state: 'failed', found: 'none of the agents known answers', advice: 'they may have stopped, or their addresses cannot be reached from here: look at the addresses with a2a-node find --verbose' }]
}

async function whyAgent (parts: WhyParts, agentId: string, signal: AbortSignal): Promise<Check[]> {
  const { net, index, clock } = parts
  const before = index.get(agentId)
  const checks: Check[] = [connected(net), before === undefined
    ? { name: 'index', state: 'warning', found: `not known here${index.sequenceOf(agentId) >= 0 ? '; it was, and has left, did not answer, or was silent for too long' : ''}` }
    : { name: 'index', state: 'ok', found: `known from ${before.source}, heard ${Math.round((clock.now() - before.heardAt) / 1_000)} s ago` }]
  checks.push(await askedPeers(parts, { agentId, signal }))
  const entry = index.get(agentId)
  if (entry === undefined) return [...checks, { name: 'found', state: 'failed', found: 'nobody here knows where this agent is', advice: 'is it started? Does it share a machine, a local network or a bootstrap node with this one? See there: a2a-node doctor' }]
  const itself = await askedItself(parts, entry, signal)
  const now = index.get(agentId) ?? entry
  return [...checks, itself, now.capabilities.length === 0
    ? { name: 'offers', state: 'warning', found: 'it offers nothing', advice: 'start it with --capability' }
    : { name: 'offers', state: 'ok', found: now.capabilities.map(({ name, version }) => `${name}@${version}`).join(', ') },
  ...(itself.state === 'ok' ? [access(net, [now], parsePattern('*'))] : []), {
    name: 'found', state: itself.state, found: itself.state === 'ok' ? 'it is found and answers' : 'it is known, and does not answer', ...(itself.state === 'ok' ? {} : { advice: itself.advice })
  }]
}

function connected (net: Net): Check {
  const peers = net.connected().length
  if (peers > 0) return { name: 'network', state: 'ok', found: `${count(peers, 'peer')} connected` }
  return { name: 'network', state: 'failed', found: 'no node is connected', advice: 'start another node on this machine or local network, or give one with --bootstrap; see: a2a-node doctor' }
}

function listening (net: Net, domain: string): Check {
  if (domain === '') return { name: 'topic', state: 'ok', found: 'no topic is about everything: peers are asked' }
  const topic = net.gossip.topics().find(({ topic }) => topic === topicOf(domain))
  if (topic === undefined) return { name: 'topic', state: 'ok', found: `not yet listened to ${domain}.*; a search begins it` }
  if (topic.subscribers === 0) return { name: 'topic', state: 'warning', found: `listening to ${domain}.*, and no peer is`, advice: 'no peer here offers or looks for anything in this domain: its agents may be elsewhere' }
  return { name: 'topic', state: 'ok', found: `listening to ${domain}.* with ${count(topic.subscribers, 'peer')}` }
}

async function askedPeers ({ net, ask }: WhyParts, options: AskOptions): Promise<Check> {
  const peers = net.connected().slice(0, ASK_PEERS)
  if (peers.length === 0) return { name: 'peers', state: 'warning', found: 'there is nobody to ask' }
  const answers = await Promise.allSettled(peers.map(peer => ask(peer, options)))
  const answered = answers.filter(answer => answer.status === 'fulfilled')
  const know = answered.filter(({ value }) => value.told > 0).length
  const refused = answered.reduce((sum, { value }) => sum + value.refused, 0)
  const found = `${answered.length} of ${peers.length} asked have answered, ${know} ${know === 1 ? 'knows' : 'know'} somebody${refused > 0 ? `; ${count(refused, 'advert')} of theirs did not hold` : ''}`
  if (refused > 0) return { name: 'peers', state: 'warning', found, advice: 'compare the clocks of the machines; or somebody passes on forgeries' }
  if (answered.length === 0) return { name: 'peers', state: 'failed', found, advice: 'they may hang or run another version: a2a-node peers' }
  return { name: 'peers', state: know === 0 ? 'warning' : 'ok', found }
}

async function askedDht ({ net, hints, ask }: WhyParts, pattern: CapabilityPattern, target: string, signal: AbortSignal): Promise<Check> {
  const { peers } = net.dht.status()
  const prefix = pattern.labels.join('.')
  if (prefix === '') return { name: 'dht', state: 'ok', found: 'has no record of everything' }
  if (peers === 0) return { name: 'dht', state: 'warning', found: 'knows no other node yet', advice: 'agents are found directly and by gossip all the same' }
  const until = AbortSignal.any([signal, AbortSignal.timeout(DHT_MS)])
  let named = 0
  let told = 0
  try {
    for await (const { peer, addresses } of hints.providers(prefix, until)) {
      if (peer === net.peerId) continue
      named++
      told += await ask(peer, { pattern: target, addresses, source: 'dht', signal: until }).then(answer => answer.told, () => 0)
      if (named >= MAX_AGENTS) break
    }
  } catch {
    // The time is over: what was found is told.
  }
  const found = `of ${count(peers, 'node')}: names ${count(named, 'provider')}, who told of ${count(told, 'agent')}`
  return named > 0 && told === 0 ? { name: 'dht', state: 'warning', found, advice: 'records live for two days: those may have stopped' } : { name: 'dht', state: 'ok', found }
}

/** The agent's own node has the last word. */
async function askedItself ({ net, index, ask }: WhyParts, { agentId, name = '', peerId, endpoints, source }: Entry, signal: AbortSignal): Promise<Check> {
  const what = `${name} …${agentId.slice(-8)}`.trim()
  if (source === 'local') return { name: 'agent', state: 'ok', found: `${what} is on this node` }
  try {
    const { told } = await ask(peerId, { agentId, addresses: endpoints, signal: AbortSignal.any([signal, AbortSignal.timeout(AGENT_MS)]) })
    if (told > 0 && index.get(agentId) !== undefined) return { name: 'agent', state: 'ok', found: `${what} answers${net.sameUser(peerId) ? ', of the same user' : ''}` }
    return { name: 'agent', state: 'failed', found: `${what}: its node answers, and has no such agent any more`, advice: 'it has moved or stopped; what is known of it ends by itself' }
  } catch (error) {
    const why = error instanceof A2aError ? error.message : 'no answer in time'
    return { name: 'agent', state: 'failed', found: `${what} does not answer: ${why}`, advice: `is it running? Can ${endpoints.join(' or ') || 'its address, which it does not give,'} be reached from here?` }
  }
}

function access (net: Net, entries: Entry[], pattern: CapabilityPattern): Check {
  const closed = entries.filter(entry => entry.source !== 'local' && !net.sameUser(entry.peerId) && entry.capabilities.some(capability => matches(pattern, capability)) && !entry.capabilities.some(capability => matches(pattern, capability) && capability.public === true))
  if (closed.length === 0) return { name: 'access', state: 'ok', found: 'may be called from here' }
  return { name: 'access', state: 'warning', found: `${names(closed)}: not public, and not proven to be of the same user on the same machine`, advice: 'ask its owner to mark the capability public' }
}

/** What is offered and may have been meant: another version, or something else below the same prefix. */
function similar (index: Index, { labels, version, prefix }: CapabilityPattern): string {
  const others = version === undefined ? [] : index.match({ labels, prefix })
  const near = others.length > 0 || labels.length < 2 ? others : index.match({ labels: labels.slice(0, -1), prefix: true })
  const parent: CapabilityPattern = others.length > 0 ? { labels, prefix } : { labels: labels.slice(0, -1), prefix: true }
  const offered = new Set(near.flatMap(({ capabilities }) => capabilities.filter(capability => matches(parent, capability)).map(capability => `${capability.name}@${capability.version}`)))
  return offered.size === 0 ? '' : `; offered is ${[...offered].slice(0, 5).join(', ')}`
}

function agentMeant (index: Index, target: string): string | undefined {
  if (target.startsWith('did:key:')) return target
  const end = /^…(.{4,})$/.exec(target)?.[1]
  const entries = index.all()
  if (end !== undefined) return entries.find(({ agentId }) => agentId.endsWith(end))?.agentId
  const offered = entries.some(({ capabilities }) => capabilities.some(({ name }) => name === target || name.startsWith(`${target}.`)))
  return offered ? undefined : entries.find(({ name }) => name === target)?.agentId
}

const names = (entries: Entry[]): string => `${entries.slice(0, 5).map(({ name, agentId }) => name ?? `…${agentId.slice(-8)}`).join(', ')}${entries.length > 5 ? ', …' : ''}`
const count = (number: number, one: string): string => `${number} ${number === 1 ? one : `${one}s`}`
