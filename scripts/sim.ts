/**
 * Runs the simulator over many seeds, or one:
 *
 *   node scripts/sim.ts --seeds 1000 [--seed 1] [--threads 2]
 *   node scripts/sim.ts --seed 7 --trace             every line of its run
 *   node scripts/sim.ts --seed 7 --shrink            the smallest schedule that breaks the same promise, and its run
 *   node scripts/sim.ts --schedule FILE --trace      a schedule as `--shrink` prints it
 *   … --only crashes,diskFails                       no other faults than these
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { NO_FAULTS, shrink, simulate, type Run, type Schedule, type SimulationOptions } from '../src/testing/index.ts'
import { runSeeds } from './seeds.ts'
import { numberOf } from './numbers.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '1' },
    only: { type: 'string' },
    schedule: { type: 'string' },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false }
  }
})
const seed = numberOf('seed', values.seed)
const faults: SimulationOptions['faults'] = values.only === undefined ? {} : { ...NO_FAULTS, ...Object.fromEntries(values.only.split(',').map(name => [name, 1])) }
const schedule = values.schedule === undefined ? undefined : JSON.parse(readFileSync(values.schedule, 'utf8')) as Schedule

const printBroken = ({ broken }: Pick<Run, 'broken'>): void => { for (const { promise, why } of broken) process.stderr.write(`  ${promise}: ${why}\n`) }

if (values.shrink) {
  const { run, promise, tried } = await shrink({ seed, faults, schedule })
  const { schedule: smallest, lines } = run
  console.log(JSON.stringify(smallest, undefined, 2))
  console.log(lines.join('\n'))
  process.stderr.write(`\n${promise} is still broken by ${smallest.faults.length} faults, ${smallest.tasks.length} tasks and ${smallest.agents.length} agents (${tried} runs):\n`)
  printBroken(run)
  process.exitCode = 1
} else if (values.trace || schedule !== undefined) {
  const run = await simulate({ seed, faults, schedule })
  console.log(run.lines.join('\n'))
  printBroken(run)
  process.exitCode = run.broken.length === 0 ? 0 : 1
} else {
  const count = numberOf('seeds', values.seeds)
  const begun = performance.now()
  let [done, failed] = [0, 0]
  const ends: Record<string, number> = {}
  await runSeeds({
    first: seed, count, faults,
    threads: numberOf('threads', values.threads),
    onRun: run => {
      done++
      for (const [end, times] of Object.entries(run.ends)) ends[end] = (ends[end] ?? 0) + times
      if (run.broken.length > 0) {
        failed++
        process.stderr.write(`\nseed ${run.seed}; make it small with: node scripts/sim.ts --seed ${run.seed} --shrink\n`)
        printBroken(run)
      }
      if (done % 20 === 0 || done === count) process.stderr.write(`\r${done} of ${count} seeds, ${failed} failed, ${(done / (performance.now() - begun) * 1_000).toFixed(1)} a second`)
    }
  })
  process.stderr.write(`\n${Object.entries(ends).map(([end, times]) => `${end} ${times}`).join(', ')}\n`)
  process.exitCode = failed === 0 ? 0 : 1
}
