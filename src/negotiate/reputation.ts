/** What a requester remembers of its providers: read out of the events of its own tasks, as they happen and from the log at its start. */
import { LRUCache } from 'lru-cache'
import { fadedAt, learn, levelOf, newcomersOf, weightOf, type Experience, type Standing } from '../core/reputation.ts'
import type { Clock } from '../core/ports.ts'
import type { TaskEvent } from '../core/task.ts'

export interface Reputation {
  /** Takes the events of each task in their order; of several tasks they may come mixed. */
  observe: (event: TaskEvent) => void
  of: (provider: string) => Standing
  /** Whether anything was seen of it. */
  knows: (provider: string) => boolean
}

/** Providers remembered. Beyond it, who was seen longest ago is as good as unknown. */
const MAX_PROVIDERS = 10_000

export function createReputation (clock: Pick<Clock, 'now'>): Reputation {
  const experiences = new LRUCache<string, Experience>({ maxSize: MAX_PROVIDERS, sizeCalculation: () => 1 })
  /** What was seen of those about whom nothing was known by then. */
  let newcomers: Experience | undefined
  /** Who holds which open task, and how many each holds. */
  const holders = new Map<string, string>()
  const open = new Map<string, number>()

  function hold (taskId: string, provider: string | undefined): void {
    const before = holders.get(taskId)
    if (before !== undefined) {
      const left = (open.get(before) ?? 0) - 1
      if (left > 0) open.set(before, left)
      else open.delete(before)
    }
    if (provider === undefined) holders.delete(taskId)
    else {
      holders.set(taskId, provider)
      open.set(provider, (open.get(provider) ?? 0) + 1)
    }
  }

  return {
    knows: provider => experiences.has(provider),
    observe: event => {
      const { taskId, at } = event
      const weight = weightOf(event)
      const provider = 'provider' in event ? event.provider : holders.get(taskId)
      if (event.event === 'awarded') hold(taskId, event.provider)
      else if (event.event === 'moved' || event.event === 'result' || event.event === 'failed') hold(taskId, undefined)
      if (weight === 0 || provider === undefined) return
      const before = experiences.get(provider)
      if (levelOf(fadedAt(before, at)) === 'new') newcomers = learn(newcomers, weight, at)
      experiences.set(provider, learn(before, weight, at))
    },
    of: provider => {
      const now = clock.now()
      return { ...fadedAt(experiences.peek(provider), now), open: open.get(provider) ?? 0, newcomers: newcomersOf(fadedAt(newcomers, now)) }
    }
  }
}
