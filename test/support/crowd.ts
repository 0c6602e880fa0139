/** Processes that hold several nodes each, for trials with more nodes than processes fit on a machine. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { previousWorker } from './previous.ts'

export interface PlannedNode {
  name: string
  home: string
  rendezvous: string
  listen: string[]
  bootstrap?: string[]
  capability: string
  /** What it looks for at once when it is created, before anything else. */
  first?: string
}

/** When a node saw all that were wanted, and when it saw just these; and what was wrong at the end. Times in ms. */
export interface Sight { node: string, seenMs?: number, justMs?: number, missing: string[], tooMany: string[] }

export type ToCrowd =
  | { type: 'start', nodes: PlannedNode[] }
  /** By pattern, the names of all that are to be found. `on`: by these nodes only. */
  | { type: 'look', wanted: Record<string, string[]>, timeoutMs: number, on?: string[] }
  | { type: 'stop', name: string }
  | { type: 'count' }

export interface FromCrowd {
  /** `firstMs`: what the first look took; `first`: whom it found, and how. */
  started: Array<{ name: string, addresses: string[], firstMs: number, first: Array<{ name: string, source: string }> }>
  sights: Sight[]
  peers: Array<{ name: string, peers: number, known: number }>
}

export interface Crowd extends AsyncDisposable {
  start: (nodes: PlannedNode[]) => Promise<FromCrowd['started']>
  look: (wanted: Record<string, string[]>, timeoutMs: number, on?: string[]) => Promise<Sight[]>
  stop: (name: string) => Promise<void>
  count: () => Promise<FromCrowd['peers']>
  /** SIGKILL; resolves when it is gone. */
  kill: () => Promise<void>
}

const WORKER = 'crowd-process'

/** The version before, for `createCrowd`. */
export const olderWorker = (folder: string): string => previousWorker(import.meta.dirname, folder, [WORKER])

/**
 * One process.
 * @param within command to put in front: `ip netns exec …`
 * @param worker another than the present version's
 */
export function createCrowd (within: readonly string[] = [], worker = join(import.meta.dirname, `${WORKER}.ts`)): Crowd {
  const [command = process.execPath, ...args] = [...within, process.execPath]
  const child = fork(worker, [], { execPath: command, execArgv: args, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const waiting = new Map<number, PromiseWithResolvers<Partial<FromCrowd>>>()
  let number = 0
  child.on('message', ({ id, failed, ...answer }: Partial<FromCrowd> & { id: number, failed?: string }) => {
    if (failed === undefined) waiting.get(id)?.resolve(answer)
    else waiting.get(id)?.reject(new Error(failed))
    waiting.delete(id)
  })
  const gone = once(child, 'exit').then(() => { for (const { reject } of waiting.values()) reject(new Error('the process ended')) })

  async function tell (message: ToCrowd): Promise<Partial<FromCrowd>> {
    const answer = Promise.withResolvers<Partial<FromCrowd>>()
    waiting.set(++number, answer)
    child.send({ ...message, id: number })
    return await answer.promise
  }
  async function kill (): Promise<void> {
    child.kill('SIGKILL')
    await gone
  }

  return {
    start: async nodes => (await tell({ type: 'start', nodes })).started ?? [],
    look: async (wanted, timeoutMs, on) => (await tell({ type: 'look', wanted, timeoutMs, on })).sights ?? [],
    stop: async name => { await tell({ type: 'stop', name }) },
    count: async () => (await tell({ type: 'count' })).peers ?? [],
    kill,
    [Symbol.asyncDispose]: kill
  }
}
