/** How a command gets at a node: the one that runs with its home, a short-lived one of its own, or the home alone. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectControl } from '../control/client.ts'
import { homeOf } from '../control/home.ts'
import { A2aError } from '../core/errors.ts'
import type { Console } from './console.ts'
import type { NodeApi } from '../control/api.ts'

/** What the node to start is told about the network. */
export interface NetworkOptions {
  listen?: string[]
  bootstrap?: string[]
  mdns?: boolean
}

/** How long a command may wait for another one that uses its home, and how often it looks, in ms. */
const HOME_FREE_MS = 10_000
const HOME_LOOK_MS = 200

export interface Session extends AsyncDisposable {
  readonly api: NodeApi
  /** The node lives only as long as this command. */
  readonly shortLived: boolean
}

/**
 * The running node of this home.
 * @throws A2aError NODE_NOT_RUNNING
 */
export async function runningNode (console: Console): Promise<Session> {
  const session = await running(console)
  if (session === undefined) throw new A2aError({ code: 'NODE_NOT_RUNNING', home: homeOf(console.home) })
  return session
}

/**
 * The running node of this home, or a short-lived one that has joined the mesh.
 * @throws A2aError HOME_IN_USE, also when `signal` aborts while it waits for the home
 */
export async function anyNode (console: Console, network: NetworkOptions, signal?: AbortSignal): Promise<Session> {
  return await whenHomeIsFree(console, async () => {
    const session = await running(console)
    if (session !== undefined) return session
    const { createNode, nodeApi } = await import('../index.ts')
    const { listen, bootstrap, mdns } = network
    const node = await createNode({ home: homeOf(console.home), listen, bootstrap, mdns, logger: console.logger() })
    await node.joined()
    return { api: nodeApi(node), shortLived: true, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
  }, signal)
}

/**
 * The running node of this home, or what its files say.
 * @throws A2aError NODE_NOT_RUNNING when there is no home yet
 */
export async function nodeOrHome (console: Console): Promise<Session> {
  return await whenHomeIsFree(console, async () => {
    const session = await running(console)
    if (session !== undefined) return session
    const home = homeOf(console.home)
    // nothing has been here yet: the way on is to start a node
    if (!existsSync(join(home, 'log.db'))) throw new A2aError({ code: 'NODE_NOT_RUNNING', home })
    const { openHome } = await import('../index.ts')
    const api = await openHome(home)
    return { api, shortLived: true, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() }
  })
}

/**
 * Tries again for a while when the home is in use. A node that runs is known by its record; whoever holds a home without
 * one is a command, which ends, or a node that has just been started, which is then found.
 */
export async function whenHomeIsFree<T> (console: Console, attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const until = performance.now() + HOME_FREE_MS
  let told = false
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      const waits = error instanceof A2aError && error.failure.code === 'HOME_IN_USE' && error.failure.pid === undefined
      if (!waits || performance.now() > until || signal?.aborted === true) throw error
    }
    if (!told) console.note(`another command uses the home ${homeOf(console.home)}: waiting for it`)
    told = true
    await sleep(HOME_LOOK_MS, undefined, { signal }).catch(() => undefined)
  }
}

async function running (console: Console): Promise<Session | undefined> {
  const client = await connectControl(homeOf(console.home))
  if (client === undefined) return undefined
  return { api: client, shortLived: false, [Symbol.asyncDispose]: async () => client.close() }
}
