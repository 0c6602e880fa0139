/** How a command gets at a node: the one that runs with its home, a short-lived one of its own, or the home alone. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
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

/** The running node of this home, or a short-lived one that has joined the mesh. */
export async function anyNode (console: Console, network: NetworkOptions): Promise<Session> {
  const session = await running(console)
  if (session !== undefined) return session
  const { createNode, nodeApi } = await import('../index.ts')
  const { listen, bootstrap, mdns } = network
  const node = await createNode({ home: homeOf(console.home), listen, bootstrap, mdns, logger: console.logger() })
  await node.joined()
  return { api: nodeApi(node), shortLived: true, [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() }
}

/**
 * The running node of this home, or what its files say.
 * @throws A2aError NODE_NOT_RUNNING when there is no home yet
 */
export async function nodeOrHome (console: Console): Promise<Session> {
  const session = await running(console)
  if (session !== undefined) return session
  const home = homeOf(console.home)
  // nothing has been here yet: the way on is to start a node
  if (!existsSync(join(home, 'log.db'))) throw new A2aError({ code: 'NODE_NOT_RUNNING', home })
  const { openHome } = await import('../index.ts')
  const api = await openHome(home)
  return { api, shortLived: true, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() }
}

async function running (console: Console): Promise<Session | undefined> {
  const client = await connectControl(homeOf(console.home))
  if (client === undefined) return undefined
  return { api: client, shortLived: false, [Symbol.asyncDispose]: async () => client.close() }
}
