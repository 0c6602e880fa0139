/** What discovery promises, each as one trial with real nodes: figures in ms, or an error that says what was not kept. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mesh, RunOptions, StartedNode } from './processes.ts'
import { someone } from '../discover/support.ts'
import { clock, folder, keepingLogger } from '../net/support.ts'
import { connectControl } from '../../src/control/client.ts'
import { parseAdvert } from '../../src/discover/advert.ts'
import { createIndex } from '../../src/discover/agent-index.ts'
import { createKeeper } from '../../src/discover/kept.ts'
import { createNode, type HostedNode } from '../../src/index.ts'

const UPPER = ['--capability', 'text.case.upper', '--exec', 'tr a-z A-Z']
const LOWER = ['--capability', 'text.case.lower', '--exec', 'tr A-Z a-z']
/** As `start` waits for those around before it is ready. */
const MEET_MS = 300

const start = (name: string, rendezvous: string, home = folder()): Promise<HostedNode> => createNode({ name, home, rendezvous, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })

/** Two nodes in this process, and the first find of the one after it is ready. */
export async function firstFind (): Promise<number> {
  const rendezvous = folder()
  const nodes = [await start('worker', rendezvous)]
  try {
    await nodes[0]?.agents[0]?.provide('text.case.upper', { run: () => 1 })
    const asker = await start('asker', rendezvous)
    nodes.push(asker)
    await asker.joined(MEET_MS)
    const begun = performance.now()
    const found = await asker.find('text.case.upper', { timeoutMs: 2_000 })
    const ms = performance.now() - begun
    if (found.length !== 1) throw new Error(`the first find found ${found.length}`)
    return ms
  } finally {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
  }
}

async function ask <T> (node: StartedNode, question: (api: NonNullable<Awaited<ReturnType<typeof connectControl>>>) => Promise<T>): Promise<T> {
  const api = await connectControl(node.home)
  if (api === undefined) throw new Error(`${node.name} does not answer`)
  try {
    return await question(api)
  } finally {
    api.close()
  }
}

/** Asks again until it is so; resolves to the ms that took. */
async function untilSo (what: () => Promise<boolean>, limitMs: number, wanted: string): Promise<number> {
  const begun = performance.now()
  for (;;) {
    if (await what()) return performance.now() - begun
    if (performance.now() - begun > limitMs) throw new Error(`not within ${limitMs} ms: ${wanted}`)
    await new Promise(resolve => { setTimeout(resolve, 20) })
  }
}

/**
 * A third process joins two by one of them, which is killed when it is 3 s old: how long until the joiner sees everything, and sees it still.
 * @param other how the other of the two is run
 */
export async function lateJoiner (mesh: Mesh, number: number, other: RunOptions = {}): Promise<{ seenMs: number, afterMs: number }> {
  const [first, second] = await Promise.all([mesh.start(`first-${number}`, UPPER), mesh.start(`second-${number}`, LOWER, other)])
  // Another user on this machine: only the bootstrap address leads to the others.
  const env = { XDG_RUNTIME_DIR: join(mesh.folder, `run-${number}`) }
  const third = await mesh.start(`third-${number}`, ['--bootstrap', first.addresses[0] ?? ''], { env })
  const namesOf = async (): Promise<string> => (await ask(third, api => api.find('text.*'))).map(({ name }) => name).sort().join()
  const seenMs = await untilSo(async () => await namesOf() === `first-${number},second-${number}`, 2_000, 'the joiner sees both')
  await new Promise(resolve => { setTimeout(resolve, 3_000 - seenMs) })
  first.signal('SIGKILL')
  const afterMs = await untilSo(async () => await namesOf() === `second-${number}`, 5_000, 'the joiner sees who is left, and not the dead one')
  await Promise.all([second.stop(), third.stop()])
  return { seenMs, afterMs }
}

