/**
 * The promises of the first version, tried many times over with real processes, and their figures printed.
 *   node scripts/acceptance.ts [three|two|kill|sleep|cost …] [--times N]
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createNamespace } from '../test/support/namespace.ts'
import { createMesh, LOOPBACK, type Finished, type Mesh, type StartedNode } from '../test/support/processes.ts'

const { positionals, values: { times: given } } = parseArgs({ allowPositionals: true, options: { times: { type: 'string' } } })
const times = (normally: number): number => given === undefined ? normally : Number(given)
const WORKER = ['--module', join(import.meta.dirname, '../test/support/worker.ts')]
const UPPER = ['--capability', 'text.case.upper', '--exec', 'tr a-z A-Z']
const LEASE_MS = 5_000

const trials: Record<string, () => Promise<string>> = {
  /** Three nodes, no flags about the network, asked from a fourth home within a second of the last `ready`. */
  three: async () => await inNamespace(async (mesh, within) => await tally(times(30), async () => {
    const nodes = await Promise.all(['a', 'b', 'c'].map(name => mesh.start(name, UPPER, { within, noFlags: true })))
    const asked = await mesh.a2a(['run', 'text.case.upper', '--input', '"hello"', '--json', '--home', mesh.home('d')], { within })
    await Promise.all(nodes.map(node => node.stop()))
    return isDone(asked, 2)
  })),

  /** Two nodes alone, asked right after `ready`. */
  two: async () => await inNamespace(async (mesh, within) => await tally(times(50), async () => {
    const node = await mesh.start('only', UPPER, { within, noFlags: true })
    const asked = await mesh.a2a(['run', 'text.case.upper', '--input', '"hello"', '--json', '--home', mesh.home('d')], { within })
    await node.stop()
    return isDone(asked, 1)
  })),

  /** `kill -9` of the winner in mid-work: the runner-up finishes in epoch 2, within the lease and a second. */
  kill: async () => await onLoopback(async mesh => {
    const lost: number[] = []
    const dear = await mesh.start('dear', WORKER, { env: { WORKER_COST: '50' } })
    const verdict = await tally(times(20), async () => {
      const { second, finished, stoppedAt } = await interrupt(mesh, 'SIGKILL')
      lost.push(second.at - stoppedAt)
      return finished.code !== 0 ? `exit ${finished.code}` : second.at - stoppedAt > LEASE_MS + 1_000 ? `${second.at - stoppedAt} ms lost` : finished.events.at(-1).provider === dear.agentId ? undefined : 'somebody else did it'
    })
    return `${verdict}; time lost ${spread(lost)}`
  }),

  /** SIGSTOP of the winner: the standby finishes, and the sleeper's late result is refused. */
  sleep: async () => await onLoopback(async mesh => {
    const lost: number[] = []
    await mesh.start('dear', WORKER, { env: { WORKER_COST: '50' } })
    const asker = await mesh.start('asker')
    const verdict = await tally(times(10), async () => {
      const { cheap, second, finished, stoppedAt } = await interrupt(mesh, 'SIGSTOP', asker)
      lost.push(second.at - stoppedAt)
      cheap.signal('SIGCONT')
      const { task_id: taskId } = second
      let stage = 'none'
      for (let i = 0; i < 50 && !['revoked', 'fenced'].includes(stage); i++) {
        stage = (await mesh.a2a(['task', 'show', taskId, '--json', '--home', cheap.home])).events[0]?.row.stage
      }
      await cheap.stop()
      const results = finished.events.filter(({ event }) => event === 'result').length
      return finished.code === 0 && results === 1 && stage !== 'none' ? undefined : `exit ${finished.code}, ${results} results, sleeper ${stage}`
    })
    return `${verdict}; time lost ${spread(lost)}`
  }),

  /** What starting, asking and resting cost. */
  cost: async () => await onLoopback(async mesh => {
    const ready: number[] = []
    const found: number[] = []
    const help: number[] = []
    for (let i = 0; i < times(10); i++) {
      const begun = performance.now()
      const node = await mesh.start(`n${i}`, UPPER)
      ready.push(node.readyAt - begun)
      if (i === 0) await mesh.start('other', ['--capability', 'other.thing.do', '--exec', 'cat'])
      const { ms, code } = await mesh.a2a(['find', 'other.thing.do', '--json', '--home', node.home])
      if (code !== 0) throw new Error('find failed')
      found.push(ms)
      help.push((await mesh.a2a(['--help'])).ms)
      if (i > 0) await node.stop()
    }
    const node = await mesh.start('rest', UPPER)
    const ticks = (): number => {
      const fields = readFileSync(`/proc/${node.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
      return Number(fields[11]) + Number(fields[12])
    }
    // At rest: what an idle node uses over half a minute, after it has settled.
    await once(AbortSignal.timeout(10_000), 'abort')
    const before = ticks()
    await once(AbortSignal.timeout(30_000), 'abort')
    const cpu = (ticks() - before) / 100 / 30 * 100
    const [, rss = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${node.pid}/status`, 'utf8')) ?? []
    return `ready ${spread(ready)}; find ${spread(found)}; --help ${spread(help)}; at rest ${Math.round(Number(rss) / 1_024)} MiB, ${cpu.toFixed(2)} % of a core`
  })
}

