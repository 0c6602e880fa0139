/** Something large, from one process to the other. */
import { ratioOf, rowsOf, type Figures, type Ratio, type Table } from '../report.ts'
import type { Pair } from '../pair.ts'
import type { Section } from '../section.ts'

/** What is to pass in 3.2 s. */
const BYTES = 847_000_000
const QUICK_BYTES = 20_000_000
const FILE = 'a2a-node, into a file'
const STREAM = 'a2a-node, as a stream'
const WAYS = [
  { id: 'a2a-node', name: FILE, stream: false }, { id: 'a2a-node', name: STREAM, stream: true },
  { id: 'tcp', name: 'raw TCP', stream: true }, { id: 'libp2p', name: 'bare libp2p stream', stream: true }
]

export const bulk: Section = {
  id: 'bulk',
  title: 'Bulk',
  run: async ({ subjects, rounds, quick, freshPair, attempt, progress, signal }) => {
    const bytes = quick ? QUICK_BYTES : BYTES
    const measured: Array<{ name: string, figures: Figures }> = []
    const pairs = new Map<string, Pair>()
    const ways = WAYS.filter(({ id }) => subjects.some(subject => subject.id === id))
    for (const { id, name } of ways) {
      const subject = subjects.find(subject => subject.id === id)
      if (subject === undefined || signal.aborted) continue
      progress(`bulk: ${name}`)
      await attempt(name, async () => {
        // A process for each way, so that the memory of one is not that of another.
        const pair = await freshPair(subject)
        await pair.prepare(bytes)
        pairs.set(name, pair)
      })
    }
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < ways.length; turn++) {
        const way = ways[(turn + round) % ways.length]
        const pair = pairs.get(way?.name ?? '')
        if (way === undefined || pair === undefined || signal.aborted) continue
        progress(`round ${round + 1} of ${rounds}: bulk, ${way.name}`)
        const fetched = await attempt(way.name, () => pair.fetch(bytes, way.stream))
        if (fetched === undefined) pairs.delete(way.name)
        else measured.push({ name: way.name, figures: { mbPerSecond: fetched.mbPerSecond, peakMb: fetched.peakBytes === undefined ? undefined : fetched.peakBytes / 1e6, cpuMs: (fetched.cpuUs ?? NaN) / 1_000 } })
      }
    }
    const table: Table = {
      id: 'bulk', section: 'bulk', title: `${Math.round(bytes / 1e6)} MB from one process to the other`, head: 'subject',
      columns: [{ key: 'mbPerSecond', title: 'throughput', unit: 'MB/s' }, { key: 'peakMb', title: 'receiver, most resident', unit: 'MB' }, { key: 'cpuMs', title: 'CPU each MB', unit: 'ms' }],
      rows: rowsOf(ways.flatMap(({ name }) => measured.filter(row => row.name === name))),
      notes: ['a2a-node sends a file and checks every byte against its hash; the others only count what arrives, out of memory, which is the limit of what they could do. The processes have done nothing before; sending is prepared before it is timed.'],
      chart: { key: 'mbPerSecond', better: 'more' }
    }
    return { tables: [table], ratios: quick ? [] : ratiosOf(table) }
  }
}

function ratiosOf (table: Table): Ratio[] {
  const share = ratioOf(table, STREAM, 'bare libp2p stream', 'mbPerSecond')
  const own = [FILE, STREAM].flatMap((name): Ratio[] => {
    const figures = table.rows.find(row => row.name === name)?.figures
    const what = `bulk, 847 MB, checked: ${name}`
    return [
      ...figures?.mbPerSecond === undefined ? [] : [{ what, value: figures.mbPerSecond, least: 265, unit: 'MB/s' as const }],
      ...figures?.peakMb === undefined ? [] : [{ what: `${what}, receiver's memory`, value: figures.peakMb, most: 150, unit: 'MB' as const }]
    ]
  })
  return [...share === undefined ? [] : [{ what: 'bulk: a2a-node as a stream / bare libp2p stream', value: share }], ...own]
}
