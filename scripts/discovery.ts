/**
 * What discovery promises, tried many times over with real nodes, and the figures.
 *   node scripts/discovery.ts [two|recall|late|restart|restart-60|partition|warm|ground|ground-records …] [--times N] [--previous]
 * `--previous`: with peers of the version before (test/previous), in late, restart-60 and partition.
 */
import { parseArgs } from 'node:util'
import { crowdedHome, everybodySees, firstFind, lateJoiner, warmFinds, wholeRestart } from '../test/support/discovery-trials.ts'
import { crowdRestart, partition } from '../test/support/crowd-trials.ts'
import { findAmongLiars, type GroundOptions } from '../test/support/ground.ts'
import { createLink } from '../test/support/namespace.ts'
import { unpackPrevious } from '../test/support/previous.ts'
import { createMesh } from '../test/support/processes.ts'

const { positionals, values: { times: given, previous: withPrevious } } = parseArgs({ allowPositionals: true, options: { times: { type: 'string' }, previous: { type: 'boolean', default: false } } })
const times = (normally: number): number => given === undefined ? normally : Number(given)

const trials: Record<string, () => Promise<string>> = {
  /** Two nodes: the first find after ready. */
  two: async () => await tally(times(200), async () => ({ 'first find': [await firstFind()] })),

  /** 12 nodes with 5 agents each, in 5 domains. */
  recall: async () => await tally(times(3), async () => ({ 'everybody finds everybody': [await everybodySees(12, 5)] })),

  /** A third joins by one of them, which is killed 3 s later. */
  late: async () => {
    await using mesh = createMesh()
    const other = withPrevious ? { bin: unpackPrevious(mesh.folder) } : {}
    return await tally(times(20), async i => {
      const { seenMs, afterMs } = await lateJoiner(mesh, i, other)
      return { 'sees all': [seenMs], 'knows who is left': [afterMs] }
    })
  },

  /** All are killed, and started again. */
  restart: async () => {
    await using mesh = createMesh()
    return await tally(times(5), async i => ({ 'first find': await wholeRestart(mesh, i) }))
  },

  /** 60 nodes in 6 processes, all killed, and started again. */
  'restart-60': async () => await tally(times(1), async () => {
    const { firstMs, againMs, readyMs } = await crowdRestart(60, 30_000, withPrevious)
    return { 'first find': firstMs, 'started again': [readyMs], 'everything found again': againMs }
  }),

  /** 40 nodes, half of them in another network, which cannot be reached for a minute. */
  partition: async () => {
    const link = createLink()
    if ('skipped' in link) return link.skipped
    using _ = link
    return await tally(times(1), async () => {
      const { beginMs, againMs, justMs } = await partition(link, { half: 20, ofProcess: 10, splitMs: 60_000, limitMs: 20_000, withPrevious })
      return { 'all see all at first': [beginMs], 'and again after the heal': againMs, 'and nobody else': justMs }
    })
  },

  /** 1,000 agents in 50 domains, known from before. */
  warm: async () => {
    const home = await crowdedHome(1_000, 50)
    return await tally(times(3), async () => {
      const { firstMs, allMs, byName, byPrefix } = await warmFinds(home, 1_000, 20_000)
      return { 'first find after a restart': [firstMs], 'all 1,000 checked again': [allMs], 'by name': byName, 'by prefix': byPrefix }
    })
  },

  /** 60 liars with keys ground close to all places of a capability's records, 12 honest nodes, newcomers that look for it. */
  ground: async () => await amongLiars({ liars: 60, places: 3, tries: 20_000, finds: times(100) }),

  /** The same close to one key, where only Kademlia leads to those who offer it. */
  'ground-records': async () => await amongLiars({ liars: 60, places: 1, tries: 20_000, finds: times(100), byRecords: true })
}

async function amongLiars (options: GroundOptions): Promise<string> {
  const { found, finds, ms, sources } = await findAmongLiars(options)
  const sorted = ms.sort((a, b) => a - b)
  return `${found} of ${finds} find an honest one (${Object.entries(sources).map(([source, count]) => `${source} ${count}`).join(', ')})\n    p50 ${sorted[sorted.length >> 1]?.toFixed()} ms, most ${sorted.at(-1)?.toFixed()} ms`
}

/** How many of so many were kept, why others were not, and the spread of each figure. */
async function tally (count: number, trial: (i: number) => Promise<Record<string, number[]>>): Promise<string> {
  const figures = new Map<string, number[]>()
  const failures: string[] = []
  for (let i = 0; i < count; i++) {
    try {
      for (const [name, values] of Object.entries(await trial(i))) figures.set(name, [...figures.get(name) ?? [], ...values])
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  const spreads = [...figures].map(([name, values]) => {
    const sorted = values.sort((a, b) => a - b)
    const at = (share: number): string => { const ms = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN; return ms < 10 ? ms.toFixed(3) : ms.toFixed(0) }
    return `\n    ${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`
  })
  return [`${count - failures.length} of ${count}`, ...spreads, ...[...new Set(failures)].slice(0, 5).map(failure => `\n    not kept: ${failure}`)].join('')
}

for (const name of positionals.length > 0 ? positionals : Object.keys(trials)) {
  const trial = trials[name]
  if (trial === undefined) throw new Error(`there is no trial ${name}; there are ${Object.keys(trials).join(', ')}`)
  console.log(`${name}: ${await trial()}`)
}
