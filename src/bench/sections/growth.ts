/** How a mesh grows: the same load with 10, 100 and 1,000 agents. */
import { setTimeout as wait } from 'node:timers/promises'
import { runSwarm } from '../../swarm/supervisor.ts'
import { costOf } from '../pair.ts'
import { rowsOf, type Figures, type Ratio, type Table } from '../report.ts'
import { cpuOf, sentBy } from '../traffic.ts'
import type { Measured as Loaded, Load, Spread } from '../load.ts'
import type { Bench, Section } from '../section.ts'
import type { SwarmNode } from '../../swarm/messages.ts'

const SIZES = [{ agents: 10, processes: 2 }, { agents: 100, processes: 4 }, { agents: 1_000, processes: 8 }]
const TASKS_PER_SECOND = 10
/** A mesh has come to rest when all of it uses less than this share of one core, or after so long. */
const AT_REST = 0.25
const REST_MS = 20_000
const LOOK_MS = 1_000

export const growth: Section = {
  id: 'growth',
  title: 'Growth',
  run: async bench => {
    const { quick, attempt, progress, signal } = bench
    const measured: Array<{ name: string, figures: Figures }> = []
    for (const size of quick ? SIZES.slice(0, 1) : SIZES) {
      if (signal.aborted) break
      await attempt('a2a-node', async () => {
        progress(`a mesh of ${size.agents} agents`)
        const figures = await grown(bench, size)
        if (!signal.aborted) measured.push({ name: `${size.agents.toLocaleString('en-US')} agents`, figures })
      })
    }
    const rows = rowsOf(measured)
    return { tables: tablesOf(rows), ratios: ratiosOf(rows) }
  }
}

async function grown ({ quick, start, folder, signal }: Bench, { agents, processes }: { agents: number, processes: number }): Promise<Figures> {
  const more: Figures = {}
  let nodes: SwarmNode[] = []
  let before: Usage | undefined
  let drained: Promise<Usage> | undefined
  const { startMs, discovery, tasks, perProcess, workersLost } = await runSwarm({
    agents, processes, forMs: quick ? 1_000 : 12_000, rate: TASKS_PER_SECOND, signal,
    beforeTraffic: async living => {
      nodes = living
      const [node] = living
      if (node === undefined) throw new Error('no process lives')
      more.rest = await atRest(living, quick ? LOOK_MS : REST_MS, signal)
      await using newcomer = await start('newcomer', { folder })
      const at = { peer: node.peerId, addresses: node.addresses }
      more.handshakeMs = (await newcomer.call<Spread>('reach', { node: at, count: quick ? 3 : 20 })).p50Ms
      await newcomer.call('stay', at)
      await newcomer.call('ask', { inFlight: 64, ms: quick ? 100 : 500, warmUpMs: 0 } satisfies Load)
      const load: Load = { inFlight: 64, ms: quick ? 200 : 1_500, warmUpMs: 0 }
      const { cpuUs, wireBytes } = await costOf([newcomer], () => newcomer.call<Loaded>('ask', load), ({ count }) => count, node.pid)
      Object.assign(more, { messageUs: cpuUs, messageBytes: wireBytes })
      await newcomer.call('leave')
      before = await usageOf(living)
    },
    onEvent: event => {
      if (event.event === 'phase' && event.phase === 'draining') drained = usageOf(nodes)
    }
  })
  const after = await drained
  const each = (of: (usage: Usage) => number | undefined): number | undefined =>
    before === undefined || after === undefined ? undefined : ((of(after) ?? NaN) - (of(before) ?? NaN)) / tasks.completed
  return {
    ...more,
    nodes: processes - workersLost, startMs: startMs + discovery.completeMs, recall: discovery.recall * 100, findMs: discovery.p50Ms,
    awardMs: tasks.awardP50Ms, p50Ms: tasks.p50Ms, p99Ms: tasks.p99Ms, lost: tasks.lost + tasks.failed,
    taskUs: each(({ cpuUs }) => cpuUs), taskKib: (each(({ wireBytes }) => wireBytes) ?? NaN) / 1_024,
    rss: perProcess.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / agents / 1_024
  }
}

