/**
 * `node scripts/sybils.ts [--agents 20] [--sybils 100] [--fresh] [--rate 50] [--for 180] [--seed 1] [--json]`
 *
 * A market under attack: agents that ask and work, and sybils that underbid all of them and keep no contract (a quarter each never
 * answers, only says that it is alive, delivers what is wrong, and refuses). `--fresh`: each that was given a contract comes
 * back as somebody new. The real ends of negotiation in virtual time, over the simulator's network; prints what share of the awards
 * went to sybils in each 10 s, and how the tasks ended.
 */
import { parseArgs } from 'node:util'
import { createHistory } from '../src/testing/history.ts'
import { agentIdOf, createHost, peerIdOf, type Known, type World } from '../src/testing/host.ts'
import { createNetwork } from '../src/testing/network.ts'
import { createRandom } from '../src/testing/random.ts'
import { createSeal, issueSealed } from '../src/testing/seals.ts'
import { createTimeline } from '../src/testing/timeline.ts'
import { compileSchema } from '../src/execute/schema.ts'
import { compose, composeReply, payloadOf, type Author } from '../src/wire/compose.ts'
import { signEnvelope } from '../src/wire/envelope.ts'
import { hashOf } from '../src/wire/hash.ts'
import type { BuildAgent } from '../src/testing/agents.ts'
import type { Envelope } from '../src/core/envelope.ts'

const { values } = parseArgs({ options: {
  agents: { type: 'string', default: '20' },
  sybils: { type: 'string', default: '100' },
  fresh: { type: 'boolean', default: false },
  rate: { type: 'string', default: '50' },
  for: { type: 'string', default: '180' },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false }
} })
const [agents, sybils, rate, seconds, seed] = [values.agents, values.sybils, values.rate, values.for, values.seed].map(Number) as [number, number, number, number, number]
const BIN_MS = 10_000
const START = Date.UTC(2026, 0, 1)

const timeline = createTimeline(START)
const random = createRandom(seed)
const history = createHistory(timeline.now)
const network = createNetwork({ timeline, seed, history })
const known: Known[] = []
const world: World = {
  seed, timeline, history, network, known,
  plants: {},
  guard: { within: (_agent, run) => run(), used: () => [] },
  mishap: () => undefined,
  unbuilt: (_name, error) => { throw error }
}
const worker: BuildAgent = async (agent, surroundings) => {
  await agent.provide('sim.work', {
    maxConcurrent: 4,
    queue: 0,
    bid: () => ({ cost: 1 + Math.floor(surroundings.random() * 12), confidence: 0.5 }),
    run: async (_input, { taskId, epoch }) => {
      await surroundings.sleep(50 + Math.floor(surroundings.random() * 101))
      return { by: agent.name, taskId, epoch, right: true }
    }
  })
}
// Loading the compiler of schemas takes real time.
await compileSchema({})
const hosts = Array.from({ length: agents }, (_, n) => createHost(`agent-${n}`, worker, world))
known.push(...hosts)
for (const host of hosts) host.boot()
let made = 0
for (let n = 0; n < sybils; n++) enter(n % 4)

