/** From no connection at all to the first answer. */
import { rowsOf, type Figures } from '../report.ts'
import type { Section } from '../section.ts'

export const handshake: Section = {
  id: 'handshake',
  title: 'Handshake',
  run: async ({ subjects, rounds, quick, pair, attempt, progress, signal }) => {
    const measured: Array<{ name: string, figures: Figures }> = []
    const able = subjects.filter(({ stranger }) => stranger !== undefined)
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < able.length; turn++) {
        const subject = able[(turn + round) % able.length]
        if (subject === undefined || signal.aborted) continue
        progress(`round ${round + 1} of ${rounds}: handshake, ${subject.title}`)
        await attempt(subject.title, async () => {
          const running = await pair(subject)
          if (running === undefined) return
          if (round === 0) await running.reach(quick ? 2 : 20)
          measured.push({ name: subject.title, figures: { ...await running.reach(quick ? 5 : 40) } })
        })
      }
    }
    return {
      tables: [{
        id: 'handshake', section: 'handshake', title: 'From no connection to the first answer', head: 'subject',
        columns: [{ key: 'p50Ms', title: 'p50', unit: 'ms' }, { key: 'p99Ms', title: 'p99', unit: 'ms' }],
        rows: rowsOf(able.flatMap(({ title }) => measured.filter(({ name }) => name === title))),
        notes: ['One newcomer at a time, over whatever each has to do: TCP; TLS 1.3; Noise, yamux and protocol negotiation; for a2a-node also its channel and both hellos. Only libp2p and a2a-node prove who is at both ends; the TLS peers prove the server.'],
        chart: { key: 'p50Ms', better: 'less' }
      }],
      ratios: []
    }
  }
}
