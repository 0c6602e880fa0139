/** What a process at rest takes, and each further agent. */
import { mkdir } from 'node:fs/promises'
import { selfSigned } from '../tls.ts'
import { rowsOf, type Figures } from '../report.ts'
import type { Usage } from '../messages.ts'
import type { Bench, Section } from '../section.ts'

const MIB = 2 ** 20
const WITH_GC = { execArgv: ['--expose-gc'] }

export const memory: Section = {
  id: 'memory',
  title: 'Memory',
  run: async bench => {
    const { subjects, rounds, quick, attempt, progress, signal } = bench
    const measured: Array<{ name: string, figures: Figures }> = []
    const further: Array<{ name: string, figures: Figures }> = []
    const many = quick ? 10 : 100
    const nodes = quick ? 2 : 10
    for (let round = 0; round < Math.min(rounds, 3) && !signal.aborted; round++) {
      progress(`memory, round ${round + 1}`)
      const empty = await attempt('Node', () => crowdOf(bench, 0, 0, round))
      for (const subject of subjects) {
        await attempt(subject.title, async () => {
          const rss = await serverOf(bench, subject.id, round)
          measured.push({ name: subject.title, figures: { rss: rss / MIB, over: empty === undefined ? undefined : (rss - empty) / MIB } })
        })
      }
      if (empty !== undefined) measured.push({ name: 'Node itself', figures: { rss: empty / MIB, over: 0 } })
      await attempt('a2a-node', async () => {
        const one = await crowdOf(bench, 1, 1, round)
        const agents = await crowdOf(bench, 1, 1 + many, round)
        further.push({ name: 'each further agent on a node', figures: { kib: (agents - one) / many / 1_024 } })
        const several = await crowdOf(bench, 1 + nodes, 1, round)
        further.push({ name: 'each further node in a process', figures: { kib: (several - one) / nodes / 1_024 } })
      })
    }
    return {
      tables: [
        {
          id: 'memory', section: 'memory', title: 'A process at rest', head: 'subject',
          columns: [{ key: 'rss', title: 'resident', unit: 'MiB' }, { key: 'over', title: 'over Node itself', unit: 'MiB' }], rows: rowsOf(measured),
          notes: ['Resident memory of the process that serves, after a collection, before anybody has called it. The broker of NATS is not in it.'],
          chart: { key: 'rss', better: 'less' }
        },
        {
          id: 'memory-more', section: 'memory', title: 'What more of a2a-node takes', head: 'what', columns: [{ key: 'kib', title: 'resident', unit: 'KiB' }], rows: rowsOf(further),
          notes: [`${many} more agents on one node, each with a key and a capability of its own; ${nodes} more nodes, each with one agent, a log and a network of its own, connected to nobody.`]
        }
      ],
      ratios: []
    }
  }
}

async function serverOf ({ start, subjects, folder }: Bench, id: string, round: number): Promise<number> {
  const subject = subjects.find(candidate => candidate.id === id)
  const tls = selfSigned()
  const own = `${folder}/${id}-${round}`
  await mkdir(own, { recursive: true })
  await using broker = await subject?.broker?.start({ folder: own, tls })
  await using server = await start('echo-server', { subject: id, folder: own, tls, broker: broker?.address }, WITH_GC)
  return (await server.call<Usage>('settled')).rssBytes
}

async function crowdOf ({ start, folder }: Bench, nodes: number, agents: number, round: number): Promise<number> {
  await using process = await start('crowd', { folder: `${folder}/crowd-${round}`, nodes, agents }, WITH_GC)
  return (await process.call<Usage>('settled')).rssBytes
}