interface Usage { cpuUs: number, wireBytes?: number }

async function usageOf (nodes: readonly SwarmNode[]): Promise<Usage> {
  return { cpuUs: cpuUsOf(nodes), wireBytes: await sentBy(nodes.map(({ pid }) => pid)) }
}

const cpuUsOf = (nodes: readonly SwarmNode[]): number => nodes.reduce((sum, { pid }) => sum + (cpuOf(pid) ?? NaN), 0)

/** Waits until little goes on any more; gives what share of a core is in use then, in per cent. */
async function atRest (nodes: readonly SwarmNode[], atMostMs: number, signal: AbortSignal): Promise<number> {
  let share = Infinity
  for (let waited = 0; share > AT_REST && waited < atMostMs; waited += LOOK_MS) {
    const from = cpuUsOf(nodes)
    const begun = performance.now()
    await wait(LOOK_MS, undefined, { signal })
    share = (cpuUsOf(nodes) - from) / 1_000 / (performance.now() - begun)
  }
  return share * 100
}

type Rows = Table['rows']

function tablesOf (rows: Rows): Table[] {
  return [
    {
      id: 'growth', section: 'growth', title: 'The same load in larger meshes', head: 'mesh',
      columns: [
        { key: 'nodes', title: 'nodes', unit: '' }, { key: 'startMs', title: 'all started and found', unit: 'ms' }, { key: 'recall', title: 'found', unit: '%' },
        { key: 'findMs', title: 'find p50', unit: 'ms' }, { key: 'handshakeMs', title: 'handshake p50', unit: 'ms' }, { key: 'awardMs', title: 'announce to award p50', unit: 'ms' },
        { key: 'p50Ms', title: 'delegation p50', unit: 'ms' }, { key: 'p99Ms', title: 'delegation p99', unit: 'ms' }, { key: 'lost', title: 'lost or failed', unit: '' }
      ],
      rows,
      notes: [`One run of \`a2a-node swarm\` each, ${TASKS_PER_SECOND} tasks a second by all together. "All started and found": from the first process to each of them knowing every agent. The handshake is that of a stranger who comes to one of the nodes, before the tasks begin.`],
      chart: { key: 'p50Ms', better: 'less' }
    },
    {
      id: 'growth-cost', section: 'growth', title: 'What larger meshes cost', head: 'mesh',
      columns: [
        { key: 'messageUs', title: 'CPU a message', unit: 'µs' }, { key: 'messageBytes', title: 'sent a message', unit: 'bytes' },
        { key: 'taskUs', title: 'CPU a task', unit: 'µs' }, { key: 'taskKib', title: 'sent a task', unit: 'KiB' },
        { key: 'rest', title: 'all of it at rest, of one core', unit: '%' }, { key: 'rss', title: 'memory per agent', unit: 'KiB' }
      ],
      rows,
      notes: ['A message is a ping and its answer between a newcomer and one of the nodes, 64 in flight, CPU and bytes of both. For tasks it is that of all processes while they run, divided by the tasks: what the mesh does for its own upkeep in that time (each agent\'s advert goes round every 30 s) is in it. Agents share a few processes, one node in each, so memory per agent falls while the node is shared by more.']
    }
  ]
}

function ratiosOf (rows: Rows): Ratio[] {
  const figures = rows.find(({ name }) => name === '1,000 agents')?.figures
  return figures === undefined
    ? []
    : [
        { what: '1,000 agents: all started and found', value: figures.startMs ?? NaN, most: 60_000, unit: 'ms' },
        { what: '1,000 agents: find, p50', value: figures.findMs ?? NaN, most: 1, unit: 'ms' },
        { what: '1,000 agents: handshake of a newcomer, p50', value: figures.handshakeMs ?? NaN, most: 100, unit: 'ms' }
      ]
}
