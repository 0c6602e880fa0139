import { percentile } from './sample.ts'
import type { Plan } from './plan.ts'
import type { ChildProcess } from 'node:child_process'
import type { SwarmNode, WorkerStats } from './messages.ts'

/** One forked process, and the last that was heard of it. */
export interface Worker {
  readonly number: number
  readonly child: ChildProcess
  agents: string[]
  readyMs?: number
  discovered?: { found: number, elapsedMs: number }
  stats?: WorkerStats
  node?: SwarmNode
  samples?: { taskMs: number[], awardMs: number[], findMs: number[] }
  /** Why it is gone. */
  lost?: string
  stderr: string
}

/** What came of a swarm. Times in ms, sizes in bytes. */
export interface Summary {
  agents: number
  processes: number
  domains: number
  capabilities: number
  /** Every agent was found by every process, no process was lost, and no task was lost or failed. */
  good: boolean
  interrupted: boolean
  elapsedMs: number
  startMs: number
  discovery: { complete: boolean, found: number, expected: number, recall: number, completeMs: number, p50Ms: number, p99Ms: number }
  tasks: { started: number, completed: number, failed: number, lost: number, reawards: number, perSecond: number, p50Ms: number, p99Ms: number, awardP50Ms: number, awardP99Ms: number, failures: Record<string, number> }
  workersLost: number
  perProcess: Array<{ process: number, pid?: number, agents: number, rssBytes: number, cpuMs: number, lost?: string }>
}

interface Outcome {
  plan: Plan
  workers: Worker[]
  /** Agents that each process was to find. */
  expected: number
  startMs: number
  trafficMs: number
  elapsedMs: number
  interrupted: boolean
}

/** Adds up what the processes reported. A task that neither completed nor failed in the end is lost. */
export function summarize ({ plan, workers, expected, startMs, trafficMs, elapsedMs, interrupted }: Outcome): Summary {
  const sum = (of: (worker: Worker) => number | undefined): number => workers.reduce((total, worker) => total + (of(worker) ?? 0), 0)
  const started = sum(({ stats }) => stats?.started)
  const completed = sum(({ stats }) => stats?.completed)
  const failed = sum(({ stats }) => stats?.failed)
  const lost = started - completed - failed
  const workersLost = workers.filter(worker => worker.lost !== undefined).length
  const found = sum(({ discovered, stats }) => discovered?.found ?? stats?.found)
  const toFind = expected * workers.length
  const taskMs = workers.flatMap(({ samples }) => samples?.taskMs ?? [])
  const awardMs = workers.flatMap(({ samples }) => samples?.awardMs ?? [])
  const findMs = workers.flatMap(({ samples }) => samples?.findMs ?? [])
  const failures: Record<string, number> = {}
  for (const [code, count] of workers.flatMap(({ stats }) => Object.entries(stats?.failures ?? {}))) failures[code] = (failures[code] ?? 0) + count
  return {
    agents: expected,
    processes: workers.length,
    domains: plan.domains.length,
    capabilities: plan.capabilities.length,
    good: found === toFind && workersLost === 0 && lost === 0 && failed === 0,
    interrupted,
    elapsedMs,
    startMs,
    discovery: {
      complete: found === toFind, found, expected: toFind, recall: found / toFind,
      completeMs: round(Math.max(0, ...workers.map(({ discovered }) => discovered?.elapsedMs ?? 0))),
      p50Ms: round(percentile(findMs, 0.5)), p99Ms: round(percentile(findMs, 0.99))
    },
    tasks: {
      started, completed, failed, lost,
      reawards: sum(({ stats }) => stats?.reawards),
      perSecond: trafficMs === 0 ? 0 : round(completed / trafficMs * 1_000),
      p50Ms: round(percentile(taskMs, 0.5)), p99Ms: round(percentile(taskMs, 0.99)),
      awardP50Ms: round(percentile(awardMs, 0.5)), awardP99Ms: round(percentile(awardMs, 0.99)),
      failures
    },
    workersLost,
    perProcess: workers.map(({ number, child, agents, stats, lost }) => ({
      process: number, pid: child.pid, agents: agents.length, rssBytes: stats?.rssBytes ?? 0, cpuMs: Math.round(stats?.cpuMs ?? 0), lost
    }))
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
