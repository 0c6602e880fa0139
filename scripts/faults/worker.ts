/** A process of a fault run: one node with one agent, which asks and works. Forked by run.ts, and ends with it. */
import { appendFileSync, readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { A2aError, createNode, execHandler, type HostedNode } from '../../src/index.ts'
import type { FromWorker, Start, ToWorker } from './messages.ts'

/** What a long task takes, in ms: from, to. */
const LONG_MS = [1_000, 3_000] as const
/** How often jobs fail, drawn for each: one of five always does, so that there are dead letters too. */
const FAILING = [0, 0, 1, 2, Infinity] as const
const ATTEMPTS = 4
/** A job waits so long at most, in ms: long enough never to be over in a run, unless somebody sets the clock. */
const JOB_MS = 1_800_000

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
const tell = (message: FromWorker): void => { if (process.connected) process.send?.(message) }
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)] as T
const between = ([from, to]: readonly [number, number]): number => from + Math.random() * (to - from)
/** True time, whatever is done to this process's clock. */
const now = (): number => Math.round(performance.timeOrigin + performance.now())
let node: HostedNode | undefined
let resting = new AbortController()

async function start ({ home, rendezvous, listen, bootstrap, name, capability, poison, workMs, long, effects, attempts }: Start): Promise<void> {
  const begun = performance.now()
  node = await createNode({ home, rendezvous, name, listen: [listen], bootstrap, mdns: false, logger: silent })
  const [agent] = node.agents
  if (agent === undefined) return
  const by = agent.id.slice('did:key:z'.length)
  const run = async (input: { job?: string, fails?: number | null }, { taskId, epoch, signal, progress }: { taskId: string, epoch: number, signal: AbortSignal, progress: (fraction: number) => void }): Promise<object> => {
    tell({ type: 'began', taskId, epoch, at: now() })
    try {
      const ms = between(Math.random() < long ? LONG_MS : [workMs / 10, workMs])
      await wait(ms / 2, undefined, { signal })
      progress(0.5)
      await wait(ms / 2, undefined, { signal })
      if (input.job !== undefined) attempt(join(attempts, input.job), input.fails ?? Infinity, capability)
      // What the work does to the world: seen by nobody but whoever reads this file.
      appendFileSync(effects, `${JSON.stringify({ at: now(), host: by, taskId, epoch })}\n`)
      return { by, taskId, epoch, right: true }
    } finally {
      tell({ type: 'ceased', taskId, epoch, at: now() })
    }
  }
  await agent.provide(capability, { public: true, run })
  if (poison?.kills === 'process') await agent.provide(poison.capability, { public: true, run: () => { process.kill(process.pid, 'SIGKILL') } })
  if (poison?.kills === 'program') await agent.provide(poison.capability, { public: true, run: execHandler('kill -9 $$') })
  await node.joined(10_000)
  flushCompileCache()
  tell({ type: 'ready', agentId: agent.id, tookMs: performance.now() - begun })
}

/** @throws A2aError HANDLER_FAILED the first so many times */
function attempt (file: string, fails: number, capability: string): void {
  appendFileSync(file, 'x')
  if (readFileSync(file).length <= fails) throw new A2aError({ code: 'HANDLER_FAILED', capability, why: 'it was told to fail', retryable: true })
}

/** Calls again and again at so many times a second, once it has grown up to that. Arrivals are random (exponential gaps), so that processes do not march in step. */
async function repeat (rate: number, rampMs: number, signal: AbortSignal, call: () => Promise<void>): Promise<void> {
  if (rate === 0) return
  const begun = now()
  while (!signal.aborted) {
    await wait(-Math.log(1 - Math.random()) / rate * 1_000, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted && now() - begun >= Math.random() * rampMs) call().catch(failed)
  }
}

async function work ({ rate, jobs, rampMs, capabilities, maxDurationMs, leaseMs }: ToWorker & { type: 'work' }): Promise<void> {
  const { signal } = resting = new AbortController()
  await Promise.all([
    repeat(rate, rampMs, signal, () => delegate(pick(capabilities), { maxDurationMs, leaseMs })),
    repeat(jobs, rampMs, signal, () => enqueue(pick(capabilities), { maxDurationMs, leaseMs }))
  ])
}

async function delegate (capability: string, options: { maxDurationMs: number, leaseMs: number }): Promise<void> {
  const task = node?.agents[0]?.delegate(capability, { n: Math.random() }, options)
  if (task === undefined) return
  task.result.catch(() => undefined)
  let first = true
  for await (const event of task) {
    if (first) tell({ type: 'acknowledged', taskId: task.taskId, at: now() })
    first = false
    if (event.event === 'result' || event.event === 'failed') tell({ type: 'told', taskId: task.taskId, at: now(), event })
  }
}

async function enqueue (capability: string, options: { maxDurationMs: number, leaseMs: number }): Promise<void> {
  const key = Math.random().toString(36).slice(2)
  const job = await node?.agents[0]?.enqueue(capability, { job: key, fails: pick(FAILING) }, { ...options, maxAttempts: ATTEMPTS, expiresAt: Date.now() + JOB_MS })
  if (job !== undefined) tell({ type: 'enqueued', jobId: job.id })
}

async function enqueueOne (capability: string): Promise<void> {
  try {
    const job = await node?.agents[0]?.enqueue(capability, null, { expiresAt: Date.now() + JOB_MS })
    if (job === undefined) return
    tell({ type: 'enqueued', jobId: job.id })
    await job.result.catch(() => undefined)
  } finally {
    tell({ type: 'over' })
  }
}

function countOpen (): number {
  const { log } = node ?? {}
  if (log === undefined) return 0
  return log.tasks({ role: 'requester', ended: false }).length + log.tasks({ role: 'job', ended: false }).filter(({ stage }) => stage !== 'dead').length
}

async function obey (message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'start': return await start(message)
    case 'work': return await work(message)
    case 'enqueue': return await enqueueOne(message.capability)
    case 'rest': return resting.abort()
    case 'count': return tell({ type: 'counted', open: countOpen() })
    case 'end': {
      await node?.[Symbol.asyncDispose]()
      process.exit(0)
    }
  }
}

function failed (error: unknown): void {
  tell({ type: 'failed', why: error instanceof A2aError ? `${error.code}: ${error.stack}` : String(error instanceof Error ? error.stack : error) })
}

process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(1))
process.on('message', (message: ToWorker) => { obey(message).catch(failed) })
