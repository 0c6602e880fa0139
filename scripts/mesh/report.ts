/** What a run says: figures for a table and for JSON. Times in ms, sizes in bytes. */
import type { Counts, Found } from './messages.ts'
import type { RunOptions, Worker } from './run.ts'

export interface Report {
  nodes: number
  processes: number
  agents: number
  ready: { all: boolean, ms: number }
  join: { cpuMsPerNode: number, connectionsPerNode: number, bytesPerNode: number }
  /** While nothing was asked; per node and minute where it says so. */
  rest: { cores: number, rssBytes: number, cpuMsPerMinute: number, bytesPerMinute: number, writesPerMinute: number, connections: number, peers: { mean: number, min: number, max: number }, dhtPeers: number, known: number }
  finds: Finds
  cold: Finds
  warmP50: number
  warmP99: number
  /** Where some nodes are of the version before: what these find, and whether the others find their agents. */
  older?: { finds: Finds, recallOfThem: number }
  busyCores: number
  /** Of the process where it was longest. */
  lagP99: number
  refused: Record<string, number>
}

export interface Finds {
  count: number
  nobody: number
  unanswered: number
  findP50: number
  findP99: number
  handshakeP50: number
  handshakeP99: number
  /** Of the living who offer it, those that the answer names; and a second later. */
  recall: number
  recallLater: number
  /** Lowest recall of any ten seconds. */
  recallWorst: number
  /** Of all named, those that were dead already. */
  dead: number
}

/** A find, and whether a node of the version before made it. */
export type Judgeable = Found & { byOlder: boolean }

interface Outcome {
  options: RunOptions
  isReady: boolean
  readyMs: number
  workers: Worker[]
  starting: Counts[]
  rest: Counts[]
  busy: Counts[]
  found: Judgeable[]
}

/** A node is looked for from so long after it said that it is there; and is dead from so long after it was killed. In ms. */
const GRACE_MS = 2_000
const SAMPLE_MS = 10_000

export function report ({ options, isReady, readyMs, workers, starting, rest, busy, found }: Outcome): Report {
  const sum = (counts: Counts[], of: (count: Counts) => number): number => counts.reduce((total, count) => total + of(count), 0)
  const nodes = sum(rest, count => count.nodes)
  const started = sum(starting, count => count.nodes)
  const minutes = (sum(rest, ({ elapsedMs }) => elapsedMs) / rest.length) / 60_000
  const busyMs = sum(busy, ({ elapsedMs }) => elapsedMs) / busy.length
  const warm = found.map(({ warmMs }) => warmMs)
  const refused: Record<string, number> = {}
  for (const [code, count] of busy.flatMap(counts => Object.entries(counts.refused))) refused[code] = (refused[code] ?? 0) + count
  const judge = judgeBy(workers)
  const olderOnes = workers.filter(({ isOlder }) => isOlder)
  return {
    nodes, processes: options.processes, agents: nodes * options.agentsPerNode,
    ready: { all: isReady, ms: round(readyMs) },
    join: { cpuMsPerNode: round(sum(starting, ({ cpuMs }) => cpuMs) / started), connectionsPerNode: round(sum(starting, ({ opened }) => opened) / started), bytesPerNode: round(sum(starting, ({ bytesSent }) => bytesSent) / started) },
    rest: {
      cores: round(sum(rest, ({ cpuMs, elapsedMs }) => cpuMs / elapsedMs)),
      rssBytes: sum(rest, ({ rssBytes }) => rssBytes),
      cpuMsPerMinute: round(sum(rest, ({ cpuMs }) => cpuMs) / nodes / minutes),
      bytesPerMinute: round(sum(rest, ({ bytesSent }) => bytesSent) / nodes / minutes),
      writesPerMinute: round(sum(rest, ({ writes }) => writes) / nodes / minutes),
      connections: round(sum(rest, ({ sockets }) => sockets) / nodes),
      peers: { mean: round(sum(rest, ({ peers }) => peers) / nodes), min: Math.min(...rest.map(({ peersMin }) => peersMin)), max: Math.max(...rest.map(({ peersMax }) => peersMax)) },
      dhtPeers: round(sum(rest, ({ dhtPeers }) => dhtPeers) / nodes),
      known: round(sum(rest, ({ known }) => known) / nodes)
    },
    finds: judge(found),
    cold: judge(found.filter(({ cold }) => cold)),
    warmP50: round(percentile(warm, 0.5)), warmP99: round(percentile(warm, 0.99)),
    ...(olderOnes.length === 0 ? {} : { older: { finds: judge(found.filter(({ byOlder }) => byOlder)), recallOfThem: judgeBy(olderOnes)(found.filter(({ byOlder }) => !byOlder)).recall } }),
    busyCores: round(sum(busy, ({ cpuMs }) => cpuMs) / busyMs),
    lagP99: round(Math.max(0, ...busy.map(({ lagP99Ms }) => lagP99Ms))),
    refused
  }
}

const judgeBy = (workers: Worker[]) => (found: Found[]): Finds => {
  const offers = workers.flatMap(({ agents, until }) => [...agents].map(([agentId, { capability, from }]) => ({ agentId, capability, from, until })))
  const deadSince = new Map(offers.flatMap(({ agentId, until }) => until === undefined ? [] : [[agentId, until] as const]))
  const judged = found.map(({ capability, at, agents, again }) => {
    const expected = offers.filter(offer => offer.capability === capability && offer.from + GRACE_MS < at && at < (offer.until ?? Infinity)).map(({ agentId }) => agentId)
    const hits = (named: string[]): number => expected.filter(agentId => named.includes(agentId)).length
    return { at, expected: expected.length, hits: hits(agents), later: hits(again), named: agents.length, dead: agents.filter(agentId => (deadSince.get(agentId) ?? Infinity) < at).length }
  })
  const total = (of: (one: typeof judged[number]) => number, among = judged): number => among.reduce((sum, one) => sum + of(one), 0)
  const share = (part: number, whole: number): number => whole === 0 ? 1 : round(part / whole, 4)
  const samples = Object.values(Object.groupBy(judged, ({ at }) => Math.floor(at / SAMPLE_MS))).map((among = []) => share(total(one => one.hits, among), total(one => one.expected, among)))
  const handshakes = found.flatMap(({ handshakeMs }) => handshakeMs ?? [])
  const finds = found.map(({ findMs }) => findMs)
  return {
    count: found.length,
    nobody: found.filter(({ agents }) => agents.length === 0).length,
    unanswered: found.filter(({ agents, handshakeMs }) => agents.length > 0 && handshakeMs === undefined).length,
    findP50: round(percentile(finds, 0.5)), findP99: round(percentile(finds, 0.99)),
    handshakeP50: round(percentile(handshakes, 0.5)), handshakeP99: round(percentile(handshakes, 0.99)),
    recall: share(total(one => one.hits), total(one => one.expected)),
    recallLater: share(total(one => one.later), total(one => one.expected)),
    recallWorst: Math.min(1, ...samples),
    dead: share(total(one => one.dead), Math.max(1, total(one => one.named)))
  }
}

function percentile (values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? 0
}

const round = (value: number, digits = 2): number => Math.round(value * 10 ** digits) / 10 ** digits
