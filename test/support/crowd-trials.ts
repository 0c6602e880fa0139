/** What discovery promises of many nodes in several processes: all killed and started again, and a network that falls apart and comes together. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCrowd, olderWorker, type Crowd, type PlannedNode, type Sight } from './crowd.ts'
import { folder } from '../net/support.ts'
import type { Link } from './namespace.ts'

/** Nodes of a process. */
const OF_PROCESS = 10
const DOMAINS = 4
/** Until everything is found at the beginning, and kept; no trial has begun then. In ms. */
const BEGIN_MS = 60_000

const groups = <T>(items: T[], size: number): T[][] => Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
const wait = (ms: number): Promise<void> => new Promise(resolve => { setTimeout(resolve, ms) })

/** When each saw all. @throws Error when not all did */
function allSaw (sights: Sight[], what: string): number[] {
  const blind = sights.filter(({ seenMs }) => seenMs === undefined)
  if (blind.length > 0) throw new Error(`${blind.length} of ${sights.length} did not ${what}: ${blind.slice(0, 5).map(({ node, missing }) => `${node} missed ${missing.join()}`).join('; ').slice(0, 500)}`)
  return sights.flatMap(({ seenMs = NaN }) => seenMs)
}

const together = async (crowds: Crowd[], look: (crowd: Crowd) => Promise<Sight[]>): Promise<Sight[]> => (await Promise.all(crowds.map(look))).flat()

/** Whom to find by each capability. */
function wantedOf (nodes: PlannedNode[], patternOf: (node: PlannedNode) => string): Record<string, string[]> {
  const wanted: Record<string, string[]> = {}
  for (const node of nodes) (wanted[patternOf(node)] ??= []).push(node.name)
  return wanted
}

/**
 * All are killed at once and started again: what the first find of each took, whether it came from what was kept, and when each had found everything again.
 * @param withPrevious the first node is of the version before, in a process of its own; what it keeps and finds is its own affair
 */
export async function crowdRestart (count: number, limitMs: number, withPrevious = false): Promise<{ firstMs: number[], againMs: number[], readyMs: number }> {
  const rendezvous = folder()
  const home = folder()
  const planned = Array.from({ length: count }, (_, i): PlannedNode => {
    const capability = Math.floor(i / 3)
    return { name: `node${i}`, home: join(home, String(i)), rendezvous, listen: ['/ip4/127.0.0.1/tcp/0'], capability: `d${capability % DOMAINS}.work.c${capability}` }
  })
  const wanted = wantedOf(planned, ({ capability }) => capability)
  const older = withPrevious ? olderWorker(folder()) : undefined
  const olderOnes = withPrevious ? 1 : 0
  const present = <T>(ofNodes: T[]): T[] => ofNodes.slice(olderOnes)
  const shared = <T>(ofNodes: T[]): T[][] => [...groups(ofNodes.slice(0, olderOnes), 1), ...groups(present(ofNodes), OF_PROCESS)]
  const begin = (): Crowd[] => shared(planned).map((_, i) => createCrowd([], i === 0 ? older : undefined))
  const before = begin()
  try {
    await Promise.all(shared(planned).map((nodes, i) => before[i]?.start(nodes)))
    allSaw(await together(present(before), crowd => crowd.look(wanted, BEGIN_MS)), 'find everything at the beginning')
    const kept = ({ home, capability }: PlannedNode): boolean => {
      const file = join(home, 'agents.jsonl')
      const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
      return Object.entries(wanted).every(([name, { length }]) => text.split(`"${name}@1"`).length - 1 >= length - Number(name === capability))
    }
    for (const begun = performance.now(); !present(planned).every(kept);) {
      if (performance.now() - begun > BEGIN_MS) throw new Error('not all have kept everything')
      await wait(100)
    }
  } finally {
    await Promise.all(before.map(crowd => crowd.kill()))
  }
  const after = begin()
  try {
    const begun = performance.now()
    const names = Object.keys(wanted)
    const again = planned.map((node, i) => ({ ...node, first: names[(Math.floor(i / 3) + 1 + i % 7) % names.length] as string }))
    const results = await Promise.all(shared(again).map(async (nodes, i) => {
      const crowd = after[i] as Crowd
      const started = await crowd.start(nodes)
      const readyMs = performance.now() - begun
      const sights = await crowd.look(wanted, Math.max(0, limitMs - readyMs))
      return { started, readyMs, sights, againMs: sights.map(({ seenMs = NaN }) => readyMs + seenMs) }
    }))
    const judged = present(results)
    const started = judged.flatMap(result => result.started)
    for (const { name, first } of started) {
      const looked = again.find(node => node.name === name)?.first ?? ''
      const { length = 0 } = wanted[looked] ?? []
      if (first.length !== length) throw new Error(`the first find of ${name} after the restart named ${first.length} of ${length}`)
    }
    allSaw(judged.flatMap(({ sights }) => sights), `find everything again within ${limitMs} ms`)
    return { firstMs: started.map(({ firstMs }) => firstMs), againMs: judged.flatMap(({ againMs }) => againMs), readyMs: Math.max(...results.map(({ readyMs }) => readyMs)) }
  } finally {
    await Promise.all(after.map(crowd => crowd.kill()))
  }
}

