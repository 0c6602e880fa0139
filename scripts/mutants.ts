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

interface Mutation { bug: string, file: string, from: string, to: string }

const mutations: Mutation[] = [
  { bug: 'requester: skips the fence', file: 'core/requester.ts', from: 'if (winnerOf(task)?.provider !== provider || epoch !== task.epoch) return fenceOff(task, event)', to: 'if (winnerOf(task) === undefined) return fenceOff(task, event)' },
  { bug: 'requester: does not look at epochs', file: 'core/requester.ts', from: 'if (winnerOf(task)?.provider !== provider || epoch !== task.epoch) return', to: 'if (winnerOf(task)?.provider !== provider) return' },
  { bug: 'requester: awards anew in the same epoch', file: 'core/requester.ts', from: 'const epoch = task.epoch + 1', to: 'const epoch = Math.max(1, task.epoch)' },
  { bug: 'requester: awards to whom it has excluded', file: 'core/requester.ts', from: 'const excluded = onlyLost ? task.excluded : [...task.excluded, winner.provider]', to: 'const { excluded } = task' },
  { bug: 'requester: does not see leases expire', file: 'core/requester.ts', from: 'if (at >= leaseUntil) return move', to: 'if (at < 0) return move' },
  { bug: 'requester: takes bids over the budget', file: 'core/requester.ts', from: 'task.bids.filter(bid => bid.cost <= limit)', to: 'task.bids' },
  { bug: 'requester: takes the same part twice', file: 'core/requester.ts', from: 'if (event.sequence <= working.sequence) return same(working)', to: '' },
  { bug: 'requester: does not look at the hash of the output', file: 'negotiate/verdict.ts', from: 'if (receipt.output_hash !== hashOf(content)) return', to: 'if (false) return' },
  { bug: 'requester: does not check the output', file: 'negotiate/verdict.ts', from: 'if (why !== undefined) return bad(why)', to: '' },
  { bug: 'requester: tells what follows the end', file: 'negotiate/requester.ts', from: 'if (entry === undefined || entry.ending === true) return', to: 'if (entry === undefined) return' },
  { bug: 'requester: bars whoever has a full disk', file: 'negotiate/requester.ts', from: "failure.code === 'OVERLOADED' || failure.code === 'LOG_WRITE_FAILED'", to: 'false' },
  { bug: 'book: acts before the commit', file: 'negotiate/book.ts', from: 'if (writes.length > 0) await written(taskId, writes)', to: 'if (writes.length > 0) written(taskId, writes).catch(() => {})' },
  { bug: 'book: builds on what was not written', file: 'negotiate/book.ts', from: '    } else takeUp(taskId)', to: '    }' },
  { bug: 'book: does not try a refused timer again', file: 'negotiate/book.ts', from: 'if (!closed) timers.set(taskId, clock.after(RETRY_MS', to: 'if (false) timers.set(taskId, clock.after(RETRY_MS' },
  { bug: 'provider: runs the same award again', file: 'core/provider.ts', from: "case 'working': return { task: { ...task, contract, deadlineAt }, effects: [{ type: 'accept', contract }] }", to: "case 'working': return { task: { ...task, contract, deadlineAt }, effects: [{ type: 'accept', contract }, { type: 'run', contract, deadlineAt }] }" },
  { bug: 'provider: forgets the epoch of an award that is over', file: 'core/provider.ts', from: 'if (contract.epoch === current || (task', to: 'if ((task' },
  { bug: 'provider: does not deliver again', file: 'core/provider.ts', from: 'retryAt: at + wait })', to: 'retryAt: task.giveUpAt })' },
  { bug: 'provider: delivers before the commit', file: 'negotiate/provider.ts', from: "const { effects, done } = book.apply(taskId, { type: 'handled', at: now(), outcome })\n    const task = book.get(taskId)", to: "const { effects, done } = book.apply(taskId, { type: 'handled', at: now(), outcome })\n    const task = book.get(taskId)\n    for (const effect of effects) if (task !== undefined) perform(taskId, effect, task)" },
  { bug: 'log: acknowledges before the commit', file: 'store/group.ts', from: 'queue.push({ write, resolve, reject })', to: 'queue.push({ write, resolve, reject })\n      resolve(undefined as never)' },
  { bug: 'log: keeps nothing of a patient write that is alone', file: 'store/group.ts', from: 'postponed ??= later(() => { schedule() })\n      return', to: 'for (const { resolve } of queue.splice(0)) resolve(undefined)\n      return' },
  { bug: 'ledger: settles a contract as often as it is asked', file: 'settle/ledger.ts', from: 'if (before?.countersignature !== undefined) {', to: 'if (false && before?.countersignature !== undefined) {' },
  { bug: 'ledger: makes a new receipt each time', file: 'settle/ledger.ts', from: 'if (before !== undefined) return decodeEnvelope(before.statement)', to: '' },
  { bug: 'ledger: agrees to whatever is delivered', file: 'settle/ledger.ts', from: 'countersign(opened, { accepted, previous }', to: 'countersign(opened, { accepted: true, previous }' },
  { bug: 'clock: follows the wall clock', file: 'core/clock.ts', from: 'now: () => Math.floor(origin + monotonic())', to: 'now: wall.now' }
]

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '1000' }, only: { type: 'string', default: '' } } })
const root = join(import.meta.dirname, '..')
const RUNNER = `
import { simulate } from './src/testing/index.ts'
for (let seed = 1; seed <= ${Number(values.seeds)}; seed++) {
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
