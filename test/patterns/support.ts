/** Real nodes in this process, over real connections: an asker, and workers that do as they are told. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNode, type Agent, type HostedNode, type Logger } from '../../src/index.ts'

export const CAPABILITY = 'opinion.text.give'

/** What a worker does with its input, until its signal aborts. */
export type Play = (signal: AbortSignal, input: unknown) => unknown

export interface Worker {
  agent: Agent
  play: Play
  cost: number
  /** How often it was begun and aborted. */
  begun: number
  aborted: number
}

export interface Scene extends AsyncDisposable {
  asker: Agent
  node: HostedNode
  workers: Worker[]
  /** Lets every worker succeed once, so that no test meets a breaker of another one's. */
  mend: () => Promise<void>
  /** Resolves when something holds; looked at whenever a worker begins or is aborted. */
  until: (holds: () => boolean) => Promise<void>
}

export async function setScene (names: string[], logger?: Logger): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-patterns-'))
  const start = (name: string): Promise<HostedNode> =>
    createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, logger })
  const node = await start('asker')
  const host = await start('host')
  await Promise.all([node.joined(), host.joined()])
  const looks = new Set<() => void>()
  const look = (): void => { for (const each of looks) each() }
  const workers = await Promise.all(names.map(async name => {
    const agent = await host.createAgent({ name })
    const worker: Worker = { agent, play: () => name, cost: 1, begun: 0, aborted: 0 }
    await agent.provide(CAPABILITY, {
      bid: () => ({ cost: worker.cost, confidence: 0.9 }),
      run: async (input, { signal }) => {
        worker.begun++
        look()
        signal.addEventListener('abort', () => {
          worker.aborted++
          look()
        })
        return await worker.play(signal, input)
      }
    })
    return worker
  }))
  const asker = node.agents[0] as Agent
  return {
    asker, node, workers,
    mend: async () => {
      for (const worker of workers) {
        Object.assign(worker, { play: () => worker.agent.name, cost: 1 })
        while (await asker.delegate(CAPABILITY, null, { to: worker.agent.id }).result.then(() => false, () => true));
        Object.assign(worker, { begun: 0, aborted: 0 })
      }
    },
    until: holds => new Promise(resolve => {
      const check = (): void => {
        if (!holds()) return
        looks.delete(check)
        resolve()
      }
      looks.add(check)
      check()
    }),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([node[Symbol.asyncDispose](), host[Symbol.asyncDispose]()])
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** Goes on until it is aborted. */
export const forever: Play = signal => new Promise((_, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }) })
export const fail: Play = () => { throw new Error('it has no opinion') }
