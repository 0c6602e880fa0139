/** Something large, from one process to the other. */
import { ratioOf, rowsOf, type Figures, type Ratio, type Table } from '../report.ts'
import type { Section } from '../section.ts'

/** The largest file of a well-known corpus: 847 MB. */
const BYTES = 847_000_000
const QUICK_BYTES = 20_000_000
const ABLE = ['a2a-node', 'tcp', 'libp2p']

export const bulk: Section = {
  id: 'bulk',
  title: 'Bulk',
  run: async ({ subjects, rounds, quick, pair, attempt, progress, signal }) => {
    const bytes = quick ? QUICK_BYTES : BYTES
    const measured: Array<{ name: string, figures: Figures }> = []
    const able = subjects.filter(({ id }) => ABLE.includes(id))
    const unable = new Set<string>()
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < able.length; turn++) {
        const subject = able[(turn + round) % able.length]
        if (subject === undefined || signal.aborted || unable.has(subject.id)) continue
        progress(`round ${round + 1} of ${rounds}: bulk, ${subject.title}`)
        const fetched = await attempt(subject.title, async () => {
          const running = await pair(subject)
          if (running === undefined) return undefined
          if (round === 0) await running.prepare(bytes)
          return await running.fetch(bytes)
        })
        if (fetched === undefined) unable.add(subject.id)
        else measured.push({ name: subject.title, figures: { mbPerSecond: fetched.mbPerSecond, peakMib: fetched.peakMib, cpuMs: (fetched.cpuUs ?? NaN) / 1_000 } })
      }
    }
    const table: Table = {
      id: 'bulk', section: 'bulk', title: `${Math.round(bytes / 1e6)} MB from one process to the other`, head: 'subject',
      columns: [{ key: 'mbPerSecond', title: 'throughput', unit: 'MB/s' }, { key: 'peakMib', title: 'receiver, most resident', unit: 'MiB' }, { key: 'cpuMs', title: 'CPU each MB', unit: 'ms' }],
      rows: rowsOf(able.flatMap(({ title }) => measured.filter(({ name }) => name === title))),
      notes: ['a2a-node goes from a file into a file and checks the hash; the others only count what arrives, out of memory, which is the limit of what they could do.'],
      chart: { key: 'mbPerSecond', better: 'more' }
    }
    const own = table.rows.find(({ name }) => name === 'a2a-node')?.figures
    const share = ratioOf(table, 'a2a-node', 'bare libp2p stream', 'mbPerSecond')
    const ratios: Ratio[] = [
      ...share === undefined ? [] : [{ what: 'bulk: a2a-node / bare libp2p stream', value: share }],
      ...own?.mbPerSecond === undefined ? [] : [{ what: 'bulk, 847 MB, checked', value: own.mbPerSecond, least: 265, unit: 'MB/s' as const }],
      ...own?.peakMib === undefined ? [] : [{ what: 'bulk: receiver, most resident', value: own.peakMib * 2 ** 20 / 1e6, most: 150, unit: 'MB' as const }]
    ]
    return { tables: [table], ratios: quick ? [] : ratios }
  }
}
