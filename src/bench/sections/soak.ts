/** Very many messages between agents of two processes, both ways at once: none may be lost, and the memory must stay flat. */
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { rowsOf } from '../report.ts'
import { median } from '../stats.ts'
import type { Usage } from '../messages.ts'
import type { Measured } from '../process.ts'
import type { Section } from '../section.ts'

const AGENTS = 4
const LOOK_MS = 1_000
/** Nothing new for so long after the last was sent: it will not come any more. */
const LATE_MS = 10_000
const HOURS_MS = 4 * 3_600_000
const MIB = 2 ** 20

interface Counts { sent: number, received: number, doubled: number, wrong: number }

/** The section for so many messages in all. */
export const soak = (messages: number): Section => ({
  id: 'soak',
  title: 'Soak',
  run: async ({ start, folder, progress, signal }) => {
    const each = Math.ceil(messages / 2 / AGENTS)
    const one = await start('soak-node', { name: 'one', folder, agents: AGENTS })
    const { addresses, ids } = await one.call<{ addresses: string[], ids: string[] }>('address')
    const other = await start('soak-node', { name: 'other', folder, agents: AGENTS, bootstrap: addresses })
    const { ids: others } = await other.call<{ ids: string[] }>('address')
    const both = [one, other]
    const countAll = async (): Promise<Counts> => sum(await Promise.all(both.map(each => each.call<Counts>('counts'))))

    const begun = performance.now()
    const sending = { over: false }
    const runs = Promise.all([one.call('run', { to: others, messages: each }, HOURS_MS), other.call('run', { to: ids, messages: each }, HOURS_MS)]).finally(() => { sending.over = true })
    runs.catch(() => undefined)
    const memory: number[] = []
    let counts = await countAll()
    let changedAt = performance.now()
    while (!signal.aborted && counts.received < each * AGENTS * 2 && !(sending.over && performance.now() - changedAt > LATE_MS)) {
      await wait(LOOK_MS, undefined, { signal }).catch(() => undefined)
      const now = await countAll()
      if (now.received > counts.received) changedAt = performance.now()
      counts = now
      memory.push(await largest(both))
      progress(`${counts.received.toLocaleString('en-US')} of ${(each * AGENTS * 2).toLocaleString('en-US')} messages, ${Math.round(counts.received / (performance.now() - begun) * 1_000)} a second, ${Math.round((memory.at(-1) ?? 0) / MIB)} MiB`)
      if (sending.over) await runs
    }
    await runs
    const minutes = (changedAt - begun) / 60_000
    // The first quarter fills caches and compiles; after that nothing may grow.
    const quarter = Math.floor(memory.length / 4)
    const early = median(memory.slice(quarter, 2 * quarter)) / MIB
    const late = median(memory.slice(-quarter)) / MIB
    const lost = counts.sent - counts.received
    const figures = { sent: counts.sent, lost, doubled: counts.doubled, wrong: counts.wrong, minutes, perSecond: counts.received / minutes / 60, early, late, most: Math.max(...memory) / MIB }
    return {
      tables: [{
        id: 'soak', section: 'soak', title: `${counts.sent.toLocaleString('en-US')} messages between ${AGENTS} agents on each of two nodes`, head: 'subject',
        columns: [
          { key: 'sent', title: 'sent', unit: '' }, { key: 'lost', title: 'lost', unit: '' }, { key: 'doubled', title: 'doubled', unit: '' }, { key: 'wrong', title: 'wrong', unit: '' },
          { key: 'minutes', title: 'minutes', unit: '' }, { key: 'perSecond', title: 'messages', unit: '/s' }, { key: 'early', title: 'memory, second quarter', unit: 'MiB' }, { key: 'late', title: 'memory, last quarter', unit: 'MiB' }, { key: 'most', title: 'at most', unit: 'MiB' }
        ],
        rows: rowsOf([{ name: 'a2a-node', figures }]),
        notes: ['300 bytes each, both ways at once; one in ten is a request whose answer is checked. Every message has a number, and the receiver keeps a bit for each. Memory is that of the larger process, by the second.']
      }],
      ratios: [
        { what: 'soak: messages lost, doubled or wrong', value: lost + counts.doubled + counts.wrong, most: 0 },
        { what: 'soak: minutes for 10 million messages', value: minutes / counts.received * 1e7, most: 60 },
        ...quarter < 1 ? [] : [{ what: 'soak: memory, last quarter / second quarter', value: late / early, most: 1.1 }]
      ]
    }
  }
})

const sum = (parts: Counts[]): Counts => parts.reduce((all, part) => ({ sent: all.sent + part.sent, received: all.received + part.received, doubled: all.doubled + part.doubled, wrong: all.wrong + part.wrong }))

const largest = async (processes: Measured[]): Promise<number> => Math.max(...(await Promise.all(processes.map(each => each.call<Usage>('usage')))).map(({ rssBytes }) => rssBytes))
