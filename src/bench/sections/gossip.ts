/** One says it, many hear it: signed gossip, each message checked by each who hears it. */
import { costOf } from '../pair.ts'
import { rowsOf, type Figures } from '../report.ts'
import type { Spread } from '../load.ts'
import type { Section } from '../section.ts'

const HEARERS = 8
/** Below what a node listens to of one who forwards, and far above it. */
const PACES = [80, 400]
/** Nothing came for so long: nothing will. */
const QUIET_MS = 1_000

export const gossip: Section = {
  id: 'gossip',
  title: 'Gossip',
  run: async ({ rounds, quick, start, folder, attempt, progress, signal }) => {
    const measured: Array<{ name: string, figures: Figures }> = []
    await attempt('a2a-node', async () => {
      const speaker = await start('gossip-speaker', { folder })
      const hearers = await start('gossip-hearers', { folder, count: HEARERS, to: await speaker.call('address') })
      await speaker.call('heardBy', HEARERS)
      await speaker.call('speak', { perSecond: 20, ms: 1_000 })
      await hearers.call('quiet', QUIET_MS)
      for (let round = 0; round < Math.min(rounds, 3) && !signal.aborted; round++) {
        for (const perSecond of PACES) {
          progress(`round ${round + 1}: gossip, ${perSecond} a second`)
          await hearers.call('heard')
          const ms = quick ? 500 : 5_000
          const { said, heard, tookMs, cpuUs } = await costOf([speaker, hearers], async () => {
            const begun = performance.now()
            const said = await speaker.call<number>('speak', { perSecond, ms })
            await hearers.call('quiet', QUIET_MS)
            return { said, tookMs: Math.max(ms, performance.now() - begun - QUIET_MS), heard: await hearers.call<Spread & { count: number }>('heard') }
          }, ({ heard }) => heard.count)
          measured.push({ name: `${perSecond} a second`, figures: { share: heard.count / said / HEARERS * 100, perSecond: heard.count / tookMs * 1_000, p50Ms: heard.p50Ms, p99Ms: heard.p99Ms, cpuUs } })
        }
      }
    })
    return {
      tables: [{
        id: 'gossip', section: 'gossip', title: `Gossip fan-out, one speaker and ${HEARERS} nodes`, head: 'said',
        columns: [{ key: 'perSecond', title: 'heard', unit: '/s' }, { key: 'share', title: 'of what was said', unit: '%' }, { key: 'p50Ms', title: 'p50', unit: 'ms' }, { key: 'p99Ms', title: 'p99', unit: 'ms' }, { key: 'cpuUs', title: 'CPU each heard', unit: 'µs' }],
        rows: rowsOf(measured),
        notes: ['Adverts, signed by their agent and by libp2p; each who hears one checks both. A node listens to 100 a second of one forwarder and 200 in all, so what is said faster is dropped on purpose: gossip is for adverts and announcements, not for data. The eight share one process, whose core may be the bound before that.']
      }],
      ratios: []
    }
  }
}
