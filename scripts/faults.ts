/**
 * `node scripts/faults.ts FAULT [--agents 20] [--rate 50] [--ramp 30] [--for 600] [--every 5] [--each 30] [--lease 5] [--work 0.2] [--built] [--json]`
 *
 * Real processes on this machine, each a node with one agent, ask each other for work while something is done to them, to their network or
 * to their clocks. At the end the checker of the simulator goes over what their logs say. docs/simulator.md has the list of faults. Times
 * in seconds: the load grows to `--rate` over `--ramp`, and goes on for `--for` under faults, one `--every` so often, of which `--each` lasts
 * so long. `--built` uses dist/ (`npm run build`) and not the sources, and starts twice as fast. Exits with 1 when a promise was broken, and
 * says why when this machine cannot have such a fault.
 */
import { parseArgs } from 'node:util'
import { clocks } from './faults/clocks.ts'
import { links, partitions, type Rift } from './faults/cuts.ts'
import { Unavailable } from './faults/network.ts'
import { calm, killing, poisoning, stopping } from './faults/processes.ts'
import { linesOf } from './faults/report.ts'
import { runFaults } from './faults/run.ts'
import { wan } from './faults/wan.ts'
import { numberOf } from './numbers.ts'
import type { Fault } from './faults/fault.ts'

const { values, positionals: [kind = 'kill'] } = parseArgs({ allowPositionals: true, options: {
  agents: { type: 'string', default: '20' },
  rate: { type: 'string', default: '50' },
  ramp: { type: 'string' },
  jobs: { type: 'string' },
  for: { type: 'string' },
  every: { type: 'string' },
  each: { type: 'string' },
  lease: { type: 'string' },
  work: { type: 'string' },
  long: { type: 'string' },
  rtt: { type: 'string' },
  loss: { type: 'string', default: '0.05' },
  double: { type: 'string', default: '0.1' },
  reorder: { type: 'string', default: '0.25' },
  built: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false }
} })
const ms = (option: 'every' | 'each' | 'rtt' | 'ramp' | 'for' | 'lease' | 'work', otherwise: number): number => numberOf(option, values[option] ?? `${otherwise}`) * 1_000
const agents = numberOf('agents', values.agents)
const times = (every: number, each: number): { everyMs: number, eachMs: number } => ({ everyMs: ms('every', every), eachMs: ms('each', each) })
const rift = (...kinds: Rift[]) => (): Fault => partitions(kinds, agents, times(20, 10))

/** What each is, and how much of the tasks is long and how many jobs there are a second unless it is said. */
const FAULTS: Record<string, { make: () => Fault | Promise<Fault>, long?: number, jobs?: number }> = {
  none: { make: calm },
  kill: { make: () => killing(times(5, 0)) },
  stop: { make: () => stopping(times(5, 30)), long: 0.3 },
  poison: { make: () => poisoning({ eachMs: ms('each', 60), kills: 'process' }) },
  'poison-program': { make: () => poisoning({ eachMs: ms('each', 60), kills: 'program' }) },
  partition: { make: rift('halves', 'bridge', 'one-way') },
  halves: { make: rift('halves') },
  bridge: { make: rift('bridge') },
  'one-way': { make: rift('one-way') },
  links: { make: () => links(agents, times(0.2, 5)) },
  clock: { make: () => clocks(agents, times(5, 15)), jobs: 5 },
  wan: { make: () => wan(agents, { rttMs: ms('rtt', 0.25), loss: numberOf('loss', values.loss), double: numberOf('double', values.double), reorder: numberOf('reorder', values.reorder) }) }
}
const chosen = FAULTS[kind]
if (chosen === undefined) {
  process.stderr.write(`there is no fault ${kind}; there are ${Object.keys(FAULTS).join(', ')}\n`)
  process.exit(2)
}

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { stop.abort(new Error(signal)) })

try {
  const outcome = await runFaults({
    agents,
    rate: numberOf('rate', values.rate),
    jobs: values.jobs === undefined ? chosen.jobs ?? 0 : numberOf('jobs', values.jobs),
    rampMs: ms('ramp', 30),
    forMs: ms('for', 600),
    leaseMs: ms('lease', 5),
    workMs: ms('work', 0.2),
    long: values.long === undefined ? chosen.long ?? 0 : numberOf('long', values.long),
    fault: await chosen.make(),
    built: values.built,
    signal: stop.signal,
    onEvent: what => { process.stderr.write(`${what}\n`) }
  })
  process.stdout.write(values.json ? `${JSON.stringify(outcome)}\n` : `${linesOf(outcome).join('\n')}\n`)
  process.exitCode = outcome.broken.length > 0 || outcome.lost > 0 || outcome.jobs.lost > 0 ? 1 : 0
} catch (error) {
  if (!(error instanceof Unavailable)) throw error
  process.stdout.write(`skipped: ${kind} cannot be had here: ${error.message}\n`)
}
