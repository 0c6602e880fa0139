/**
 * `node scripts/faults.ts kill|stop|none [--agents 20] [--rate 50] [--for 600] [--every 5] [--stop-for 30] [--lease 5] [--built] [--json]`
 *
 * Real processes on this machine, each a node with one agent, ask each other for work while one after another is killed with
 * SIGKILL and started again, or stopped with SIGSTOP for a while. At the end the checker of the simulator goes over what
 * their logs say. Times in seconds. `--built` uses dist/ (`npm run build`) and not the sources, and starts twice as fast.
 * Exits with 1 when a promise was broken.
 */
import { parseArgs } from 'node:util'
import { runFaults, type RunOptions } from './faults/run.ts'
import type { Spread } from './faults/readings.ts'

const { values, positionals: [kind = 'kill'] } = parseArgs({ allowPositionals: true, options: {
  agents: { type: 'string', default: '20' },
  rate: { type: 'string', default: '50' },
  for: { type: 'string', default: '600' },
  every: { type: 'string', default: '5' },
  'stop-for': { type: 'string', default: '30' },
  lease: { type: 'string', default: '5' },
  built: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false }
} })
const seconds = (text: string): number => Number(text) * 1_000
const kinds: Record<string, RunOptions['fault']> = { kill: { kind: 'kill' }, stop: { kind: 'stop', forMs: seconds(values['stop-for']) }, none: { kind: 'none' } }
const fault = kinds[kind]
if (fault === undefined) throw new Error(`there is no fault ${kind}; there are ${Object.keys(kinds).join(', ')}`)

const outcome = await runFaults({
  agents: Number(values.agents),
  rate: Number(values.rate),
  forMs: seconds(values.for),
  everyMs: seconds(values.every),
  leaseMs: seconds(values.lease),
  fault,
  built: values.built,
  onEvent: what => { process.stderr.write(`${what}\n`) }
})

const spread = ({ count, p50, p99, most }: Spread): string => `${count} times, p50 ${p50}, p99 ${p99}, most ${most} ms`
if (values.json) process.stdout.write(`${JSON.stringify(outcome)}\n`)
else {
  const { faults, tasks, acknowledged, lost, ends, moves, doubled, repeated, wasted, resumed, taskMs, broken } = outcome
  process.stdout.write(`${[
    `faults                          ${faults}`,
    `tasks asked for, acknowledged   ${tasks}, ${acknowledged}`,
    `ended with                      ${Object.entries(ends).map(([end, count]) => `${end} ${count}`).join(', ')}`,
    `acknowledged and lost           ${lost}`,
    `results taken twice             ${doubled}`,
    `contracts worked on twice       ${repeated}`,
    `awarded again                   ${moves}, work done for nothing ${wasted}`,
    `went on after its provider fell ${spread(resumed.provider)}`,
    `and after its requester fell    ${spread(resumed.requester)}`,
    `tasks took                      ${spread(taskMs)}`,
    `promises broken                 ${broken.length}`,
    ...broken.slice(0, 20).map(({ promise, why }) => `  ${promise}: ${why}`)
  ].join('\n')}\n`)
}
process.exitCode = outcome.broken.length > 0 || outcome.lost > 0 ? 1 : 0