export interface Partition {
  /** Nodes in each half, and of a process. */
  half: number
  ofProcess: number
  splitMs: number
  /** After the heal, within this. */
  limitMs: number
  /** One process of each half is of the version before. */
  withPrevious?: boolean
}

/**
 * Two halves, each with a folder of its own, the second with two of the first as bootstrap. The link between them is cut for a while; meanwhile on each side
 * one joins and one leaves. Resolves to when each node saw all who are there, and when it saw nobody else, from the heal on, in ms.
 */
export async function partition (link: Link, { half, ofProcess, splitMs, limitMs, withPrevious = false }: Partition): Promise<{ beginMs: number, againMs: number[], justMs: number[] }> {
  const home = folder()
  const folders = [folder(), folder()]
  const plan = (side: number, i: number, bootstrap: string[] = []): PlannedNode => ({
    name: `side${side}-${i}`, home: join(home, `${side}-${i}`), rendezvous: folders[side] as string, listen: [`/ip4/${link.ends[side]?.address}/tcp/0`], bootstrap, capability: `d${i % DOMAINS}.work.n${side * 1_000 + i}`
  })
  const patternOf = ({ capability }: PlannedNode): string => `${capability.split('.')[0]}.*`
  const older = withPrevious ? olderWorker(folder()) : undefined
  const sides = [0, 1].map(side => Array.from({ length: Math.ceil(half / ofProcess) }, (_, i) => createCrowd(link.ends[side]?.within, i === 1 ? older : undefined)))
  const all = sides.flat()
  const places = Array.from({ length: half }, (_, i) => i)
  const startAll = async (side: number, nodes: PlannedNode[]): Promise<string[]> => (await Promise.all(groups(nodes, ofProcess).map(async (group, p) => await sides[side]?.[p]?.start(group) ?? []))).flat()
    .toSorted((a, b) => nodes.findIndex(({ name }) => name === a.name) - nodes.findIndex(({ name }) => name === b.name)).flatMap(({ addresses }) => addresses.slice(0, 1))
  try {
    const first = places.map(i => plan(0, i))
    const bootstrap = (await startAll(0, first)).slice(0, 2)
    const second = places.map(i => plan(1, i, bootstrap))
    await startAll(1, second)
    const beginMs = Math.max(...allSaw(await together(all, crowd => crowd.look(wantedOf([...first, ...second], patternOf), BEGIN_MS)), 'see all at the beginning'))
    link.cut()
    const end = performance.now() + splitMs
    const joiners = await Promise.all([0, 1].map(async side => {
      const joiner = plan(side, half, side === 0 ? [] : bootstrap)
      await Promise.all([sides[side]?.[0]?.start([joiner]), sides[side]?.at(-1)?.stop(`side${side}-${half - 1}`)])
      return joiner
    }))
    const there = [...first.slice(0, -1), ...second.slice(0, -1), ...joiners]
    await Promise.all([0, 1].map(async side => {
      const own = wantedOf(there.filter(({ rendezvous }) => rendezvous === folders[side]), patternOf)
      allSaw(await together(sides[side] ?? [], crowd => crowd.look(own, Math.max(1_000, end - performance.now() - 1_000))), 'find its own half while the link was cut')
    }))
    await wait(end - performance.now())
    link.heal()
    const sights = await together(all, crowd => crowd.look(wantedOf(there, patternOf), limitMs))
    return { beginMs, againMs: allSaw(sights, `see all again within ${limitMs} ms`), justMs: sights.flatMap(({ justMs }) => justMs ?? []) }
  } finally {
    await Promise.all(all.map(crowd => crowd.kill()))
  }
}
