/** A subject at work: its two processes, its broker, and what they use while they are measured. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Measured as Loaded, Load, Spread } from './load.ts'
import type { Usage } from './messages.ts'
import { startProcess, type Measured } from './process.ts'
import type { Subject } from './subject.ts'
import type { Tls } from './tls.ts'
import { cpuOf, sentBy, watchRss } from './traffic.ts'

export interface Pair extends AsyncDisposable {
  readonly subject: Subject
  /** Pids of all that belongs to it. */
  readonly pids: number[]
  ask: (load: Load, bytes: number) => Promise<Loaded & Cost>
  tell: (count: number, bytes: number) => Promise<Told & Cost>
  /** Makes bulk ready; false when there is none. */
  prepare: (bytes: number) => Promise<boolean>
  /** Has the caller get bulk, and watches its memory. */
  fetch: (bytes: number, stream: boolean) => Promise<Fetched & Cost>
  /** From no connection to the first answer, one stranger after the other. */
  reach: (count: number) => Promise<Spread>
}

/** Of all processes of the subject together, its broker too, for each message (a request and its reply are one). */
export interface Cost {
  cpuUs?: number
  /** TCP payload on every link it goes over. */
  wireBytes?: number
}

export interface Told {
  perSecond: number
  count: number
}

export interface Fetched {
  mbPerSecond: number
  /** The most that the receiving process was resident. */
  peakBytes?: number
}

const KNOWN_TO_LAST_MS = 300_000

export async function startPair (subject: Subject, folder: string, tls: Tls, signal: AbortSignal): Promise<Pair> {
  await using stack = new AsyncDisposableStack()
  const own = join(folder, subject.id)
  mkdirSync(own, { recursive: true, mode: 0o700 })
  const broker = await subject.broker?.start({ folder: own, tls })
  if (broker !== undefined) stack.use(broker)
  const args = { subject: subject.id, folder: own, tls, broker: broker?.address }
  const server = stack.use(await startProcess('echo-server', args, { signal }))
  const caller = stack.use(await startProcess('echo-caller', { ...args, address: await server.call('address') }, { signal }))
  const pids = [server.pid, caller.pid, ...(broker === undefined ? [] : [broker.pid])]
  const kept = stack.move()

  const cost = <T>(work: () => Promise<T>, countOf: (result: T) => number): Promise<T & Cost> => costOf([server, caller], work, countOf, broker?.pid)

  return {
    subject,
    pids,
    // Warmed up outside of what is counted.
    ask: async ({ warmUpMs, ...load }, bytes) => {
      await caller.call('ask', { ...load, ms: warmUpMs, count: undefined, bytes, warmUpMs: 0 })
      return await cost(() => caller.call<Loaded>('ask', { ...load, bytes, warmUpMs: 0 }, KNOWN_TO_LAST_MS), ({ count }) => count)
    },
    tell: async (count, bytes) => await cost(async () => {
      await server.call('expect', count)
      const complete = server.call<string>('complete', undefined, KNOWN_TO_LAST_MS)
      complete.catch(() => undefined)
      const begun = BigInt(await caller.call<string>('tell', { count, bytes }, KNOWN_TO_LAST_MS))
      const elapsedMs = Number(BigInt(await complete) - begun) / 1e6
      return { count, perSecond: count / elapsedMs * 1_000 }
    }, () => count),
    prepare: async bytes => await caller.call('prepare', bytes, KNOWN_TO_LAST_MS),
    fetch: async (bytes, stream) => await cost(async () => {
      using watched = watchRss([caller.pid])
      const ms = await caller.call<number>('fetch', { bytes, stream }, KNOWN_TO_LAST_MS)
      const [peakBytes] = watched.peaks()
      return { mbPerSecond: bytes / 1_000 / ms, peakBytes }
    }, () => bytes / 1e6),
    reach: async count => await caller.call('reach', count),
    [Symbol.asyncDispose]: () => kept.disposeAsync()
  }
}

/** Does the work, and says what it cost for each of what it counted. */
export async function costOf<T> (processes: readonly Measured[], work: () => Promise<T>, countOf: (result: T) => number, broker?: number): Promise<T & Cost> {
  const before = await used(processes, broker)
  const result = await work()
  const after = await used(processes, broker)
  const count = countOf(result)
  return {
    ...result,
    cpuUs: (after.cpuUs - before.cpuUs) / count,
    wireBytes: after.wireBytes === undefined || before.wireBytes === undefined ? undefined : (after.wireBytes - before.wireBytes) / count
  }
}

async function used (processes: readonly Measured[], broker?: number): Promise<{ cpuUs: number, wireBytes?: number }> {
  const wireBytes = await sentBy([...processes.map(({ pid }) => pid), ...broker === undefined ? [] : [broker]])
  const usages = await Promise.all(processes.map(each => each.call<Usage>('usage')))
  return { cpuUs: usages.reduce((sum, { cpuUs }) => sum + cpuUs, broker === undefined ? 0 : cpuOf(broker) ?? 0), wireBytes }
}
