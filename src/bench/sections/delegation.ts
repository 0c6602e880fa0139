/** From looking for somebody to a receipt that both have signed: two nodes, three agents that bid for every task, everything on disk. */
import { costOf } from '../pair.ts'
import { rowsOf, type Figures, type Ratio, type Table } from '../report.ts'
import type { Load, Measured as Loaded, Spread } from '../load.ts'
import type { Section } from '../section.ts'

const OWN = 'a2a-node'
const BIDDERS = 3
const IN_FLIGHT = [1, 8, 32]

export const delegation: Section = {
  id: 'delegation',
  title: 'Finding, awarding, delegating',
  run: async ({ rounds, quick, start, folder, attempt, progress, signal }) => {
    const steps: Array<{ name: string, figures: Figures }> = []
    const tasks: Array<{ name: string, figures: Figures }> = []
    await attempt(OWN, async () => {
      const provider = await start('mesh-provider', { name: 'provider', folder, bidders: BIDDERS })
      const { addresses } = await provider.call<{ addresses: string[] }>('address')
      const requester = await start('mesh-requester', { name: 'requester', folder, bidders: BIDDERS, bootstrap: addresses })
      await requester.call('ready')
      await requester.call('delegate', { inFlight: 8, count: quick ? 50 : 500, warmUpMs: 0 } satisfies Load)
      for (let round = 0; round < rounds && !signal.aborted; round++) {
        progress(`round ${round + 1} of ${rounds}: find`)
        steps.push({ name: 'find, known here', figures: { ...await requester.call<Spread>('findKnown', quick ? 20 : 500) } })
        const news: number[] = []
        for (let i = 0; i < (quick ? 2 : 10); i++) {
          const capability = `new-${round}-${i}.bench.work`
          const found = requester.call<string>('findNew', capability)
          found.catch(() => undefined)
          const begun = BigInt(await provider.call<string>('offer', capability))
          news.push(Number(BigInt(await found) - begun) / 1e6)
        }
        steps.push({ name: 'find, offered just now', figures: { p50Ms: Math.max(...news.toSorted((a, b) => a - b).slice(0, Math.ceil(news.length / 2))), p99Ms: Math.max(...news) } })
        progress(`round ${round + 1} of ${rounds}: announce to award`)
        steps.push({ name: 'announce to award', figures: { ...await requester.call<Spread>('award', quick ? 10 : 200) } })
        const row: Figures = {}
        for (const inFlight of IN_FLIGHT) {
          progress(`round ${round + 1} of ${rounds}: delegation, ${inFlight} in flight`)
          const load: Load = { inFlight, ms: quick ? 400 : 4_000, warmUpMs: 0 }
          const { p50Us, p99Us, perSecond, cpuUs, wireBytes } = await costOf([provider, requester], () => requester.call<Loaded>('delegate', load), ({ count }) => count)
          if (inFlight === 1) steps.push({ name: 'full delegation', figures: { p50Ms: p50Us / 1_000, p99Ms: p99Us / 1_000 } })
          Object.assign(row, { [`at${inFlight}`]: perSecond, [`p50At${inFlight}`]: p50Us / 1_000, cpuUs, wireBytes })
        }
        tasks.push({ name: OWN, figures: row })
      }
    })
    const latency: Table = {
      id: 'steps', section: 'delegation', title: 'Latency of the steps of a task', head: 'step',
      columns: [{ key: 'p50Ms', title: 'p50', unit: 'ms' }, { key: 'p99Ms', title: 'p99', unit: 'ms' }], rows: rowsOf(steps),
      notes: [`One at a time. A full delegation goes from \`delegate()\` to the result with its receipt, signed by both and checked; each task had ${BIDDERS} bids. "Offered just now" is from before \`provide()\` in one process to the end of a \`find()\` that waits in the other.`],
      chart: { key: 'p50Ms', better: 'less' }
    }
    const throughput: Table = {
      id: 'delegation', section: 'delegation', title: 'Full delegations', head: 'subject',
      columns: [...IN_FLIGHT.map(inFlight => ({ key: `at${inFlight}`, title: `${inFlight} in flight`, unit: '/s' as const })), { key: 'p50At32', title: 'p50, 32 in flight', unit: 'ms' }, { key: 'cpuUs', title: 'CPU each', unit: 'µs' }, { key: 'wireBytes', title: 'sent each', unit: 'bytes' }],
      rows: rowsOf(tasks),
      notes: [`Of one pair of nodes: ${BIDDERS} agents on the node that provides, one on the node that asks; every state of every task is on disk on both sides. CPU and bytes are at ${IN_FLIGHT.at(-1)} in flight.`]
    }
    const p50 = latency.rows.find(({ name }) => name === 'full delegation')?.figures.p50Ms
    const [row] = throughput.rows
    const ratios: Ratio[] = [
      ...p50 === undefined ? [] : [{ what: 'full delegation, one at a time, p50', value: p50, most: 12, unit: 'ms' as const }],
      ...row?.figures.at32 === undefined ? [] : [{ what: 'full delegations, 32 in flight', value: row.figures.at32, least: 300, unit: '/s' as const }]
    ]
    return { tables: [latency, throughput], ratios }
  }
}
