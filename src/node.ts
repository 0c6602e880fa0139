/**
 * Wires a node together: home, log, network, directory, and the agents it hosts. Nothing below this file knows all of them.
 *
 *   home (keys, log) → net (libp2p, channels) → directory, announcer → agents
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { hostAgent, type HostedAgent } from './agent.ts'
import { admission } from './announce/admission.ts'
import { announcementIntake, createAnnouncer } from './announce/announcer.ts'
import { createContent, type Content } from './content/content.ts'
import { homeOf, runtimeDir } from './control/home.ts'
import { createDialogues, DIALOGUE_PROTOCOL } from './converse/dialogues.ts'
import { createSteadyClock, systemClock } from './core/clock.ts'
import { A2aError, messageOf } from './core/errors.ts'
import { createDirectory } from './discover/directory.ts'
import { KEEPING_PROTOCOL } from './discover/relay.ts'
import { compileSchema } from './execute/schema.ts'
import { loadOrCreateKey, seedOf } from './identity/keys.ts'
import { CHANNEL_PROTOCOL } from './net/channels.ts'
import { createNet } from './net/create.ts'
import { openEventLog } from './store/event-log.ts'
import { KEEP_MS, keepWithin } from './store/retention.ts'
import { VERSION } from './package.ts'
import { compose } from './wire/compose.ts'
import type { Agent } from './core/agent.ts'
import type { Check } from './core/found.ts'
import type { Node, NodeStatus } from './core/node.ts'
import type { EnvelopeHandler, EventLog, Logger } from './core/ports.ts'
import type { Net } from './net/net.ts'
import type { MessageName } from './wire/messages.ts'

export interface NodeOptions {
  /**
   * Folder of keys and event log, for one process at a time. Default: env `A2A_HOME` or the platform's state folder, and
   * in it a folder of the agent's name.
   */
  home?: string
  /** Of its first agent. Default `agent`. */
  name?: string
  /** Multiaddrs to listen on. Default: every interface, TCP and WebSocket, free ports. */
  listen?: string[]
  /** Multiaddrs of nodes to join by, for other networks. */
  bootstrap?: string[]
  /** Find nodes on the local network. Default true. */
  mdns?: boolean
  /** Folder in which nodes of one user on one machine find each other. Default: in the user's runtime folder. */
  rendezvous?: string
  region?: string
  /** How many bytes of streams that were sent may be kept in the home. Default 10 GiB. */
  contentQuotaBytes?: number
  /** How long a task stays in the event log after its end, in ms; the last 1,000 of each role stay longer. Default 30 days. */
  keepTasksMs?: number
  /** Default: warnings and errors go to stderr. */
  logger?: Logger
}

/** A node, and what the composition needs beside its public face. */
export interface HostedNode extends Node {
  /** @internal */
  readonly hosted: readonly HostedAgent[]
  /** @internal */
  readonly log: EventLog
  /** @internal */
  readonly content: Content
  /** Why a capability or an agent is found or not. */
  why: (target: string) => Promise<Check[]>
  /** New operational keys for every agent. */
  rotate: () => void
}

/** Handlers get this long to end at shutdown, in ms. */
const SHUTDOWN_MS = 2_000
const TO_PROVIDER: MessageName[] = ['task.counter', 'task.award', 'task.standby', 'task.decline', 'task.revoke', 'task.input']
const TO_REQUESTER: MessageName[] = ['task.bid', 'task.pass', 'task.heartbeat', 'task.progress', 'task.artifact', 'task.input-required', 'task.result']
const TO_REQUESTS: MessageName[] = ['request', 'tell', 'cancel']

/**
 * Starts a node with one agent, and resolves when it listens. Open tasks of an earlier run go on by themselves.
 * @throws A2aError HOME_IN_USE, HOME_UNUSABLE, KEY_INVALID, LOG_DAMAGED, LISTEN_FAILED
 */
