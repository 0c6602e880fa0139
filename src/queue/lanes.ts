/**
 * Which job is attempted next: each capability has a lane of its own, and the lanes take turns. A lane whose capability
 * nobody offers, or nobody bids for, rests, and has fewer attempts at once afterwards; so it holds up no other.
 */
import { QUEUE } from './limits.ts'
import type { Clock } from '../core/ports.ts'

export interface LanesParts {
  clock: Clock
  /** Whether somebody offers what this lane wants. */
  isOffered: (lane: string) => Promise<boolean>
  /** Begins an attempt. It is over with `leave`. */
  start: (jobId: string) => void
}

export interface Lanes {
  /** A job that wants an attempt. */
  queue: (jobId: string, lane: string) => void
  /** An attempt that is under way already: one from before a restart. */
  enter: (jobId: string, lane: string) => void
  /** An attempt is over, or a job wants none any more. `untaken`: nobody took it up. */
  leave: (jobId: string, lane: string, untaken: boolean) => void
  close: () => void
}

interface Lane {
  ready: Set<string>
  running: Set<string>
  /** Attempts at once at most: learnt from how many were taken up. */
  most: number
  /** Rests in a row. */
  rests: number
  /** It looks, or it rests. */
  isPaused: boolean
  wake?: () => void
}

export function createLanes ({ clock, isOffered, start }: LanesParts): Lanes {
  const lanes = new Map<string, Lane>()
  let running = 0
  let closed = false

  const laneOf = (name: string): Lane => {
    let lane = lanes.get(name)
    if (lane === undefined) lanes.set(name, lane = { ready: new Set(), running: new Set(), most: QUEUE.runningOfOne, rests: 0, isPaused: false })
    return lane
  }

  const wantsMore = ({ ready, running: own, most, isPaused }: Lane): boolean => ready.size > 0 && own.size < most && !isPaused

  /** One attempt of each lane in turn, while there is room. */
  function pump (): void {
    if (closed) return
    for (let began = true; began;) {
      began = false
      for (const [name, lane] of lanes) {
        if (lane.ready.size === 0 && lane.running.size === 0 && !lane.isPaused) lanes.delete(name)
        if (running >= QUEUE.running || !wantsMore(lane)) continue
        // With one at work, or just done, somebody was there.
        if (lane.running.size === 0) look(name, lane)
        else begin(lane)
        began = true
      }
    }
  }

  function begin (lane: Lane): void {
    const [jobId] = lane.ready
    if (jobId === undefined) return
    lane.ready.delete(jobId)
    lane.running.add(jobId)
    running++
    start(jobId)
  }

  function look (name: string, lane: Lane): void {
    lane.isPaused = true
    isOffered(name).catch(() => true).then(yes => {
      if (closed) return
      lane.isPaused = false
      if (!yes) rest(lane)
      else if (running < QUEUE.running) begin(lane)
      pump()
    })
  }

  function rest (lane: Lane): void {
    if (lane.isPaused) return
    lane.isPaused = true
    const ms = Math.min(QUEUE.mostRestMs, QUEUE.restMs * 2 ** lane.rests++) * (0.5 + Math.random() / 2)
    lane.wake = clock.after(ms, () => { end(lane) })
  }

  function end (lane: Lane): void {
    lane.wake?.()
    lane.wake = undefined
    lane.isPaused = false
    pump()
  }

  return {
    queue: (jobId, name) => {
      laneOf(name).ready.add(jobId)
      pump()
    },
    enter: (jobId, name) => {
      laneOf(name).running.add(jobId)
      running++
    },
    leave: (jobId, name, untaken) => {
      const lane = lanes.get(name)
      if (lane === undefined) return
      lane.ready.delete(jobId)
      if (lane.running.delete(jobId)) {
        running--
        if (untaken) {
          lane.most = Math.max(1, lane.running.size)
          rest(lane)
        } else {
          lane.most = Math.min(QUEUE.runningOfOne, lane.most + 1)
          lane.rests = 0
          if (lane.wake !== undefined) end(lane)
        }
      }
      pump()
    },
    close: () => {
      closed = true
      for (const { wake } of lanes.values()) wake?.()
      lanes.clear()
    }
  }
}
