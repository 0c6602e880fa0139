/** Request and reply: how long one takes, and how many go through, at 1, 16, 64 and 256 in flight. */
import { PAYLOAD_BYTES, type Bench, type Section } from '../section.ts'
import { ratioOf, rowsOf, type Figures, type Ratio, type Table } from '../report.ts'

const IN_FLIGHT = [1, 16, 64, 256]
const QUICK_IN_FLIGHT = [1, 64]
const OWN = 'a2a-node'

export const requests: Section = {
  id: 'requests',
  title: 'Request and reply',
  run: async bench => {
    const measured = await measure(bench)
    const at = (inFlight: number): Array<{ name: string, figures: Figures }> => measured.filter(row => row.inFlight === inFlight)
    const latency: Table = {
      id: 'latency', section: 'requests', title: 'Request–reply latency, one at a time', head: 'subject',
      columns: [{ key: 'p50Us', title: 'p50', unit: 'µs' }, { key: 'p99Us', title: 'p99', unit: 'µs' }, { key: 'perSecond', title: 'requests', unit: '/s' }],
      rows: rowsOf(at(1)), notes: ['A round trip of 300 bytes each way over what is open already, after 5 s of the same; p50 and p99 are medians of the rounds.'],
      chart: { key: 'p50Us', better: 'less' }
    }
    const throughput: Table = {
      id: 'throughput', section: 'requests', title: 'Request–reply throughput', head: 'subject',
      columns: depths(bench).map(inFlight => ({ key: `at${inFlight}`, title: `${inFlight} in flight`, unit: '/s' as const })),
      rows: rowsOf(rounds(measured)), notes: ['Requests a second in a closed loop: each is answered before its place is used again.'],
      chart: { key: 'at64', better: 'more' }
    }
    const cost: Table = {
      id: 'cost', section: 'requests', title: 'What a request costs', head: 'subject',
      columns: [
        { key: 'cpu1', title: 'CPU, 1 in flight', unit: 'µs' }, { key: 'cpu64', title: 'CPU, 64 in flight', unit: 'µs' },
        { key: 'wire1', title: 'sent, 1 in flight', unit: 'bytes' }, { key: 'wire64', title: 'sent, 64 in flight', unit: 'bytes' }
      ],
      rows: rowsOf(costs(measured)), notes: [
        'CPU time of all processes of a subject, a broker too. Bytes are TCP payload that the kernel counts on every link a message goes over, both ways, protocol and encryption included.'
      ]
    }
    return { tables: [latency, throughput, cost], ratios: ratiosOf(latency, throughput) }
  }
}

/** For seconds V8 compiles what runs often, on cores that are needed: longer than that for the first figure of each, then a moment. */
const warmUpMs = (round: number, inFlight: number): number => round > 0 ? 500 : inFlight === IN_FLIGHT[0] ? 5_000 : 2_000

const depths = ({ quick }: Pick<Bench, 'quick'>): number[] => quick ? QUICK_IN_FLIGHT : IN_FLIGHT

interface One { name: string, inFlight: number, round: number, figures: Figures }

async function measure ({ subjects, rounds, quick, pair, attempt, progress, signal }: Bench): Promise<One[]> {
  const measured: One[] = []
  for (let round = 0; round < rounds; round++) {
    for (const inFlight of depths({ quick })) {
      // In turns, and each round begins with another, so that what comes and goes on the machine meets all of them.
      for (let turn = 0; turn < subjects.length; turn++) {
        const subject = subjects[(turn + round) % subjects.length]
        if (subject === undefined || signal.aborted) continue
        progress(`round ${round + 1} of ${rounds}: ${inFlight} in flight, ${subject.title}`)
        await attempt(subject.title, async () => {
          const running = await pair(subject)
          const load = { inFlight, ms: quick ? 200 : 1_500, warmUpMs: quick ? 100 : warmUpMs(round, inFlight) }
          if (running !== undefined) measured.push({ name: subject.title, inFlight, round, figures: { ...await running.ask(load, PAYLOAD_BYTES) } })
        })
      }
    }
  }
  // The order of the table, whoever began.
  return subjects.flatMap(({ title }) => measured.filter(({ name }) => name === title))
}

/** One row a subject and round, its throughput at each depth side by side. */
const rounds = (measured: One[]): Array<{ name: string, figures: Figures }> =>
  sideBySide(measured, ({ inFlight, figures }) => ({ [`at${inFlight}`]: figures.perSecond }))

const costs = (measured: One[]): Array<{ name: string, figures: Figures }> =>
  sideBySide(measured.filter(({ inFlight }) => inFlight === 1 || inFlight === 64), ({ inFlight, figures }) => ({ [`cpu${inFlight}`]: figures.cpuUs, [`wire${inFlight}`]: figures.wireBytes }))

function sideBySide (measured: One[], pick: (one: One) => Figures): Array<{ name: string, figures: Figures }> {
  const rows = new Map<string, { name: string, figures: Figures }>()
  for (const one of measured) {
    const key = `${one.name} ${one.round}`
    const row = rows.get(key) ?? { name: one.name, figures: {} }
    Object.assign(row.figures, pick(one))
    rows.set(key, row)
  }
  return [...rows.values()]
}

function ratiosOf (latency: Table, throughput: Table): Ratio[] {
  const own = latency.rows.find(({ name }) => name === OWN)?.rounds.map(({ p50Us = NaN, p99Us = NaN }) => ({ name: OWN, figures: { spread: p99Us / p50Us } })) ?? []
  const [spread] = rowsOf(own)
  const ratios: Array<Omit<Ratio, 'value'> & { value?: number }> = [
    { what: 'round trip p50: a2a-node / bare libp2p stream', value: ratioOf(latency, OWN, 'bare libp2p stream', 'p50Us'), most: 1.25 },
    { what: 'round trip p50: a2a-node / NATS with TLS', value: ratioOf(latency, OWN, 'NATS with TLS', 'p50Us'), most: 0.75 },
    { what: 'round trip of a2a-node: p99 / p50', value: spread?.figures.spread, most: 4 },
    { what: '64 in flight: a2a-node / NATS with TLS', value: ratioOf(throughput, OWN, 'NATS with TLS', 'at64'), least: 1.5 },
    { what: '64 in flight: a2a-node / gRPC with TLS', value: ratioOf(throughput, OWN, 'gRPC with TLS', 'at64'), least: 5 },
    { what: '64 in flight: a2a-node / A2A SDK over HTTP', value: ratioOf(throughput, OWN, 'A2A SDK over HTTP', 'at64'), least: 15 }
  ]
  return ratios.filter((ratio): ratio is Ratio => ratio.value !== undefined)
}

