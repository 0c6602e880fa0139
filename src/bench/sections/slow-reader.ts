/** Much is offered to a reader that pauses and then reads slowly: what piles up, and what others feel of it. */
import { rowsOf, type Figures, type Ratio } from '../report.ts'
import { watchRss } from '../traffic.ts'
import type { Measured as Loaded, Load } from '../load.ts'
import type { Section } from '../section.ts'

const BYTES = 500_000_000
const MIB = 2 ** 20
const OWN = 'a2a-node'

export const slowReader: Section = {
  id: 'slow-reader',
  title: 'A reader that is slow',
  run: async ({ rounds, quick, start, folder, attempt, progress, signal }) => {
    const measured: Array<{ name: string, figures: Figures }> = []
    const bytes = quick ? BYTES / 50 : BYTES
    await attempt(OWN, async () => {
      const reader = await start('slow-reader', { name: 'reader', folder })
      const { id, addresses } = await reader.call<{ id: string, addresses: string[] }>('address')
      const writer = await start('slow-writer', { name: 'writer', folder, bootstrap: addresses, to: id })
      const other = await start('slow-writer', { name: 'other', folder, bootstrap: addresses, to: id })
      // All of it once before anything is looked at: V8 lets its young generation grow, and compiles, for as many messages as that takes, however slow the machine.
      await Promise.all([writer.call('write', bytes, 60_000), other.call('ask', { inFlight: 1, ms: quick ? 1_000 : 8_000, warmUpMs: 0 } satisfies Load)])
      await other.call('ask', { inFlight: 16, count: quick ? 1_000 : 300_000, warmUpMs: 0 } satisfies Load, 120_000)
      for (let round = 0; round < Math.min(rounds, 3) && !signal.aborted; round++) {
        progress(`round ${round + 1}: a slow reader`)
        const alone = await whileWatched([reader.pid, writer.pid], () => other.call<Loaded>('ask', { inFlight: 1, ms: quick ? 300 : 3_000, warmUpMs: 200 } satisfies Load))
        await reader.call('pause', quick ? 300 : 3_000)
        const before = await reader.call<number>('read')
        using watched = watchRss([reader.pid, writer.pid])
        const [readerBefore = NaN, writerBefore = NaN] = watched.peaks().slice()
        const written = writer.call<number>('write', bytes, 300_000)
        written.catch(() => undefined)
        const meanwhile = await other.call<Loaded>('ask', { inFlight: 1, ms: quick ? 500 : 6_000, warmUpMs: 0 } satisfies Load)
        const ms = await written
        const [readerPeak = NaN, writerPeak = NaN] = watched.peaks()
        if (await reader.call<number>('read') - before !== bytes) throw new Error('the reader did not get all that was said')
        measured.push({
          name: OWN,
          figures: { readerMib: (readerPeak - readerBefore) / MIB, writerMib: (writerPeak - writerBefore) / MIB, aloneMs: alone.p99Us / 1_000, meanwhileMs: meanwhile.p99Us / 1_000, slower: meanwhile.p99Us / alone.p99Us, mbPerSecond: bytes / 1_000 / ms }
        })
      }
    })
    const rows = rowsOf(measured)
    const [figures] = rows.map(row => row.figures)
    const ratios: Ratio[] = figures === undefined || quick
      ? []
      : [
          { what: `slow reader: the reader's memory grows by`, value: figures.readerMib ?? NaN, most: 32, unit: 'MiB' },
          { what: `slow reader: the writer's memory grows by`, value: figures.writerMib ?? NaN, most: 32, unit: 'MiB' },
          { what: 'slow reader: p99 of other callers, during / before', value: figures.slower ?? NaN, most: 2 }
        ]
    return {
      tables: [{
        id: 'slow-reader', section: 'slow-reader', title: `${bytes / 1e6} MB for a slow reader`, head: 'subject',
        columns: [
          { key: 'readerMib', title: 'reader grows by', unit: 'MiB' }, { key: 'writerMib', title: 'writer grows by', unit: 'MiB' },
          { key: 'aloneMs', title: 'others, p99 before', unit: 'ms' }, { key: 'meanwhileMs', title: 'others, p99 during', unit: 'ms' }, { key: 'mbPerSecond', title: 'read', unit: 'MB/s' }
        ],
        rows, notes: ['The reader of a dialogue pauses for 3 s and then takes a piece of 64 KiB each millisecond or so; a third process asks the same agent one request after the other. Growth is from just before, when as much has been read once at full speed and as many requests been answered, to the most that was seen.']
      }],
      ratios
    }
  }
}

/** Looking at memory takes CPU: what is compared with a state that was watched is watched as well. */
async function whileWatched<T> (pids: readonly number[], run: () => Promise<T>): Promise<T> {
  using _ = watchRss(pids)
  return await run()
}