/** So many processes are killed at once and started again: how long the first find of each takes, from what it kept. */
export async function wholeRestart (mesh: Mesh, number: number, count = 3): Promise<number[]> {
  const names = Array.from({ length: count }, (_, i) => `node-${number}-${i}`)
  const begin = async (): Promise<StartedNode[]> => await Promise.all(names.map((name, i) => mesh.start(name, ['--capability', `text.n${i}`, '--exec', 'cat'])))
  const before = await begin()
  const all = async (nodes: StartedNode[]): Promise<boolean> => (await Promise.all(nodes.map(node => ask(node, api => api.find('text.*'))))).every(found => found.length === count)
  await untilSo(() => all(before), 5_000, 'everybody sees everybody')
  const kept = (name: string): boolean => {
    const file = join(mesh.home(name), 'agents.jsonl')
    return existsSync(file) && names.every((_, i) => mesh.home(name).endsWith(`-${i}`) || readFileSync(file, 'utf8').includes(`"text.n${i}@1"`))
  }
  await untilSo(async () => names.every(kept), 10_000, 'everybody has kept everybody')
  for (const node of before) node.signal('SIGKILL')
  await Promise.all(before.map(node => node.process.finished))
  const after = await begin()
  const times = await Promise.all(after.map(async (node, i) => await ask(node, async api => {
    const begun = performance.now()
    const found = await api.find(`text.n${(i + 1) % count}`)
    if (found.length !== 1) throw new Error(`${node.name} found ${found.length} after the restart`)
    return performance.now() - begun
  })))
  await Promise.all(after.map(node => node.stop()))
  return times
}

/** Nodes in this process with some agents each, in as many domains: how long after all have started each of them finds everybody. */
export async function everybodySees (count: number, agentsEach: number): Promise<number> {
  const rendezvous = folder()
  const nodes = await Promise.all(Array.from({ length: count }, (_, i) => start(`node${i}`, rendezvous)))
  try {
    await Promise.all(nodes.map(async (node, i) => {
      for (let j = 0; j < agentsEach; j++) {
        const agent = j === 0 ? node.agents[0] : await node.createAgent({ name: `agent${j}` })
        await agent?.provide(`domain${j}.work.n${i}`, { run: () => 1 })
      }
    }))
    const sees = async (node: HostedNode): Promise<boolean> => {
      for (let j = 0; j < agentsEach; j++) if ((await node.find(`domain${j}.*`, { limit: 1_000 })).length !== count) return false
      return true
    }
    return await untilSo(async () => (await Promise.all(nodes.map(sees))).every(Boolean), 40_000, 'everybody finds everybody')
  } finally {
    await Promise.all(nodes.map(node => node[Symbol.asyncDispose]()))
  }
}

/** A home that knows so many agents in so many domains from before: made by hand, truly signed. */
export async function crowdedHome (agents: number, domains: number): Promise<string> {
  const home = folder()
  const index = createIndex(clock)
  const keeper = createKeeper({ file: join(home, 'agents.jsonl'), index, clock, logger: keepingLogger() })
  keeper.begin()
  const signers: Array<() => void> = []
  for (let i = 0; i < agents; i++) {
    const peerId = `QmCrowd${'1'.repeat(8)}${String(i).replaceAll('0', 'z')}`
    const advert = someone({ after: run => { signers.push(run as () => void) } }, peerId, `domain${i % domains}.work.kind${i % 7}`).says()
    index.put(parseAdvert(advert, peerId), 'peer', 'somebody')
  }
  await keeper.close()
  for (const close of signers) close()
  return home
}

/** A node whose index has a crowd: when the first find was answered after its start, when all was checked, and how long searches take. */
export async function warmFinds (home: string, agents: number, finds: number): Promise<{ firstMs: number, allMs: number, byName: number[], byPrefix: number[] }> {
  const node = await start('asker', folder(), home)
  try {
    const begun = performance.now()
    const first = await node.find('domain3.work.*')
    const firstMs = performance.now() - begun
    if (first.length === 0) throw new Error('nothing is known from before')
    const allMs = await untilSo(async () => node.status().agentsKnown === agents + 1, 20_000, 'all are checked')
    const time = async (pattern: string): Promise<number> => {
      const at = performance.now()
      const found = await node.find(pattern)
      const ms = performance.now() - at
      if (found.length === 0) throw new Error(`${pattern} was not found`)
      return ms
    }
    const byName: number[] = []
    const byPrefix: number[] = []
    for (let i = 0; i < finds; i++) {
      byName.push(await time('domain3.work.kind3'))
      byPrefix.push(await time('domain3.*'))
    }
    return { firstMs, allMs: firstMs + allMs, byName, byPrefix }
  } finally {
    await node[Symbol.asyncDispose]()
  }
}
