/** A process of a fault run: one node with one agent, which asks and works. Forked by run.ts, and ends with it. */
import { appendFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { createNode, type HostedNode } from '../../src/node.ts'
import { toFailure } from '../../src/core/errors.ts'
import type { FromWorker, ToWorker } from './messages.ts'

/** What one task takes, in ms: from, to. */
const WORK_MS = [20, 200] as const

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const tell = (message: FromWorker): void => { if (process.connected) process.send?.(message) }
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] as T
let node: HostedNode | undefined
let resting = new AbortController()

async function start ({ home, rendezvous, name, capability, effects }: ToWorker & { type: 'start' }): Promise<void> {
  const begun = performance.now()
  node = await createNode({ home, rendezvous, name, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger: silent })
  const [agent] = node.agents
  if (agent === undefined) return
  const by = agent.id.slice('did:key:z'.length)
  await agent.provide(capability, {
    public: true,
    run: async (_input, { taskId, epoch, signal, progress }) => {
      const ms = WORK_MS[0] + Math.random() * (WORK_MS[1] - WORK_MS[0])
      await wait(ms / 2, undefined, { signal })
      progress(0.5)
      await wait(ms / 2, undefined, { signal })
      // What the work does to the world: seen by nobody but whoever reads this file.
      appendFileSync(effects, `${JSON.stringify({ at: Date.now(), host: by, taskId, epoch })}\n`)
      return { by, taskId, epoch, right: true }
    }
  })
  await node.joined(10_000)
  tell({ type: 'ready', agentId: agent.id, tookMs: performance.now() - begun })
}

/** Arrivals are random (exponential gaps), so that processes do not march in step. */
async function work ({ rate, capabilities, maxDurationMs, leaseMs }: ToWorker & { type: 'work' }): Promise<void> {
  const { signal } = resting = new AbortController()
  while (!signal.aborted) {
    await wait(-Math.log(1 - Math.random()) / rate * 1_000, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) void delegate(pick(capabilities), { maxDurationMs, leaseMs })
  }
}

async function delegate (capability: string, options: { maxDurationMs: number, leaseMs: number }): Promise<void> {
  const task = node?.agents[0]?.delegate(capability, { n: Math.random() }, options)
  if (task === undefined) return
  task.result.catch(() => undefined)
  let first = true
  for await (const event of task) {
    if (first) tell({ type: 'acknowledged', taskId: task.taskId, at: Date.now() })
    first = false
    if (event.event === 'result' || event.event === 'failed') tell({ type: 'told', taskId: task.taskId, at: Date.now(), event })
  }
}

async function obey (message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'start': return await start(message)
    case 'work': return await work(message)
    case 'rest': return resting.abort()
    case 'count': return tell({ type: 'counted', open: node?.log.tasks({ role: 'requester', ended: false }).length ?? 0 })
    case 'end': {
      await node?.[Symbol.asyncDispose]()
      process.exit(0)
    }
  }
}

process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(1))
process.on('message', (message: ToWorker) => {
  obey(message).catch((error: unknown) => { tell({ type: 'failed', why: `${toFailure(error).code}: ${error instanceof Error ? error.stack : String(error)}` }) })
})
