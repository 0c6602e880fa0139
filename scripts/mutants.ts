/**
 * Plants bugs in a copy of the source, one at a time, and runs the simulator's seeds until one finds it:
 *
 *   node scripts/mutants.ts [--seeds 1000] [--only fence]
 *
 * Prints a table of bug, seed and promise. Fails when a bug is not found, or its place in the source is not.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { mutations, type Mutation } from './mutations.ts'
import { numberOf } from './numbers.ts'

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1000' }, only: { type: 'string', default: '' } } })
const root = join(import.meta.dirname, '..')
const RUNNER = `
import { simulate } from './src/testing/index.ts'
for (let seed = 1; seed <= ${numberOf('seeds', values.seeds)}; seed++) {
  const { broken } = await simulate({ seed })
  if (broken.length === 0) continue
  console.log(JSON.stringify({ seed, ...broken[0] }))
  process.exit(0)
}
`

/** Where a seed found it. */
function find ({ bug, file, from, to }: Mutation): { seed: number, promise: string, why: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'))
  try {
    cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true })
    cpSync(join(root, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const path = join(folder, 'src', file)
    const source = readFileSync(path, 'utf8')
    if (source.split(from).length !== 2) throw new Error(`"${bug}" cannot be planted: src/${file} has ${source.split(from).length - 1} places like it`)
    writeFileSync(path, source.replace(from, () => to))
    writeFileSync(join(folder, 'run.ts'), RUNNER)
    const found = execFileSync(process.execPath, [join(folder, 'run.ts')], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
    return found === '' ? undefined : JSON.parse(found) as ReturnType<typeof find>
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

let missed = 0
for (const mutation of mutations.filter(({ bug }) => bug.includes(values.only))) {
  const found = find(mutation)
  if (found === undefined) missed++
  console.log(`| ${mutation.bug} | ${found === undefined ? 'not found' : `seed ${found.seed}`} | ${found === undefined ? '' : `${found.promise}: ${found.why.slice(0, 120)}`} |`)
}
process.exitCode = missed === 0 ? 0 : 1
