/**
 * Where a task comes from, and how far it may still go. It goes along by itself with whatever a handler delegates, and both
 * ends of each hop hold to it: who asks makes no task beyond it, who is asked takes none.
 */
import type { Failure } from './errors.ts'

export interface Lineage {
  /** Delegations above the task; 0 when no handler asks. */
  depth: number
  /** Agents it came through, the first requester first, the one that asks last: who acts for whom. */
  visited: string[]
  /** No task under the first one may be deeper. Absent in logs of version 0.1: `MAX_DEPTH - 1`. */
  deepest?: number
  /** The task whose handler asks. */
  parentTaskId?: string
  /** W3C Trace Context. */
  traceparent?: string
}

/** Levels of delegations: the deepest task has a depth of one less. As many agents can be in `visited` on the wire. */
export const MAX_DEPTH = 16

/** What an announcement says of its lineage. */
export interface Told {
  from: string
  depth?: number
  visited?: string[]
  hopsLeft?: number
  traceparent?: string
}

/** The lineage of a task as its announcement tells it. Whoever asks is in it, whether it says so or not. */
export function heardLineage ({ from, depth = 0, visited = [], hopsLeft = MAX_DEPTH, traceparent }: Told): Lineage & { deepest: number } {
  const path = visited.at(-1) === from ? visited : [...visited, from]
  const real = Math.max(depth, path.length - 1)
  return { depth: real, visited: path, deepest: Math.min(MAX_DEPTH - 1, real + hopsLeft), traceparent }
}

/** How many levels of delegations there may still be below. */
export const hopsLeft = ({ depth, deepest = MAX_DEPTH - 1 }: Lineage): number => Math.max(0, deepest - depth)

/** The lineage of what the handler of a task delegates. */
export function childLineage ({ depth, visited, deepest }: Lineage, { taskId, agentId, traceparent }: { taskId: string, agentId: string, traceparent?: string }): Lineage {
  return { depth: depth + 1, visited: visited.at(-1) === agentId ? visited : [...visited, agentId], deepest, parentTaskId: taskId, traceparent }
}

/** The way that would come back to an agent; `undefined` when it would not. An agent may do itself what it was not delegated. */
export const loopThrough = ({ depth, visited }: Lineage, agentId: string): string[] | undefined =>
  depth > 0 && visited.includes(agentId) ? [...visited, agentId] : undefined

/** Why there may be no task of this lineage. */
export function tooDeep ({ depth, deepest = MAX_DEPTH - 1 }: Lineage): Failure | undefined {
  const most = Math.min(deepest, MAX_DEPTH - 1)
  return depth <= most ? undefined : { code: 'REFUSED', why: `the task would be ${depth} delegations deep, at most ${most} are allowed` }
}