/** A sybil, with what it does about an award: 0 nothing, 1 says that it is alive, 2 lies, 3 refuses. */
function enter (way: number): void {
  const name = `sybil-${++made}`
  const [agentId, peer] = [agentIdOf(name), peerIdOf(name)]
  const signer = createSeal(agentId)
  let ids = 0
  const author: Author = { agentId, newId: () => `${name}-${++ids}`, now: timeline.now }
  const { wire } = network.plug({ peerId: peer, agentId, clock: timeline, whenAwake: run => { run() }, alive: () => true, handle: (envelope, { peer: from }) => handle(envelope, from) })
  known.push({ agentId, peer, addresses: [], offers: () => true })

  async function handle (envelope: Envelope, from: string): Promise<Envelope | undefined> {
    const { type, correlationId, epoch } = envelope
    const fields = { correlationId, to: envelope.from, epoch }
    if (type === 'task.announce') {
      const { round, peer_id: to } = payloadOf(envelope, 'task.announce')
      const bid = compose('task.bid', { round, cost: 0, duration_ms: 1, confidence: 1, load: 0, valid_ms: 60_000 }, author, { ...fields, causationId: envelope.messageId })
      wire.send(to, signEnvelope(bid, signer)).catch(() => {})
    }
    if (type !== 'task.award') return undefined
    const place = known.findIndex(other => other.agentId === agentId)
    if (values.fresh && place >= 0) {
      known.splice(place, 1)
      enter(way)
    }
    if (way === 0) return undefined
    if (way === 3) return signEnvelope(composeReply(envelope, 'task.refuse', { reason: 'not now', retryable: true }, author), signer)
    if (way === 1) for (let beat = 1; beat < 40; beat++) timeline.after(250 * beat, () => { wire.send(from, compose('task.heartbeat', {}, author, fields)).catch(() => {}) })
    if (way === 2) timeline.after(20, () => { wire.request(from, lieAbout(envelope)).catch(() => {}) })
    return signEnvelope(composeReply(envelope, 'task.accept', { contract_hash: hashOf(envelope.auth?.statement ?? new Uint8Array()) }, author), signer)
  }

  function lieAbout (award: Envelope): Envelope {
    const { correlationId: taskId, from: requester, epoch = 0 } = award
    const content = Buffer.from('{"right":false}')
    const receipt = issueSealed({
      taskId, capability: 'sim.work', epoch, requester, outcome: 'completed', contractHash: hashOf(award.auth?.statement ?? new Uint8Array()),
      inputHash: payloadOf(award, 'task.award').input_hash, outputHash: hashOf(content), cost: 0, durationMs: 1, endedAt: timeline.now()
    }, author, signer)
    const payload = { outcome: 'completed' as const, output_hash: hashOf(content), receipt: Buffer.from(receipt.auth?.statement ?? []).toString('base64url') }
    return { ...signEnvelope(compose('task.result', payload, author, { correlationId: taskId, to: requester, epoch }), signer), content }
  }
}

for (let n = 0; n < rate * seconds; n++) {
  timeline.after(n * 1_000 / rate, () => { random.pick(hosts).delegate('sim.work', { ask: n }, { maxDurationMs: 20_000, leaseMs: 1_000, bidWindowMs: 200, output: { properties: { right: { const: true } } } }, false) })
}
await timeline.runUntil(START + seconds * 1_000 + 20_000)

const bins = Array.from({ length: Math.ceil(seconds * 1_000 / BIN_MS) }, (_, n) => ({ fromS: n * BIN_MS / 1_000, awards: 0, toSybils: 0 }))
const ends: Record<string, number> = {}
for (const seen of history.observations) {
  if (seen.what !== 'told') continue
  const { event } = seen
  if (event.event === 'result') ends['result'] = (ends['result'] ?? 0) + 1
  if (event.event === 'failed') ends[event.failure.code] = (ends[event.failure.code] ?? 0) + 1
  const bin = bins[Math.floor((seen.at - START) / BIN_MS)]
  if (event.event !== 'awarded' || bin === undefined) continue
  bin.awards++
  if (event.provider.startsWith(agentIdOf('sybil'))) bin.toSybils++
}
const later = bins.filter(({ fromS }) => fromS >= 60)
const share = (some: typeof bins): number => some.reduce((sum, { toSybils }) => sum + toSybils, 0) / Math.max(1, some.reduce((sum, { awards }) => sum + awards, 0))
const percent = (part: number): string => `${(100 * part).toFixed(2)} %`
if (values.json) process.stdout.write(`${JSON.stringify({ bins, ends, identities: made, shareAfterMinute: share(later) })}\n`)
else {
  for (const bin of bins) process.stdout.write(`${String(bin.fromS).padStart(4)} s  ${String(bin.awards).padStart(5)} awards  ${String(bin.toSybils).padStart(4)} to sybils  ${percent(share([bin]))}\n`)
  process.stdout.write(`after the first minute: ${percent(share(later))} of awards to sybils (${made} identities); tasks: ${JSON.stringify(ends)}\n`)
}
if (later.length > 0 && share(later) > 0.05) process.exitCode = 1
