/** Messages that want no answer: how many of 300 bytes arrive a second. */
import { PAYLOAD_BYTES, type Section } from '../section.ts'
import { ratioOf, rowsOf, type Figures, type Ratio, type Table } from '../report.ts'

/** About so long shall a round of the slowest take, in ms. */
const ROUND_MS = 1_500

export const oneWay: Section = {
  id: 'one-way',
  title: 'One-way messages',
  run: async ({ subjects, rounds, quick, pair, attempt, progress, signal }) => {
    const measured: Array<{ name: string, figures: Figures }> = []
    const counts = new Map<string, number>()
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < subjects.length; turn++) {
        const subject = subjects[(turn + round) % subjects.length]
        if (subject === undefined || signal.aborted || subject.oneWay === false) continue
        progress(`round ${round + 1} of ${rounds}: one way, ${subject.title}`)
        await attempt(subject.title, async () => {
          const running = await pair(subject)
          if (running === undefined) return
          const known = counts.get(subject.id)
          // The first, unmeasured, tells how many make a round; the second warms it up.
          const count = known ?? Math.ceil((await running.tell(quick ? 1_000 : 20_000, PAYLOAD_BYTES)).perSecond * (quick ? 150 : ROUND_MS) / 1_000)
          if (known === undefined && !quick) await running.tell(count, PAYLOAD_BYTES)
          counts.set(subject.id, count)
          const { perSecond, cpuUs, wireBytes } = await running.tell(count, PAYLOAD_BYTES)
          measured.push({ name: subject.title, figures: { perSecond, cpuUs, wireBytes } })
        })
      }
    }
    const table: Table = {
      id: 'one-way', section: 'one-way', title: 'One-way throughput', head: 'subject',
      columns: [{ key: 'perSecond', title: 'messages', unit: '/s' }, { key: 'cpuUs', title: 'CPU each', unit: 'µs' }, { key: 'wireBytes', title: 'sent each', unit: 'bytes' }],
      rows: rowsOf(subjects.flatMap(({ title }) => measured.filter(({ name }) => name === title))),
      notes: ['From the first message told to the last one in the hands of the other process, each of 300 bytes and told by a call of its own; the sender waits when it is told to. The bare stream sends each with its own send().'],
      chart: { key: 'perSecond', better: 'more' }
    }
    const value = ratioOf(table, 'a2a-node', 'bare libp2p stream', 'perSecond')
    const ratios: Ratio[] = value === undefined ? [] : [{ what: 'one-way: a2a-node / bare libp2p stream, single sends', value, least: 5 }]
    return { tables: [table], ratios }
  }
}
