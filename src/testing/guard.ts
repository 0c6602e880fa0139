/**
 * What would make a run another each time: real time and real chance, in the code of agents under test. It is refused where
 * it is used, with the name of the agent and of what to take instead.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { A2aError } from '../core/errors.ts'

interface Guarded { agent: string, used: Set<string> }

const inside = new AsyncLocalStorage<Guarded>()
let runs = 0
let restore = (): void => {}

/** What of an agent's surroundings takes the place of what is real. */
const INSTEAD: Record<string, string> = {
  'setTimeout': 'sleep', 'setInterval': 'sleep', 'setImmediate': 'sleep', 'fetch': 'an answer of the test itself',
  'Math.random': 'random', 'Date.now': 'now', 'new Date': 'now', 'performance.now': 'now'
}

export interface Guard {
  /** Runs code of an agent: whatever it awaits and calls is watched too. */
  within: <T>(agent: string, run: () => T) => T
  /** What was used, by whom: `analyst used Date.now`. */
  used: () => string[]
}

/** Watches agents for as long as `simulation` runs. */
export async function withGuard<T> (simulation: (guard: Guard) => Promise<T>): Promise<T> {
  const used = new Set<string>()
  if (runs++ === 0) restore = replaceGlobals()
  try {
    return await simulation({ within: (agent, run) => inside.run({ agent, used }, run), used: () => [...used] })
  } finally {
    if (--runs === 0) restore()
  }
}

function refuse (what: string): void {
  const watched = inside.getStore()
  if (watched === undefined) return
  watched.used.add(`${watched.agent} used ${what}`)
  throw new A2aError({ code: 'BAD_USAGE', why: `${watched.agent} used ${what} in the simulator, where each run must be the same`, hint: `take ${INSTEAD[what]}` })
}

function replaceGlobals (): () => void {
  const { setTimeout, setInterval, setImmediate, fetch, Date, Math: { random }, performance: { now } } = globalThis
  const watch = <F extends (...given: any[]) => any>(what: string, real: F): F => Object.assign((...given: unknown[]) => {
    refuse(what)
    return real(...given) as unknown
  }, real) as unknown as F
  const WatchedDate = new Proxy(Date, {
    construct: (target, given, as) => {
      if (given.length === 0) refuse('new Date')
      return Reflect.construct(target, given, as) as Date
    },
    get: (target, key, as) => key === 'now' ? watch('Date.now', target.now) : Reflect.get(target, key, as) as unknown
  })
  Object.assign(globalThis, { setTimeout: watch('setTimeout', setTimeout), setInterval: watch('setInterval', setInterval), setImmediate: watch('setImmediate', setImmediate), fetch: watch('fetch', fetch), Date: WatchedDate })
  Math.random = watch('Math.random', random)
  globalThis.performance.now = watch('performance.now', now.bind(globalThis.performance))
  return () => {
    Object.assign(globalThis, { setTimeout, setInterval, setImmediate, fetch, Date })
    Math.random = random
    globalThis.performance.now = now
  }
}
