/** How a mesh grows: the same load with 10, 100 and 1,000 agents. */
import { runSwarm } from '../../swarm/supervisor.ts'
import { rowsOf, type Figures } from '../report.ts'
import type { Section } from '../section.ts'

const SIZES = [{ agents: 10, processes: 2 }, { agents: 100, processes: 4 }, { agents: 1_000, processes: 8 }]
const TASKS_PER_SECOND = 10

export const growth: Section = {
  id: 'growth',
  title: 'Growth',
  run: async ({ quick, attempt, progress, signal }) => {
    const measured: Array<{ name: string, figures: Figures }> = []
    for (const { agents, processes } of quick ? SIZES.slice(0, 1) : SIZES) {
      if (signal.aborted) break
      await attempt('a2a-node', async () => {
        progress(`a mesh of ${agents} agents`)
        const { startMs, discovery, tasks, perProcess, workersLost } = await runSwarm({ agents, processes, forMs: quick ? 1_000 : 15_000, rate: TASKS_PER_SECOND, signal })
        if (signal.aborted) return
        measured.push({
          name: `${agents.toLocaleString('en-US')} agents`,
          figures: {
            nodes: processes - workersLost, startMs, completeMs: discovery.completeMs, recall: discovery.recall * 100, findMs: discovery.p50Ms, p50Ms: tasks.p50Ms, p99Ms: tasks.p99Ms, lost: tasks.lost + tasks.failed,
            rss: perProcess.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / agents / 1_024
          }
        })
      })
    }
    return {
      tables: [{
        id: 'growth', section: 'growth', title: 'The same load in larger meshes', head: 'mesh',
        columns: [
          { key: 'nodes', title: 'nodes', unit: '' }, { key: 'startMs', title: 'all started', unit: 'ms' }, { key: 'completeMs', title: 'everybody found', unit: 'ms' }, { key: 'recall', title: 'found', unit: '%' },
          { key: 'findMs', title: 'find p50', unit: 'ms' }, { key: 'p50Ms', title: 'task p50', unit: 'ms' }, { key: 'p99Ms', title: 'task p99', unit: 'ms' }, { key: 'lost', title: 'lost or failed', unit: '' }, { key: 'rss', title: 'memory per agent', unit: 'KiB' }
        ],
        rows: rowsOf(measured),
        notes: [`One run of \`a2a-node swarm\` each, ${TASKS_PER_SECOND} tasks a second by all together. Agents share a few processes, one node in each, so memory per agent falls while the node is shared by more.`],
        chart: { key: 'p50Ms', better: 'less' }
      }],
      ratios: []
    }
  }
}
