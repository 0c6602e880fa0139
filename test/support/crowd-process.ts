/** A process that holds some nodes, each with its own home and key. Forked by crowd.ts, and ends with it. */
import { createNode, type Node } from '../../src/index.ts'
import type { FromCrowd, PlannedNode, Sight, ToCrowd } from './crowd.ts'

/** Nodes of this process that start at once: more only starve each other's handshakes. */
const STARTING = 2
/** How long each node waits before it looks again, in ms. */
const AGAIN_MS = 200

const nodes = new Map<string, Node>()
const print = (level: string) => (what: string, facts?: unknown): void => { if (process.env.SHOW_LOG !== undefined) console.error(Date.now(), process.pid, level, what, JSON.stringify(facts) ?? '') }
const logger = { debug: print('debug'), info: print('info'), warn: print('warn'), error: print('error') }

/** So many at once. */
async function each<T> (items: T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item)
  }))
}

async function start (planned: PlannedNode[]): Promise<FromCrowd['started']> {
  const started: FromCrowd['started'] = []
  await each(planned, STARTING, async ({ name, capability, first, ...options }) => {
    const node = await createNode({ ...options, name, mdns: false, logger })
    nodes.set(name, node)
    const begun = performance.now()
    const found = first === undefined ? [] : await node.find(first)
    const firstMs = performance.now() - begun
    await node.agents[0]?.provide(capability, { run: input => input })
    started.push({ name, addresses: node.addresses(), firstMs, first: found.map(({ name = '', source }) => ({ name, source })) })
  })
  return started
}

/** Each node looks until it finds just those that are wanted. */
async function look ({ wanted, timeoutMs, on = [...nodes.keys()] }: ToCrowd & { type: 'look' }): Promise<Sight[]> {
  const begun = performance.now()
  return await Promise.all(on.flatMap(name => nodes.get(name) ?? []).map(async node => {
    for (let seenMs: number | undefined; ;) {
      const missing: string[] = []
      const tooMany: string[] = []
      await Promise.all(Object.entries(wanted).map(async ([pattern, names]) => {
        const found = new Set((await node.find(pattern, { limit: 1_000 })).map(({ name = '' }) => name))
        missing.push(...names.filter(name => !found.has(name)))
        tooMany.push(...[...found].filter(name => !names.includes(name)))
      }))
      const ms = performance.now() - begun
      if (missing.length === 0) seenMs ??= ms
      if (missing.length + tooMany.length === 0) return { node: node.agents[0]?.name ?? '', seenMs, justMs: ms, missing, tooMany }
      if (ms > timeoutMs) return { node: node.agents[0]?.name ?? '', seenMs, missing, tooMany }
      await new Promise(resolve => { setTimeout(resolve, AGAIN_MS) })
    }
  }))
}

async function obey (message: ToCrowd): Promise<Partial<FromCrowd>> {
  if (message.type === 'start') return { started: await start(message.nodes) }
  if (message.type === 'look') return { sights: await look(message) }
  if (message.type === 'stop') {
    await nodes.get(message.name)?.[Symbol.asyncDispose]()
    nodes.delete(message.name)
    return {}
  }
  return { peers: [...nodes].map(([name, node]) => ({ name, peers: node.peers().length, known: node.status().agentsKnown })) }
}

process.on('disconnect', () => process.exit(1))
process.on('message', (message: ToCrowd & { id: number }) => {
  obey(message).then(
    answer => process.send?.({ id: message.id, ...answer }),
    (error: unknown) => process.send?.({ id: message.id, failed: error instanceof Error ? error.stack : String(error) })
  )
})
