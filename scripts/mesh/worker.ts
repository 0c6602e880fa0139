/** A process that holds many nodes, each with its own key, home and libp2p host. Forked by run.ts, and ends with it. */
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { createNode, type Node } from '../../src/index.ts'
import { countSockets } from './sockets.ts'
import type { Counts, FromWorker, PlannedNode, ToWorker } from './messages.ts'

/** Nodes of this process that start at once: more only starve each other's handshakes. */
const STARTING = 2
const JOIN_MS = 30_000
const GREETING = 'mesh.greet'

const sockets = countSockets()
/** While finding only: it wakes the process 20 times a second. */
const lag = monitorEventLoopDelay({ resolution: 50 })
const nodes: Node[] = []
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
let since = mark()
let stopProfile: (() => Promise<void>) | undefined

const tell = (message: FromWorker): void => { if (process.connected) process.send?.(message) }
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] as T

function mark (): { at: number, cpu: NodeJS.CpuUsage, opened: number, bytes: number, writes: number } {
  return { at: performance.now(), cpu: process.cpuUsage(), opened: sockets.opened(), bytes: sockets.bytesSent(), writes: sockets.writes() }
}

async function start ({ folder, rendezvous, nodes: planned }: ToWorker & { type: 'start' }): Promise<void> {
  const waiting = [...planned]
  const next = async (): Promise<void> => {
    for (let plan = waiting.shift(); plan !== undefined; plan = waiting.shift()) await startNode(plan, folder, rendezvous)
  }
  await Promise.all(Array.from({ length: STARTING }, next))
  // It may grow under load; where it was started with the flag.
  setFlagsFromString('--no-optimize-for-size')
  tell({ type: 'ready' })
}

async function startNode ({ place, agents: [first, ...others] }: PlannedNode, folder: string, rendezvous: string): Promise<void> {
  const begun = performance.now()
  const node = await createNode({ home: join(folder, `${process.pid}-${place}`), rendezvous, name: first?.name, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent })
  for (const { name } of others) await node.createAgent({ name })
  const planned = [first, ...others]
  await Promise.all(node.agents.map(async (agent, i) => {
    agent.onRequest(GREETING, () => 'welcome', { public: true })
    await agent.provide(planned[i]?.capability ?? 'none', { run: input => input })
  }))
  await node.joined(JOIN_MS)
  nodes.push(node)
  tell({ type: 'node', place, agents: node.agents.map(({ id }, i) => ({ agentId: id, capability: planned[i]?.capability ?? '' })), tookMs: performance.now() - begun })
}

function counts (): Counts {
  const { user, system } = process.cpuUsage(since.cpu)
  const peers = nodes.map(node => node.peers().length)
  const status = nodes.map(node => node.status())
  const refused: Record<string, number> = {}
  for (const [code, count] of status.flatMap(({ refused }) => Object.entries(refused))) refused[code] = (refused[code] ?? 0) + count
  return {
    elapsedMs: performance.now() - since.at,
    cpuMs: (user + system) / 1_000,
    rssBytes: process.memoryUsage.rss(),
    nodes: nodes.length,
    peers: sum(peers),
    sockets: sockets.open(),
    opened: sockets.opened() - since.opened,
    bytesSent: sockets.bytesSent() - since.bytes,
    writes: sockets.writes() - since.writes,
    known: sum(status.map(({ agentsKnown }) => agentsKnown)),
    lagP99Ms: lag.percentile(99) / 1e6,
    peersMax: Math.max(...peers),
    peersMin: Math.min(...peers),
    dhtPeers: sum(status.map(({ dht }) => dht.peers)),
    refused
  }
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0)

/** Arrivals are random, so that processes do not march in step. */
async function find ({ rate, forMs, capabilities }: ToWorker & { type: 'find' }): Promise<void> {
  const until = performance.now() + forMs
  lag.enable()
  const open = new Set<Promise<void>>()
  for (;;) {
    await wait(-Math.log(1 - Math.random()) / rate * 1_000)
    if (performance.now() > until) break
    const one = findOne(pick(nodes), pick(capabilities))
    open.add(one)
    void one.finally(() => { open.delete(one) })
  }
  await Promise.all(open)
  tell({ type: 'over' })
}

async function findOne (node: Node, capability: string): Promise<void> {
  const at = Date.now()
  const begun = performance.now()
  let found: Awaited<ReturnType<Node['find']>> = []
  let why: string | undefined
  let handshakeMs: number | undefined
  try {
    found = await node.find(capability, { timeoutMs: 5_000 })
  } catch (error) {
    why = String(error)
  }
  const findMs = performance.now() - begun
  const cold = found.every(({ source, ageMs }) => source !== 'local' && ageMs <= findMs + 1)
  const [chosen] = found
  if (chosen !== undefined) {
    try {
      await node.agents[0]?.request(chosen.agentId, GREETING, undefined, { timeoutMs: 5_000 })
      handshakeMs = performance.now() - begun
    } catch (error) {
      why = String(error)
    }
  }
  const warmFrom = performance.now()
  await node.find(capability, { timeoutMs: 1 }).catch(() => [])
  const warmMs = performance.now() - warmFrom
  await wait(1_000)
  const again = await node.find(capability, { timeoutMs: 1 }).catch(() => [])
  tell({ type: 'found', found: { capability, at, cold, findMs, handshakeMs, warmMs, why, agents: found.map(({ agentId }) => agentId), again: again.map(({ agentId }) => agentId) } })
}

async function profile (file: string): Promise<void> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  stopProfile = async () => {
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(file, JSON.stringify(profile))
    session.disconnect()
  }
}

async function obey (message: ToWorker): Promise<void> {
  if (message.type === 'start') return await start(message)
  if (message.type === 'find') return await find(message)
  if (message.type === 'profile') return await profile(message.file)
  if (message.type === 'count') {
    await stopProfile?.()
    stopProfile = undefined
    tell({ type: 'counts', counts: counts() })
    since = mark()
    return
  }
  await Promise.race([Promise.all(nodes.map(node => node[Symbol.asyncDispose]())), wait(5_000)])
  process.exit(0)
}

process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(1))
process.on('message', (message: ToWorker) => {
  obey(message).catch((error: unknown) => { tell({ type: 'failed', why: error instanceof Error ? error.stack ?? error.message : String(error) }) })
})