/** A task in mid-work whose winner gets the signal. */
async function interrupt (mesh: Mesh, signal: 'SIGKILL' | 'SIGSTOP', asker?: StartedNode): Promise<{ cheap: StartedNode, second: any, finished: Finished, stoppedAt: number }> {
  const cheap = await mesh.start('cheap', WORKER, { env: { WORKER_COST: '1' } })
  const from = asker === undefined ? ['--home', mesh.home('d'), ...LOOPBACK] : ['--home', asker.home]
  const work = mesh.stream(['run', 'work.steps.do', '--input', '{"steps":5,"stepMs":200}', '--json', ...from])
  await work.event(({ event, provider }) => event === 'progress' && provider === cheap.agentId)
  const stoppedAt = Date.now()
  cheap.signal(signal)
  const second = await work.event(({ event, epoch }) => event === 'awarded' && epoch === 2)
  return { cheap, second, finished: await work.finished, stoppedAt }
}

function isDone ({ code, events, stderr }: Finished, bids: number): string | undefined {
  const kinds = events.map(({ event }) => event)
  const last = events.at(-1)
  if (code !== 0) return `exit ${code}: ${stderr}`
  if (kinds.filter(kind => kind === 'bid').length < bids) return `bids: ${kinds.join()}`
  if (!kinds.includes('announced') || events.find(({ event }) => event === 'awarded')?.reason === undefined) return `events: ${kinds.join()}`
  return last.output === 'HELLO' && last.receipt.verified === true ? undefined : JSON.stringify(last)
}

/** Runs the trial so many times; it gives what went wrong, or nothing. */
async function tally (count: number, trial: () => Promise<string | undefined>): Promise<string> {
  let good = 0
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const begun = performance.now()
    const fault = await trial()
    took.push(performance.now() - begun)
    if (fault === undefined) good++
    else console.error(`  ${i + 1}: ${fault}`)
  }
  return `${good} of ${count}; each ${spread(took)}`
}

async function onLoopback (trial: (mesh: Mesh) => Promise<string>): Promise<string> {
  await using mesh = createMesh()
  return await trial(mesh)
}

async function inNamespace (trial: (mesh: Mesh, within: string[]) => Promise<string>): Promise<string> {
  const namespace = createNamespace()
  if ('skipped' in namespace) return namespace.skipped
  using _ = namespace
  return await onLoopback(mesh => trial(mesh, namespace.within))
}

function spread (figures: number[]): string {
  const sorted = figures.toSorted((a, b) => a - b).map(Math.round)
  return `median ${sorted[Math.floor(sorted.length / 2)]} ms, worst ${sorted.at(-1)} ms`
}

for (const name of positionals.length > 0 ? positionals : Object.keys(trials)) {
  const trial = trials[name]
  if (trial === undefined) throw new Error(`there is no trial ${name}; there are ${Object.keys(trials).join(', ')}`)
  console.log(`${name}: ${await trial()}`)
}
