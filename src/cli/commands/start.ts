import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { settingsOf, type CapabilitySettings, type StartOptions } from '../config.ts'
import type { Console } from '../console.ts'
import { whenHomeIsFree } from '../session.ts'
import { leftOr, onStop } from '../signals.ts'
import { connectControl } from '../../control/client.ts'
import { homeOf, readNodeRecord } from '../../control/home.ts'
import { parseCapability } from '../../core/capability.ts'
import { A2aError } from '../../core/errors.ts'
import type { Agent } from '../../core/agent.ts'

/** Meeting those who are around may hold up `ready` for so long, in ms. It goes on afterwards. */
const MEET_MS = 300
/** Ending well may take this long, in ms. */
const SHUTDOWN_MS = 3_000

/** `a2a-node start`: a node with one agent, served to the client commands of its home, until SIGINT or SIGTERM. */
export async function start (console: Console, options: StartOptions): Promise<number> {
  const settings = settingsOf(options)
  const home = homeOf(console.home)
  using stop = onStop()
  favourMemory(true)
  const [{ createNode, nodeApi }, { serveControl }] = await Promise.all([import('../../index.ts'), import('../../control/server.ts')])
  const logger = console.logger('info')
  const { name, region, listen, bootstrap, mdns, keepTasksMs } = settings
  const node = await whenHomeIsFree(console, async () => {
    await refuseSecond(home)
    return await createNode({ home, name, region, listen, bootstrap, mdns, keepTasksMs, logger })
  }, stop.signal).catch(leftOr(stop))
  if (node === undefined) return 0
  let control: AsyncDisposable | undefined
  try {
    const agent = node.agents[0] as Agent
    for (const capability of settings.capabilities ?? []) await provide(agent, capability)
    checkOffered(node.status().agents[0]?.capabilities ?? [], options)
    // Ready is who has met those around: a task asked for next reaches it.
    await node.joined(MEET_MS)
    control = await serveControl(nodeApi(node), { home, logger })
    const [own] = node.status().agents
    console.emit({ event: 'ready', agentId: agent.id, peerId: node.peerId, addresses: node.addresses(), pid: process.pid })
    console.print(readyBlock(console, agent, own?.capabilities ?? [], node.addresses(), sampleInput(settings.capabilities)))
    // Else it is written at the end, which a process that is killed does not come to.
    flushCompileCache()
    favourMemory(false)
    await aborted(stop.signal)
    logger.info('shutting down')
  } finally {
    const ended = Promise.resolve(control?.[Symbol.asyncDispose]()).then(() => node[Symbol.asyncDispose]())
    await Promise.race([ended, new Promise(resolve => { setTimeout(resolve, SHUTDOWN_MS).unref() })])
  }
  return 0
}

/** @throws A2aError HOME_IN_USE when a node runs with this home */
async function refuseSecond (home: string): Promise<void> {
  const other = await connectControl(home)
  if (other === undefined) return
  other.close()
  throw new A2aError({ code: 'HOME_IN_USE', home, pid: readNodeRecord(home)?.pid })
}

/**
 * Loading the libraries lets V8's young generation grow to 32 MiB, which a node at rest does not give back. While they
 * load, V8 is to favour memory: the node takes a seventh less. Under load it may grow as ever.
 */
function favourMemory (yes: boolean): void {
  setFlagsFromString(yes ? '--optimize-for-size' : '--no-optimize-for-size')
}

async function provide (agent: Agent, { name, exec, module, bid, ...provision }: CapabilitySettings): Promise<void> {
  const { execHandler, loadModule } = await import('../../index.ts')
  if (module !== undefined) await (await loadModule(module))(agent)
  else if (name !== undefined && exec !== undefined) await agent.provide(name, { ...provision, bid: bid && (() => bid), run: execHandler(exec), dependsOn: [exec] })
}

/** A module provides by itself: what was promised beside it must be there. */
function checkOffered (offered: string[], { capability = [], module }: StartOptions): void {
  const missing = capability.find(wanted => !offered.includes(parseCapability(wanted).name))
  if (missing !== undefined) throw new A2aError({ code: 'BAD_USAGE', why: `${module} does not provide ${missing}`, hint: `it provides ${offered.join(', ') || 'nothing'}` })
}

/** What to try it with: a text, unless it is known to want something else. */
const sampleInput = ([first]: CapabilitySettings[] = []): string => first?.exec !== undefined && first.input === undefined ? `'"hello"'` : 'JSON'

function readyBlock (console: Console, agent: Agent, capabilities: string[], addresses: string[], input: string): string {
  const [first] = capabilities
  const home = console.home === undefined ? '' : ` --home ${console.home}`
  return [
    `${console.style('green', '●')} ${console.style('bold', agent.name)} is ready`,
    `  agent    ${agent.id}`,
    `  offers   ${capabilities.join(', ') || 'nothing: it can ask others'}`,
    ...addresses.slice(0, 4).map((address, i) => `  ${i === 0 ? 'address' : '       '}  ${address}`),
    '',
    'Try in another terminal:',
    `  a2a-node agents${home}`,
    ...(first === undefined ? [] : [`  a2a-node run ${first} --input ${input}${home}`]),
    ''
  ].join('\n')
}

const aborted = (signal: AbortSignal): Promise<void> => new Promise(resolve => {
  if (signal.aborted) resolve()
  else signal.addEventListener('abort', () => resolve(), { once: true })
})
