/** The README's program does what the README says. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import assert from 'node:assert/strict'
import { createNamespace } from './support/namespace.ts'

const root = join(import.meta.dirname, '..')
const programs = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, program = '']) => program)

/** Runs a program as a user's would be, in a namespace of its own: with all defaults, it listens everywhere. */
function run (test: TestContext, program: string): string[] | undefined {
  const namespace = createNamespace()
  if ('skipped' in namespace) { test.skip(namespace.skipped); return undefined }
  using _ = namespace
  // Inside the checkout, so that it finds the package by its own name.
  const folder = mkdtempSync(join(root, 'readme-test-'))
  try {
    writeFileSync(join(folder, 'program.ts'), program)
    const [command = '', ...args] = [...namespace.within, process.execPath, join(folder, 'program.ts')]
    return execFileSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 30_000, env: { PATH: process.env.PATH, HOME: folder, XDG_RUNTIME_DIR: folder } }).trim().split('\n')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

it("README's program prints what its comments say", test => {
  const lines = run(test, programs[0] ?? '')
  if (lines === undefined) return
  assert.deepEqual(lines.slice(0, 4), ['announced', 'bid', 'awarded', 'accepted'])
  assert.deepEqual(lines.slice(-2), ['result', '{ total: 42 } true'])
})

it("README's agents talk as it says", test => {
  const lines = run(test, `
import { createAgent } from 'a2a-node'
import { writeFileSync, readFileSync } from 'node:fs'
const [worker, asker] = await Promise.all([createAgent({ name: 'worker' }), createAgent({ name: 'asker' })])
await asker.node.joined()
let consumed = 0
const consume = (bytes) => { consumed += bytes.length }
writeFileSync('sales.csv', 'a,b\\n'.repeat(1_000_000))
${programs[1] ?? ''}
await dialogue.send({ price: 41 })
const { value } = await dialogue[Symbol.asyncIterator]().next()
console.log(quote, value, consumed, readFileSync('copy.csv').equals(readFileSync('sales.csv')))
await Promise.all([worker, asker].map(agent => agent[Symbol.asyncDispose]()))
`)
  if (lines === undefined) return
  assert.deepEqual(lines, ['{ price: 42 } { counter: 42 } 4000000 true'])
})

it("README's bargain and terms of service lead to a contract", test => {
  const lines = run(test, `
import { createAgent } from 'a2a-node'
const [worker, asker] = await Promise.all([createAgent({ name: 'worker' }), createAgent({ name: 'asker' })])
await asker.node.joined()
await worker.provide('data.sum', {
  bid: () => ({ cost: 3, durationMs: 60_000, confidence: 1 }),
  onCounter: (_call, { offered, asked }) => ({ ...offered, ...asked }),
  run: amounts => amounts.reduce((sum, amount) => sum + amount, 0)
})
${programs[2] ?? ''}
console.log(sum, cost)
await Promise.all([worker, asker].map(agent => agent[Symbol.asyncDispose]()))
`)
  if (lines === undefined) return
  assert.deepEqual(lines, ['42 2'])
})

it("README's watch tells who comes and leaves", test => {
  const lines = run(test, `
import { createAgent } from 'a2a-node'
const [worker, asker] = await Promise.all([createAgent({ name: 'worker' }), createAgent({ name: 'asker' })])
await asker.node.joined()
await worker.provide('data.sum', { run: () => 1 })
// Leaves when it was seen, however long that takes.
void (async () => { for await (const { change } of asker.watch('data.*')) if (change === 'found') await worker[Symbol.asyncDispose]() })()
${programs[3] ?? ''}
await asker[Symbol.asyncDispose]()
`)
  if (lines === undefined) return
  assert.deepEqual(lines, ["found worker [ 'data.sum' ]", "left worker [ 'data.sum' ]"])
})

it("README's job is done once, and is no dead letter", test => {
  const lines = run(test, `
import { createAgent } from 'a2a-node'
const asker = await createAgent({ name: 'asker' })
await asker.provide('data.sum', { run: amounts => amounts.reduce((sum, amount) => sum + amount, 0) })
${programs[4] ?? ''}
await asker[Symbol.asyncDispose]()
`)
  if (lines === undefined) return
  assert.deepEqual(lines, ['42', '[]'])
})

it("README's fan-out and hedged task give a result", test => {
  const lines = run(test, `
import { createAgent, fanOut } from 'a2a-node'
const [worker, asker] = await Promise.all([createAgent({ name: 'worker' }), createAgent({ name: 'asker' })])
for (const agent of [worker, await worker.node.createAgent(), await worker.node.createAgent()]) await agent.provide('text.tone.judge', { run: () => 'warm' })
await asker.node.joined()
${programs[5] ?? ''}
console.log(votes.filter(({ state }) => state === 'completed').length, tone)
await Promise.all([worker, asker].map(agent => agent[Symbol.asyncDispose]()))
`)
  if (lines === undefined) return
  assert.deepEqual(lines, ['2 warm'])
})
