/** Runs the simulator over many seeds: `node scripts/sim.ts --seeds 1000 [--seed 1]`. With `--trace` it prints one run. */
import { parseArgs } from 'node:util'
import { simulate } from '../src/testing/simulator.ts'

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' }, trace: { type: 'boolean', default: false } } })
const [first, count] = [Number(values.seed), values.trace ? 1 : Number(values.seeds)]
const begun = performance.now()
const ends: Record<string, number> = {}
let failed = 0

for (let seed = first; seed < first + count; seed++) {
  const run = await simulate({ seed })
  for (const [end, times] of Object.entries(run.ends)) ends[end] = (ends[end] ?? 0) + times
  if (values.trace) console.log(run.lines.join('\n'))
  if (run.broken.length > 0) {
    failed++
    process.stderr.write(`\nseed ${seed}: ${run.broken.join('\n  ')}\n  replay it with: node scripts/sim.ts --seed ${seed} --trace\n`)
  }
  const done = seed - first + 1
  if (done % 20 === 0 || done === count) process.stderr.write(`\r${done} of ${count} seeds, ${failed} failed, ${(done / (performance.now() - begun) * 1_000).toFixed(1)} a second`)
}
process.stderr.write(`\n${Object.entries(ends).map(([end, times]) => `${end} ${times}`).join(', ')}\n`)
process.exitCode = failed === 0 ? 0 : 1
