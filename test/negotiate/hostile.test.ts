/** Peers that speak the protocol well, and mean harm. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { compose, composeReply, payloadOf } from '../../src/wire/compose.ts'
import { signEnvelope } from '../../src/wire/envelope.ts'
import { hashOf } from '../../src/wire/hash.ts'
import { openTask, stepRequester, type RequesterTask } from '../../src/core/requester.ts'
import { issueSealed } from '../../src/testing/seals.ts'
import { setScene, type Actor } from './scene.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { A2aError } from '../../src/core/errors.ts'
import type { Host } from '../../src/testing/host.ts'

const ASK = ['sim.work', { ask: 1 }, { maxDurationMs: 20_000, leaseMs: 2_000, bidWindowMs: 200, output: {} }, false] as const
const INPUT = Buffer.from('{}')
const OUTPUT = Buffer.from('{"right":true}')
const bidsAndAccepts = (envelope: Envelope, actor: Actor): Envelope | undefined => {
  if (envelope.type === 'task.announce') actor.bid(envelope)
  return envelope.type === 'task.award' ? actor.accept(envelope) : undefined
}
const logOf = (host: Host, role: string, taskId: string) => host.disk.rows.eventsOf.get(`${role} ${taskId}`) ?? []

/** The result of an award, with a receipt that says what it likes. */
function resultWith ({ author, signer }: Actor, award: Envelope, { failure, cost = 0 }: { failure?: object & { code: string }, cost?: number }): Envelope {
  const { correlationId: taskId, from: requester, epoch = 0 } = award
  const outcome = failure === undefined ? 'completed' as const : 'failed' as const
  const outputHash = failure === undefined ? hashOf(OUTPUT) : undefined
  const receipt = issueSealed({
    taskId, capability: 'sim.work', epoch, requester, outcome, contractHash: hashOf(award.auth?.statement ?? new Uint8Array()), failure: failure?.code,
    inputHash: payloadOf(award, 'task.award').input_hash, outputHash, cost, durationMs: 1, endedAt: 1
  }, author, signer)
  const payload = { outcome, failure, output_hash: outputHash, receipt: Buffer.from(receipt.auth?.statement ?? []).toString('base64url') }
  return { ...signEnvelope(compose('task.result', payload, author, { correlationId: taskId, to: requester, epoch }), signer), ...(failure === undefined ? { content: OUTPUT } : {}) }
}

for (const failure of [{ code: 'LOOP', retryable: false }, { code: 'REFUSED', why: { toString: 1 } }, { code: 'NEVER_HEARD_OF' }]) {
  it(`a stated failure that cannot be explained is a failure all the same: ${JSON.stringify(failure)}`, async () => {
    const { host, actor, pass, seen } = setScene()
    const ada = host('ada')
    const mal = actor('mal', bidsAndAccepts)
    ada.delegate(...ASK)
    await pass(500)
    const award = mal.heard.find(({ type }) => type === 'task.award') as Envelope
    mal.wire.request(ada.peer, resultWith(mal, award, { failure })).catch(() => {})
    await pass(10_000)
    assert.ok(seen('told').some(({ event }) => event.event === 'moved' && event.failure.code === 'HANDLER_FAILED'))
    assert.equal(seen('told').at(-1)?.event.event, 'failed')
  })
}

it('a receipt that asks for more than the bid is not countersigned as accepted, and the work moves on', async () => {
  const { host, actor, pass, seen } = setScene()
  const ada = host('ada')
  const mal = actor('mal', bidsAndAccepts)
  ada.delegate(...ASK)
  await pass(500)
  const award = mal.heard.find(({ type }) => type === 'task.award') as Envelope
  mal.wire.request(ada.peer, resultWith(mal, award, { cost: 1_000_000 })).catch(() => {})
  await pass(500)
  assert.ok(seen('told').some(({ event }) => event.event === 'moved' && event.failure.code === 'OUTPUT_INVALID'))
  assert.ok(!seen('told').some(({ event }) => event.event === 'result'))
})

it('who never held a task can write nothing into its log', async () => {
  const { host, actor, pass } = setScene()
  const ada = host('ada')
  const holder = actor('holder', bidsAndAccepts)
  const mal = actor('mal', () => undefined)
  ada.delegate(...ASK)
  await pass(500)
  const { correlationId: taskId, epoch } = holder.heard.find(({ type }) => type === 'task.award') as Envelope
  const before = logOf(ada, 'requester', taskId).length
  const artifact = compose('task.artifact', { name: 'x' }, mal.author, { correlationId: taskId, to: ada.agentId, epoch, sequence: 1, content: Buffer.alloc(1_000) })
  for (let i = 0; i < 5; i++) {
    const refused = mal.wire.request(ada.peer, { ...artifact, messageId: `artifact-${i}` }).catch((error: unknown) => error)
    await pass(200)
    assert.equal((await refused as A2aError).code, 'STALE_EPOCH')
  }
  assert.equal(logOf(ada, 'requester', taskId).length, before)
})

