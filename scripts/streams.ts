/**
 * `node scripts/streams.ts [--times 100] [--seed N] [--parts 200] [--for 2] [--json]`
 *
 * Real processes: a task streams so many artifacts over so many seconds, two readers follow it, and its requester or its provider is killed
 * with SIGKILL at a random moment and started again. Every reader resumes after the last number it has. Each must be told every event
 * once, in order, with the same number, and the contract that counts must have all its artifacts in order. Every fifth is a job of the queue.
 * Needs `npm run build`. Exits with 1 when a promise was broken.
 */
import { parseArgs } from 'node:util'
import { numberOf } from './numbers.ts'
import { streamTrials } from '../test/support/stream-trials.ts'

const { values } = parseArgs({ options: {
  times: { type: 'string', default: '100' },
  seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  parts: { type: 'string', default: '200' },
  for: { type: 'string', default: '2' },
  json: { type: 'boolean', default: false }
} })
const begun = performance.now()
const tally = await streamTrials({
  times: numberOf('times', values.times),
  seed: numberOf('seed', values.seed),
  parts: numberOf('parts', values.parts),
  forMs: numberOf('for', values.for) * 1_000,
  jobsEach: 5,
  onTrial: text => { process.stderr.write(`${text}\n`) }
})
const { trials, killed, underWay, jobs, events, artifacts, lost, resumed, longestPauseMs, violations } = tally
if (values.json) process.stdout.write(`${JSON.stringify({ seed: numberOf('seed', values.seed), ...tally })}\n`)
else {
  process.stdout.write(`${[
    `streams                         ${trials}, ${jobs} of them jobs, in ${Math.round((performance.now() - begun) / 1_000)} s, seed ${values.seed}`,
    `killed                          requester ${killed.requester}, provider ${killed.provider}; ${underWay} times before the end`,
    `events told                     ${events} to two readers each, which resumed ${resumed} times`,
    `artifacts                       ${artifacts}, ${lost} of them under contracts that were lost`,
    `longest pause of a reader       ${longestPauseMs} ms`,
    `violations                      ${violations.length}`,
    ...violations.slice(0, 20).map(violation => `  ${violation}`)
  ].join('\n')}\n`)
}
process.exitCode = violations.length > 0 ? 1 : 0
