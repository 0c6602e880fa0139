/**
 * `node scripts/measure-delegation.ts [--rounds 3] [--one-by-one 300] [--together 2000] [--in-flight 32] [--of DIR]… [--profile DIR]`
 *
 * Whole delegations of a trivial capability, between two processes on a real disk: one node that asks, and one with three agents
 * that all bid. Several trees (`--of`) are measured in turns, so that what else the machine does falls on all of them.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { numberOf } from './numbers.ts'

const CAPABILITY = 'bench.trivial.echo'
const LISTEN = ['/ip4/127.0.0.1/tcp/0']

interface Report { latencies: number[], tookMs: number, cpuMs: number, counts: Record<string, number>, memory: Record<string, number> }

const { values } = parseArgs({ allowPositionals: true, options: {
  rounds: { type: 'string', default: '3' },
  'one-by-one': { type: 'string', default: '300' },
  together: { type: 'string', default: '2000' },
  'in-flight': { type: 'string', default: '32' },
  of: { type: 'string', multiple: true, default: [resolve(import.meta.dirname, '..')] },
  profile: { type: 'string' }
} })

if (process.send === undefined) await measure()
else await work()

async function measure (): Promise<void> {
  for (let round = 1; round <= numberOf('rounds', values.rounds); round++) for (const root of values.of) {
    const folder = mkdtempSync(join(tmpdir(), 'a2a-measure-'))
    const provider = await start('provider', root, folder)
    const requester = await start('requester', root, folder, provider.ready)
    try {
      await ask(requester.child, 'run', { count: 300, inFlight: 8 })
      for (const [name, count, inFlight] of [['one by one', numberOf('one-by-one', values['one-by-one']), 1], ['together', numberOf('together', values.together), numberOf('in-flight', values['in-flight'])]] as const) {
        if (count === 0) continue
        const profile = values.profile === undefined ? undefined : resolve(values.profile)
        await ask(provider.child, 'begin', { profile: profile && join(profile, `provider-${inFlight}.cpuprofile`) })
        const asked = await ask(requester.child, 'run', { count, inFlight, profile: profile && join(profile, `requester-${inFlight}.cpuprofile`) })
        const done = await ask(provider.child, 'end', {})
        tell(`${values.of.length > 1 ? `${root} ` : ''}round ${round}, ${name}`, count, asked, done)
      }
    } finally {
      for (const { child } of [requester, provider]) {
        child.disconnect()
        if (child.exitCode === null) await once(child, 'exit')
      }
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

function tell (name: string, count: number, asked: Report, done: Report): void {
  const sorted = asked.latencies.sort((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(2)
  const of = ({ cpuMs, counts, memory }: Report): string =>
    `cpu ${(cpuMs / count).toFixed(2)} ms, ${Object.entries(counts).map(([what, n]) => `${what} ${(n / count).toFixed(2)}`).join(', ')}; ${Object.entries(memory).map(([what, n]) => `${what} ${(n / 1_048_576).toFixed(1)} MiB`).join(', ')}`
  console.log(`${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${(count * 1_000 / asked.tookMs).toFixed(0)}/s`)
  console.log(`  requester, each: ${of(asked)}`)
  console.log(`  provider, each: ${of(done)}`)
}

async function start (role: string, root: string, folder: string, peer?: { address: string }): Promise<{ child: ChildProcess, ready: { address: string } }> {
  const child = fork(import.meta.filename, [role, root, folder, ...(peer === undefined ? [] : [peer.address])], { env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder }, execArgv: ['--expose-gc'], serialization: 'advanced' })
  const [ready] = await once(child, 'message') as [{ address: string }]
  return { child, ready }
}

async function ask (child: ChildProcess, what: string, options: object): Promise<Report> {
  child.send({ what, ...options })
  const [report] = await once(child, 'message') as [Report]
  return report
}

async function work (): Promise<void> {
  const [role = '', root = '', folder = '', address] = process.argv.slice(2)
  const counts: Record<string, number> = {}
  count(counts)
  const { createNode } = await import(join(root, 'src/node.ts')) as typeof import('../src/node.ts')
  const node = await createNode({ home: join(folder, role), name: role, listen: LISTEN, mdns: false, rendezvous: join(folder, 'rendezvous'), bootstrap: address === undefined ? [] : [address] })
  const [agent] = node.agents
  if (agent === undefined) throw new Error('no agent')
  if (role === 'provider') {
    const agents = [agent, await node.createAgent({ name: 'second' }), await node.createAgent({ name: 'third' })]
    for (const each of agents) await each.provide(CAPABILITY, { maxConcurrent: 1_000, run: (input: unknown) => input })
  } else {
    await node.joined(5_000)
    for (let i = 0; i < 100 && (await node.find(CAPABILITY)).length < 3; i++) await new Promise(resolve => { setTimeout(resolve, 50) })
  }

  const session = new Session()
  session.connect()
  let profileTo: string | undefined
  let cpu = process.cpuUsage()
  const begin = async (profile?: string): Promise<void> => {
    profileTo = profile
    if (profile !== undefined) {
      await session.post('Profiler.enable')
      await session.post('Profiler.setSamplingInterval', { interval: 200 })
      await session.post('Profiler.start')
    }
    for (const name of Object.keys(counts)) delete counts[name]
    cpu = process.cpuUsage()
  }
  const end = async (latencies: number[], tookMs: number): Promise<Report> => {
    const { user, system } = process.cpuUsage(cpu)
    if (profileTo !== undefined) writeFileSync(profileTo, JSON.stringify((await session.post('Profiler.stop')).profile))
    const counted = { ...counts }
    globalThis.gc?.()
    const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
    return { latencies, tookMs, cpuMs: (user + system) / 1_000, counts: counted, memory: { heapUsed, arrayBuffers, rss } }
  }
  async function run (total: number, inFlight: number): Promise<{ latencies: number[], tookMs: number }> {
    const latencies: number[] = []
    const from = performance.now()
    let left = total
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        const at = performance.now()
        await (agent as NonNullable<typeof agent>).delegate(CAPABILITY, { n: left }).result
        latencies.push(performance.now() - at)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
    return { latencies, tookMs: performance.now() - from }
  }
  process.on('message', async (message: { what: string, count: number, inFlight: number, profile?: string }) => {
    if (message.what === 'begin') {
      await begin(message.profile)
      process.send?.({})
    } else if (message.what === 'end') process.send?.(await end([], 0))
    else {
      await begin(message.profile)
      const { latencies, tookMs } = await run(message.count, message.inFlight)
      process.send?.(await end(latencies, tookMs))
    }
  })
  process.on('disconnect', async () => {
    await node[Symbol.asyncDispose]()
    process.exit(0)
  })
  process.send?.({ address: node.addresses()[0] })
}

/** Counts what costs: signatures, their checks, and commits, of which each is one fsync. */
function count (counts: Record<string, number>): void {
  const require = createRequire(import.meta.url)
  const crypto = require('node:crypto') as Record<string, (...args: unknown[]) => unknown>
  for (const name of ['sign', 'verify']) {
    const original = crypto[name] as (...args: unknown[]) => unknown
    crypto[name] = (...args) => {
      counts[name] = (counts[name] ?? 0) + 1
      return original(...args)
    }
  }
  syncBuiltinESMExports()
  const { DatabaseSync } = require('node:sqlite') as typeof import('node:sqlite')
  const { exec } = DatabaseSync.prototype
  DatabaseSync.prototype.exec = function (sql) {
    if (sql !== 'COMMIT') return exec.call(this, sql)
    counts['fsync'] = (counts['fsync'] ?? 0) + 1
    exec.call(this, sql)
  }
}