it('a holder that sends without end loses the work', () => {
  const bid = { id: 'b', provider: 'mal', peer: 'p', round: 1, cost: 0, confidence: 1, load: 0, expiresAt: 1e9 }
  const spec = { taskId: 't', requester: 'ada', capability: 'a.b', createdAt: 0, deadlineAt: 1e9, leaseMs: 1e9, bidWindowMs: 1, maxRounds: 1, depth: 0, visited: [], inputHash: '' }
  let task: RequesterTask = openTask(spec).task
  const happen = (event: Parameters<typeof stepRequester>[1]): void => { task = stepRequester(task, event).task }
  happen({ type: 'called', at: 1, round: 1, asked: ['mal'] })
  happen({ type: 'bid', at: 1, bid })
  happen({ type: 'chosen', at: 1, round: 1, order: [{ bid, score: 1, reason: '' }] })
  let sequence = 0
  while (task.stage !== 'failed' && sequence < 100_000) happen({ type: 'progress', at: 2, provider: 'mal', epoch: 1, sequence: ++sequence })
  assert.equal(task.stage, 'failed')
})

it('one node cannot crowd out the others with bids of many agents', () => {
  const spec = { taskId: 't', requester: 'ada', capability: 'a.b', createdAt: 0, deadlineAt: 1e9, leaseMs: 1e9, bidWindowMs: 1_000, maxRounds: 1, depth: 0, visited: [], inputHash: '' }
  let { task } = openTask(spec)
  const bid = (provider: string, peer: string) => {
    const step = stepRequester(task, { type: 'bid', at: 1, bid: { id: provider, provider, peer, round: 1, cost: 0, confidence: 1, load: 0, expiresAt: 1e9 } })
    task = step.task
    return step.effects.map(({ type }) => type)
  }
  const answers = Array.from({ length: 1_000 }, (_, i) => bid(`mal-${i}`, 'mal'))
  assert.deepEqual(answers.at(-1), ['decline'])
  assert.ok(answers.filter(([first]) => first === 'publish').length <= 32)
  assert.deepEqual(bid('bob', 'bob'), ['publish'])
})

/** Asks `provider` for `sim.work` under a task id. */
async function announce (actor: Actor, provider: Host, taskId: string, round = 1): Promise<void> {
  await actor.wire.send(provider.peer, signEnvelope(compose('task.announce', {
    capability: 'sim.work', round, closes_in_ms: 100, input_bytes: INPUT.length, peer_id: actor.peer, endpoints: [], exclude: []
  }, actor.author, { correlationId: taskId, task: 'sim.work', remainingMs: 10_000 }), actor.signer))
}

function award (actor: Actor, provider: Host, taskId: string, { cost, leaseMs = 1_000, capability = 'sim.work' }: { cost?: number, leaseMs?: number, capability?: string } = {}): Promise<Envelope> {
  const bid = actor.heard.findLast(({ type }) => type === 'task.bid') as Envelope
  return actor.wire.request(provider.peer, {
    ...signEnvelope(compose('task.award', {
      capability, bid_id: bid.messageId, input_hash: hashOf(INPUT), requester_peer: actor.peer, endpoints: [],
      terms: { cost: cost ?? payloadOf(bid, 'task.bid').cost, lease_ms: leaseMs, fallback: 'next-bidder' }
    }, actor.author, { correlationId: taskId, to: provider.agentId, epoch: 1, remainingMs: 10_000 }), actor.signer),
    content: INPUT
  })
}

it('nobody takes the place of a requester by announcing under the id of its task', async () => {
  const { host, actor, pass } = setScene()
  const bob = host('bob')
  const honest = actor('honest', () => undefined)
  const mal = actor('mal', () => undefined)
  await announce(honest, bob, 'task-1')
  await pass(100)
  await announce(mal, bob, 'task-1', 16)
  await pass(100)
  assert.equal(mal.heard.filter(({ type }) => type === 'task.bid').length, 0)
  const reply = award(honest, bob, 'task-1')
  await pass(100)
  assert.equal((await reply).type, 'task.accept')
})

for (const [what, terms] of [['less than the bid', { cost: -1 }], ['another capability', { cost: 0, capability: 'sim.other' }]] as const) {
  it(`an award of ${what} is refused`, async () => {
    const { host, actor, pass, seen } = setScene()
    const bob = host('bob')
    const mal = actor('mal', () => undefined)
    await announce(mal, bob, 'task-1')
    await pass(100)
    const bid = payloadOf(mal.heard.find(({ type }) => type === 'task.bid') as Envelope, 'task.bid')
    assert.ok(bid.cost > 0)
    const reply = award(mal, bob, 'task-1', { ...terms, cost: bid.cost + terms.cost })
    await pass(100)
    assert.equal((await reply).type, 'task.refuse')
    assert.equal(seen('began').length, 0)
  })
}

it('no lease is so short that the heartbeats are a storm', async () => {
  const { host, actor, pass } = setScene(() => new Promise(() => {}))
  const bob = host('bob')
  const mal = actor('mal', envelope => envelope.type === 'task.input' ? composeReply(envelope, 'ack', {}, mal.author) : undefined)
  await announce(mal, bob, 'task-1')
  await pass(100)
  award(mal, bob, 'task-1', { leaseMs: 1 }).catch(() => {})
  await pass(1_100)
  const beats = mal.heard.filter(({ type }) => type === 'task.heartbeat').length
  assert.ok(beats > 10 && beats <= 60, `${beats} heartbeats in a second`)
})