export async function createNode (options: NodeOptions = {}): Promise<HostedNode> {
  const { name = 'agent', region, logger = stderrLogger } = options
  const home = resolve(options.home ?? join(homeOf(), 'agents', name))
  const wall = systemClock
  const clock = createSteadyClock(wall)
  const startedAt = clock.now()
  makeHome(home)
  const log = await openEventLog({ file: join(home, 'log.db'), home, clock: wall, logger })
  const hosted: HostedAgent[] = []
  const { keepTasksMs: keepMs = KEEP_MS } = options
  const endRetention = keepWithin({ log, clock: wall, logger, keepMs, agents: () => hosted.map(({ agent }) => agent.id) })
  const net = await startNet().catch(async error => {
    endRetention()
    await log.close()
    throw error
  })
  const content = await createContent({ net, folder: join(home, 'content'), quotaBytes: options.contentQuotaBytes, clock, logger })
  const directory = createDirectory({ net, clock, wall, logger, values: log.values, file: join(home, 'agents.jsonl'), region, compileSchema, protocols: [CHANNEL_PROTOCOL, DIALOGUE_PROTOCOL, KEEPING_PROTOCOL] })
  const announcer = createAnnouncer({ net, clock, logger })
  const count = (code: string): void => { net.refused[code] = (net.refused[code] ?? 0) + 1 }
  const dialogues = await createDialogues({ net, locate: directory.locate, compileSchema, clock, logger, count })

  async function startNet (): Promise<Net> {
    const { listen, bootstrap, mdns, rendezvous = join(runtimeDir(), 'rendezvous') } = options
    return await createNet({
      seed: seedOf(await loadOrCreateKey(join(home, 'keys', 'node.pem'))),
      credentials: () => hosted.map(({ signer }) => signer.credential()),
      listen, bootstrap, mdns, rendezvous, clock, wall, logger
    })
  }

  const toEach: EnvelopeHandler = async (envelope, origin) => {
    await Promise.all(hosted.map(({ provider }) => provider.receive(envelope, origin)))
    return undefined
  }
  const toOne = (end: 'provider' | 'requester' | 'requests'): EnvelopeHandler => (envelope, origin) => {
    const agent = hosted.find(candidate => candidate.agent.id === envelope.to)
    if (agent === undefined) throw new A2aError({ code: 'REFUSED', why: 'there is no such agent here' })
    return agent[end].receive(envelope, origin)
  }
  net.handle('task.announce', announcementIntake(admission({ clock, sameUser: net.sameUser, connected: peer => net.speakers(peer).length > 0 }, toEach)))
  for (const type of TO_PROVIDER) net.handle(type, toOne('provider'))
  for (const type of TO_REQUESTS) net.handle(type, toOne('requests'))
  for (const type of TO_REQUESTER) net.handle(type, toOne('requester'))
  net.onPeer(({ type, peer, parted }) => { if (type === 'closed' && parted !== true) void confirmGone(peer) })

  /** A broken connection is no dead peer. One that nobody answers at is: its work moves on without waiting for the lease. */
  async function confirmGone (peer: string): Promise<void> {
    const [first] = hosted
    if (first === undefined || closing !== undefined) return
    try {
      await net.wire.request(peer, compose('ping', {}, first.author, { correlationId: first.author.newId() }), { timeoutMs: 2_000 })
    } catch (error) {
      if (!(error instanceof A2aError) || error.code !== 'PEER_UNREACHABLE') return
      directory.unreachablePeer(peer)
      dialogues.peerGone(peer, 'it does not answer')
      for (const { requester, provider } of hosted) {
        requester.peerGone(peer, messageOf(error))
        provider.peerGone(peer, messageOf(error))
      }
    }
  }

  async function host (agentName: string, keyFile: string): Promise<Agent> {
    const entry = hostAgent({ key: await loadOrCreateKey(keyFile), keyFile, name: agentName, node, net, log, content, directory, announcer, dialogues, clock: wall, logger })
    hosted.push(entry)
    entry.signer.onRotated(net.greet)
    net.greet()
    entry.requester.recover()
    entry.provider.recover()
    entry.queue.recover()
    return entry.agent
  }

  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    const late = AbortSignal.timeout(SHUTDOWN_MS)
    endRetention()
    content.close()
    await Promise.all([directory.close(), ...hosted.map(agent => agent.close(late))])
    await net[Symbol.asyncDispose]()
    await log.close()
  }

  const node: HostedNode = {
    peerId: net.peerId,
    home,
    hosted,
    log,
    content,
    get agents () { return hosted.map(({ agent }) => agent) },
    addresses: net.addresses,
    createAgent: async ({ name: agentName = `agent-${hosted.length + 1}` } = {}) => {
      if (!/^[A-Za-z0-9._-]{1,64}$/.test(agentName)) throw new A2aError({ code: 'BAD_USAGE', why: `"${agentName}" is no agent name`, hint: 'use up to 64 letters, digits, dots, dashes' })
      if (hosted.some(({ agent }) => agent.name === agentName)) throw new A2aError({ code: 'BAD_USAGE', why: `this node has an agent called ${agentName} already` })
      return await host(agentName, join(home, 'keys', 'agents', `${agentName}.pem`))
    },
    find: async (pattern, findOptions) => (await directory.find(pattern, findOptions)).map(found => ({ ...found, reputation: hosted[0]?.requester.reputationOf(found.agentId) })),
    watch: directory.watch,
    joined: (timeoutMs = 1_500) => directory.joined(timeoutMs),
    peers: net.peers,
    why: directory.why,
    rotate: () => { for (const { signer } of hosted) signer.rotate() },
    status: () => statusOf(),
    [Symbol.asyncDispose]: () => closing ??= close()
  }

  function statusOf (): NodeStatus {
    return {
      version: VERSION,
      pid: process.pid,
      home,
      peerId: net.peerId,
      addresses: net.addresses(),
      startedAt,
      uptimeMs: clock.now() - startedAt,
      rssBytes: process.memoryUsage.rss(),
      peers: net.connected().length,
      agentsKnown: directory.size(),
      log: { ...log.size(), keepMs },
      discovery: directory.status(),
      dht: net.dht.status(),
      gossip: net.gossip.topics(),
      agents: hosted.map(({ agent, capabilities, provider, load, signer, breakers, slots }) => ({
        agentId: agent.id,
        name: agent.name,
        capabilities: capabilities().map(capability => capability.name),
        running: provider.running(),
        queued: provider.queued(),
        load: load(),
        metrics: agent.metrics(),
        costs: agent.costs(),
        credentialExpiresAt: signer.expiresAt(),
        breakers: breakers(),
        slots: slots()
      })),
      queue: hosted.map(({ queue }) => queue.counts()).reduce((sum, counts) => ({ waiting: sum.waiting + counts.waiting, running: sum.running + counts.running, dead: sum.dead + counts.dead }), { waiting: 0, running: 0, dead: 0 }),
      refused: { ...net.refused }
    }
  }

  try {
    await host(name, agentKeyFile(home))
    await net.begin()
  } catch (error) {
    await close()
    throw error
  }
  return node
}

/** A node with one agent, for those who embed one. Disposing of the agent ends the node. */
export async function createAgent (options: NodeOptions = {}): Promise<Agent> {
  const [agent] = (await createNode(options)).agents
  return agent as Agent
}

/** Key file of a home's first agent. */
export const agentKeyFile = (home: string): string => join(home, 'keys', 'agent.pem')

function makeHome (home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 })
    chmodSync(home, 0o700)
  } catch (error) {
    throw new A2aError({ code: 'HOME_UNUSABLE', home, why: messageOf(error) })
  }
}

const print = (level: string) => (what: string, facts: Record<string, unknown> = {}): void => {
  process.stderr.write(`a2a-node ${level}: ${what} ${JSON.stringify(facts)}\n`)
}
const stderrLogger: Logger = { debug: () => {}, info: () => {}, warn: print('warning'), error: print('error') }
