/**
 * `node scripts/mesh.ts [--nodes 30] [--processes 2] [--agents-per-node 1] [--domains 50] [--providers 4]
 *    [--settle 35] [--rest 30] [--for 20] [--rate 20] [--kill-every 0] [--start 240] [--previous 0] [--profile DIR] [--built] [--json]`
 *
 * Many whole nodes on this machine, each with its own key, home and libp2p host, several to a process. They meet by a
 * folder of their own, on 127.0.0.1. Prints what joining, resting and finding cost, as a table or as JSON. Times in seconds.
 * `--built` uses dist/ (`npm run build`) and not the sources: faster to start, and 40 MB less a process.
 * `--previous 1` runs one of the nodes with the version before (test/previous), in a process of its own.
 * `--kill-every 60` kills one process after another with SIGKILL and replaces it.
 */
import { parseArgs } from 'node:util'
import { runMesh } from './mesh/run.ts'
import { tableOf } from './mesh/table.ts'
import { numberOf } from './numbers.ts'

const { values } = parseArgs({ options: {
  nodes: { type: 'string', default: '30' },
  processes: { type: 'string', default: '2' },
  'agents-per-node': { type: 'string', default: '1' },
  domains: { type: 'string', default: '50' },
  providers: { type: 'string', default: '4' },
  start: { type: 'string', default: '240' },
  settle: { type: 'string', default: '35' },
  rest: { type: 'string', default: '30' },
  for: { type: 'string', default: '20' },
  rate: { type: 'string', default: '20' },
  'kill-every': { type: 'string', default: '0' },
  previous: { type: 'string', default: '0' },
  profile: { type: 'string' },
  built: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false }
} })

const report = await runMesh({
  nodes: numberOf('nodes', values.nodes),
  processes: numberOf('processes', values.processes),
  agentsPerNode: numberOf('agents-per-node', values['agents-per-node']),
  domains: numberOf('domains', values.domains),
  providers: numberOf('providers', values.providers),
  startMs: numberOf('start', values.start) * 1_000,
  settleMs: numberOf('settle', values.settle) * 1_000,
  restMs: numberOf('rest', values.rest) * 1_000,
  findMs: numberOf('for', values.for) * 1_000,
  rate: numberOf('rate', values.rate),
  killEveryMs: numberOf('kill-every', values['kill-every']) * 1_000,
  previous: numberOf('previous', values.previous),
  profile: values.profile,
  built: values.built,
  onEvent: what => { process.stderr.write(`${what}\n`) }
})
process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : `${tableOf(report)}\n`)
