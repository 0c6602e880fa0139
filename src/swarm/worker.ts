/** A process of a swarm: one node with its agents. Forked by the supervisor, and ends with it. */
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { A2aError, toFailure } from '../core/errors.ts'
import { createNode } from '../index.ts'
import { sample } from './sample.ts'
import { isRight, workOf } from './work.ts'
import type { FromWorker, ToWorker, WorkerStats } from './messages.ts'
import type { Agent } from '../core/agent.ts'
import type { Node } from '../core/node.ts'
import type { Logger } from '../core/ports.ts'

/** Tasks under way at once; above it, nothing new is started. */
const MAX_OPEN = 64
const TASK_MS = 30_000
const STATS_MS = 1_000
const LOOK_MS = 250

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const stats: Omit<WorkerStats, 'rssBytes' | 'cpuMs'> = { found: 0, started: 0, completed: 0, failed: 0, open: 0, reawards: 0, failures: {} }
const taskMs = sample()
const awardMs = sample()
const findMs = sample()
const traffic = new AbortController()
let node: Node | undefined

const tell = (message: FromWorker): void => { if (process.connected) process.send?.(message) }
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] as T

function current (): WorkerStats {
  const { user, system } = process.cpuUsage()
  return { ...stats, rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1_000 }
}

async function start ({ home, rendezvous, agents: [first, ...others] }: ToWorker & { type: 'start' }): Promise<void> {
  const begun = performance.now()
  node = await createNode({ home, rendezvous, name: first?.name, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent })
  for (const { name } of others) await node.createAgent({ name })
  // All at once: each waits for its advert to get round, and a hundred would wait for each other.
  const planned = [first, ...others]
  await Promise.all(node.agents.map((agent, i) => provide(agent, planned[i]?.capabilities ?? [])))
  tell({ type: 'ready', agents: node.agents.map(({ id }) => id), node: { pid: process.pid, peerId: node.peerId, addresses: node.addresses() }, elapsedMs: performance.now() - begun })
  setInterval(() => tell({ type: 'stats', stats: current() }), STATS_MS).unref()
}

async function provide (agent: Agent, capabilities: string[]): Promise<void> {
  for (const capability of capabilities) {
    const work = workOf(capability)
    await agent.provide(capability, { run: input => work.run(input) })
  }
}

async function discover (node: Node, { expected, timeoutMs }: ToWorker & { type: 'discover' }): Promise<void> {
  const begun = performance.now()
  const wanted = new Set(expected)
  const seen = new Set<string>()
  while (seen.size < wanted.size && performance.now() - begun < timeoutMs) {
    for (const { agentId } of await node.find('*', { limit: expected.length + 1_000 })) if (wanted.has(agentId)) seen.add(agentId)
    stats.found = seen.size
    if (seen.size < wanted.size) await wait(LOOK_MS)
  }
  tell({ type: 'discovered', found: seen.size, elapsedMs: performance.now() - begun })
}

/** Arrivals are random (exponential gaps), so that processes do not march in step. */
async function generate (node: Node, { rate, capabilities }: ToWorker & { type: 'traffic' }): Promise<void> {
  let looked = 0
  while (!traffic.signal.aborted) {
    await wait(-Math.log(1 - Math.random()) / rate * 1_000, undefined, { signal: traffic.signal }).catch(() => undefined)
    if (traffic.signal.aborted) return
    if (stats.open < MAX_OPEN) void delegate(pick(node.agents), pick(capabilities))
    if (performance.now() - looked > LOOK_MS) {
      looked = performance.now()
      await node.find(pick(capabilities))
      findMs.add(performance.now() - looked)
    }
  }
}

async function delegate (agent: Agent, capability: string): Promise<void> {
  const begun = performance.now()
  const input: unknown = workOf(capability).input(Math.random)
  stats.started++
  stats.open++
  try {
    const work = agent.delegate(capability, input, { maxDurationMs: TASK_MS })
    let awards = 0
    for await (const { event } of work) {
      if (event !== 'awarded') continue
      if (++awards === 1) awardMs.add(performance.now() - begun)
      else stats.reawards++
    }
    const { output } = await work.result
    if (isRight(capability, input, output)) stats.completed++
    else fail('WRONG_RESULT')
    taskMs.add(performance.now() - begun)
  } catch (error) {
    fail(toFailure(error).code)
  } finally {
    stats.open--
  }
}

function fail (code: string): void {
  stats.failed++
  stats.failures[code] = (stats.failures[code] ?? 0) + 1
}

async function drain (timeoutMs: number): Promise<void> {
  traffic.abort()
  const begun = performance.now()
  while (stats.open > 0 && performance.now() - begun < timeoutMs) await wait(20)
  tell({ type: 'drained', stats: current(), taskMs: taskMs.values(), awardMs: awardMs.values(), findMs: findMs.values() })
}

async function obey (message: ToWorker): Promise<void> {
  if (message.type === 'start') return await start(message)
  if (message.type === 'end') {
    await node?.[Symbol.asyncDispose]()
    process.exit(0)
  }
  if (node === undefined) throw new A2aError({ code: 'INTERNAL', why: `${message.type} before start` })
  if (message.type === 'discover') return await discover(node, message)
  if (message.type === 'traffic') return await generate(node, message)
  await drain(message.timeoutMs)
}

// Ctrl-C reaches every process of the terminal: the supervisor says when it is over.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(1))
process.on('message', (message: ToWorker) => {
  obey(message).catch((error: unknown) => tell({ type: 'failed', why: toFailure(error, why => ({ code: 'INTERNAL', why })).code + ': ' + (error instanceof Error ? error.message : String(error)) }))
})
