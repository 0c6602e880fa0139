/** Runs every example as its README says, and checks what it prints. Run: node examples/run-all.ts, after npm run build */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..')
const cli = join(root, 'dist/cli/main.js')
const folder = await mkdtemp(join(tmpdir(), 'a2a-examples-'))
const node = async (...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, args, { cwd: folder, timeout: 60_000, env: { ...process.env, A2A_HOME: join(folder, 'home') } })).stdout

async function hello (): Promise<void> {
  expect(await node(join(root, 'examples/hello/hello.ts')), /^Hello, mesh! \(receipt signed by both\)$/m)
}

async function dialogue (): Promise<void> {
  expect(await node(join(root, 'examples/dialogue/haggle.ts')), /^seller asks 100, buyer offers 40$[^]*^sold for \d+$/m)
}

async function exec (): Promise<void> {
  const args = ['start', '--capability', 'text.words.count', '--exec', join(root, 'examples/exec/word-count.sh'), '--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns', '--json']
  const agent = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, A2A_HOME: join(folder, 'home') } })
  const ended = once(agent, 'exit')
  try {
    const [line] = await Promise.race([once(createInterface(agent.stdout), 'line'), ended.then(([status]) => { throw new Error(`a2a-node start ended with status ${status}`) })])
    expect(line, /"event":"ready"/)
    const printed = await node(cli, 'run', 'text.words.count', '--input', '{"text":"the quick\\nbrown fox"}')
    expect(JSON.stringify(JSON.parse(printed)), /^\{"words":4,"lines":2\}$/)
  } finally {
    agent.kill('SIGTERM')
    await ended
  }
}

async function revenue (): Promise<void> {
  expect(await node(join(root, 'examples/revenue-analysis/main.ts')), /│ All .*│ +223,479 │/)
  expect(await readFile(join(folder, 'out/revenue-by-genre.svg'), 'utf8'), /^<svg /)
}

/** With a hundredth of its data. */
async function bigRevenue (): Promise<void> {
  expect(await node(join(root, 'examples/revenue-847mb/main.ts'), '--megabytes', '8', '--data', join(folder, 'data')), /│ moved +│ +8\.0 MB │ +nothing │/)
  expect(await readFile(join(folder, 'out/revenue-847mb.svg'), 'utf8'), /^<svg /)
}

function expect (printed: string, pattern: RegExp): void {
  if (!pattern.test(printed)) throw new Error(`expected ${pattern} in:\n${printed}`)
}

try {
  for (const example of [hello, dialogue, exec, revenue, bigRevenue]) {
    const began = performance.now()
    await example()
    console.log(`${example.name}: works, ${Math.round(performance.now() - began)} ms`)
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
