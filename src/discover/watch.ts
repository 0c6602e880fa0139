/** Watching a pattern: who is there now, and then each change, as long as somebody reads. */
import { toFound, type Change, type Entry, type Index } from './agent-index.ts'
import { matches, type CapabilityPattern } from '../core/capability.ts'
import { chooser, isMeant, type CompileSchema } from './choose.ts'
import type { AgentChange, AgentFilter, FoundAgent } from '../core/found.ts'
import type { Clock } from '../core/ports.ts'

export interface WatchParts {
  index: Index
  clock: Clock
  pattern: CapabilityPattern
  filter: AgentFilter
  compileSchema: CompileSchema
  signal?: AbortSignal
  onEnd: () => void
}

/**
 * Changes are kept by agent until they are read: a slow reader gets the latest of each, and nothing piles up beyond the
 * agents that match and those it was told of.
 */
export function watchIndex ({ index, clock, pattern, filter, compileSchema, signal, onEnd }: WatchParts): AsyncIterableIterator<AgentChange> {
  /** As the reader knows them. */
  const told = new Map<string, FoundAgent>()
  const changed = new Map<string, Change>()
  let wake = (): void => {}
  let ended = false

  const choose = chooser(pattern, filter, compileSchema)
  const mayBeMeant = (entry: Entry | undefined): boolean => entry !== undefined && (pattern.labels.length === 0 || entry.capabilities.some(capability => matches(pattern, capability)))
  const stop = index.onChange((agentId, change) => {
    if (!told.has(agentId) && !mayBeMeant(index.get(agentId))) changed.delete(agentId)
    else {
      changed.set(agentId, change)
      wake()
    }
  })
  for (const { agentId } of index.match(pattern)) changed.set(agentId, 'news')
  signal?.addEventListener('abort', end, { once: true })
  if (signal?.aborted === true) end()

  function end (): void {
    if (ended) return
    ended = true
    stop()
    signal?.removeEventListener('abort', end)
    changed.clear()
    told.clear()
    wake()
    onEnd()
  }

  async function changeOf (agentId: string, change: Change): Promise<AgentChange | undefined> {
    const before = told.get(agentId)
    const entry = index.get(agentId)
    const capabilities = entry === undefined ? [] : await choose(entry)
    if (entry === undefined || !isMeant(pattern, filter, capabilities, entry)) {
      if (before === undefined) return undefined
      told.delete(agentId)
      return { change: 'left', why: change === 'news' ? 'withdrawn' : change, agent: before }
    }
    const agent = toFound(entry, capabilities, clock.now())
    told.set(agentId, agent)
    if (before === undefined) return { change: 'found', agent }
    return sameTo(before) === sameTo(agent) ? undefined : { change: 'changed', agent }
  }

  return {
    async next () {
      for (;;) {
        if (ended) return { done: true, value: undefined }
        const [first] = changed
        if (first === undefined) {
          await new Promise<void>(resolve => { wake = resolve })
          continue
        }
        changed.delete(first[0])
        const value = await changeOf(...first)
        if (value !== undefined) return { done: false, value }
      }
    },
    async return () {
      end()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator] () { return this }
  }
}

/** What a reader calls a change: not that it was heard again. */
const sameTo = ({ sequence: _sequence, ageMs: _ageMs, ttlMs: _ttlMs, source: _source, ...facts }: FoundAgent): string => JSON.stringify(facts)
