/**
 * A node that lies, in the ways its fault names: as a provider about bids, contracts and results, as a requester about
 * awards. It speaks for itself only: the network knows who sends.
 */
import { signEnvelope } from '../wire/envelope.ts'
import { compose, composeReply, payloadOf, type Author } from '../wire/compose.ts'
import { hashOf } from '../wire/hash.ts'
import { agentIdOf, peerIdOf, type Known, type World } from './host.ts'
import { createSeal, issueSealed } from './seals.ts'
import { streamOf } from './random.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Fault, Lie } from './faults.ts'

const TRACE = `00-${'1'.repeat(32)}-${'1'.repeat(16)}-01`

export function createLiar ({ name, lies }: Extract<Fault, { kind: 'liar' }>, { seed, timeline, history, network }: World): Known {
  const [agentId, peer] = [agentIdOf(name), peerIdOf(name)]
  const signer = createSeal(agentId)
  const random = streamOf(seed, name)
  let ids = 0
  const author: Author = { agentId, newId: () => `${name}-${String(++ids).padStart(6, '0')}`, now: timeline.now }
  const { wire } = network.plug({ peerId: peer, agentId, clock: timeline, whenAwake: run => { run() }, alive: () => true, handle })
  /** What it said and heard before, to be said again. */
  const bids: Array<{ to: string, envelope: Envelope }> = []
  const heard: Array<{ peer: string, envelope: Envelope }> = []

  /** Whether it does so now: in half of the cases. */
  const does = (lie: Lie): boolean => lies.includes(lie) && random.chance(0.5)
  const send = (to: string, envelope: Envelope): void => { wire.send(to, envelope).catch(() => {}) }
  const request = (to: string, envelope: Envelope): void => { wire.request(to, envelope).catch(() => {}) }
  const later = (low: number, high: number, run: () => void): void => { timeline.after(random.between(low, high), run) }

  function bid (to: string, call: Envelope): void {
    const { round } = payloadOf(call, 'task.announce')
    const offer = {
      round: does('bids for another round') ? round + random.pick([-1, 1]) : round,
      cost: does('bids below cost') ? 0 : random.between(0, 8), duration_ms: random.chance(0.5) ? 100 : undefined, confidence: 1, load: 0, valid_ms: 60_000
    }
    const envelope = signEnvelope(compose('task.bid', offer, author, { correlationId: call.correlationId, causationId: call.messageId, to: call.from }), signer)
    bids.push({ to, envelope })
    send(to, envelope)
  }

  /** A result: `epoch` is what it claims, and each of its parts may be false. */
  function deliver (to: string, award: Envelope, epoch: number): void {
    const { correlationId: taskId, from: requester, content: input } = award
    const wrong = does('delivers wrong')
    const content = Buffer.from(JSON.stringify(wrong ? { by: 'nobody', right: false } : { by: name, taskId, epoch, right: true, input: JSON.parse(Buffer.from(input ?? 'null').toString()) as unknown }))
    const completed = random.chance(0.8)
    const forges = (): boolean => does('forges receipts')
    const receipt = issueSealed({
      taskId, capability: award.task ?? '', requester, inputHash: payloadOf(award, 'task.award').input_hash,
      epoch: forges() ? epoch + 1 : epoch,
      outcome: completed ? 'completed' : 'failed',
      contractHash: forges() || award.auth === undefined ? hashOf(content) : hashOf(award.auth.statement),
      outputHash: hashOf(forges() ? Buffer.from('something else') : content),
      cost: forges() ? 100 : random.between(0, 8), durationMs: 1, endedAt: timeline.now()
    }, author, signer)
    const failure = completed ? undefined : random.pick([{ code: 'HANDLER_FAILED', capability: award.task, why: 'no', retryable: true }, { code: 'NONSENSE' }])
    const payload = { outcome: completed ? 'completed' as const : 'failed' as const, failure, receipt: Buffer.from(receipt.auth?.statement ?? []).toString('base64url') }
    const envelope = { ...signEnvelope(compose('task.result', payload, author, { correlationId: taskId, to: requester, epoch: Math.max(0, epoch) }), signer), content }
    request(to, envelope)
    if (does('delivers twice')) later(1, 3_000, () => { request(to, envelope) })
  }

  function answer (award: Envelope, to: string): Envelope | undefined {
    const { epoch = 0 } = award
    if (does('is silent')) return undefined
    if (does('refuses')) return signEnvelope(composeReply(award, 'task.refuse', { reason: 'no', retryable: random.chance(0.5) }, author), signer)
    if (does('answers nonsense')) return composeReply(award, 'ack', {}, author)
    const contract = does('signs another contract') ? signer.sign(new Uint8Array()) : award.auth?.statement ?? new Uint8Array()
    const acceptance = signEnvelope(composeReply(award, 'task.accept', { contract_hash: hashOf(contract) }, author), signer)
    if (does('beats for ever')) beat(award, to, 40)
    else if (does('delivers late')) later(2_000, 8_000, () => { deliver(to, award, epoch) })
    else if (!does('accepts and is silent')) later(1, 2_500, () => { deliver(to, award, epoch) })
    // Under whatever it holds or held, when others may be at it.
    if (does('delivers under another epoch')) later(1, 6_000, () => { deliver(to, award, random.pick([epoch - 1, epoch + 1, epoch + 2, 7])) })
    if (does('delivers for others')) later(1, 6_000, () => { forgeFor(award) })
    return acceptance
  }

  /** A result for a task that was announced, and never awarded to it. */
  function forgeFor (award: Envelope): void {
    const others = heard.filter(({ envelope: { correlationId, type } }) => type === 'task.announce' && correlationId !== award.correlationId)
    if (others.length === 0) return
    const { peer: to, envelope: { correlationId, from } } = random.pick(others)
    deliver(to, { ...award, correlationId, from }, random.between(1, 3))
  }

  function beat (award: Envelope, to: string, beats: number): void {
    send(to, compose('task.heartbeat', {}, author, { correlationId: award.correlationId, to: award.from, epoch: award.epoch ?? 0 }))
    if (beats > 0) timeline.after(150, () => { beat(award, to, beats - 1) })
  }

  /** As a requester: a task of its own, to be awarded as no requester would. */
  function ask (task: string): void {
    const envelope = compose('task.announce', { capability: task, round: 1, closes_in_ms: 200, input_bytes: 4, peer_id: peer, endpoints: [], exclude: [] }, author, { correlationId: `${name}-task-${ids}`, task, depth: 0, visited: [], traceparent: TRACE })
    for (const { peer: to } of new Map(heard.map(entry => [entry.peer, entry])).values()) send(to, signEnvelope(envelope, signer))
  }

  function award (to: string, offer: Envelope): void {
    const { correlationId, from, messageId } = offer
    const { cost } = payloadOf(offer, 'task.bid')
    const content = Buffer.from('null')
    const make = (epoch: number, taskId = correlationId): Envelope => ({
      ...signEnvelope(compose('task.award', {
        capability: asked.get(correlationId) ?? 'sim.work', bid_id: messageId, input_hash: hashOf(content), requester_peer: peer, endpoints: [],
        terms: { cost, lease_ms: 500, fallback: 'next-bidder' }
      }, author, { correlationId: taskId, to: from, task: asked.get(correlationId) ?? 'sim.work', epoch, remainingMs: 5_000, depth: 0, visited: [] }), signer),
      content
    })
    const first = make(random.between(1, 3))
    request(to, first)
    const { epoch = 1 } = first
    if (does('awards twice')) later(0, 1_500, () => { request(to, make(epoch)) })
    if (does('awards an old epoch')) later(0, 1_500, () => { request(to, make(epoch - 1)) })
    if (does('repeats an award')) later(0, 4_000, () => { request(to, first) })
    const strange = heard.find(({ envelope: { type, from: owner } }) => type === 'task.announce' && owner !== agentId)?.envelope.correlationId
    if (strange !== undefined && does('awards the tasks of others')) later(0, 1_500, () => { request(to, make(9, strange)) })
    if (strange !== undefined && does('revokes the tasks of others')) later(0, 1_500, () => { send(to, signEnvelope(compose('task.revoke', { reason: 'so' }, author, { correlationId: strange, to: from, epoch: 9 }), signer)) })
  }

  const asked = new Map<string, string>()
  const AS_REQUESTER: readonly Lie[] = ['awards twice', 'awards an old epoch', 'repeats an award', 'awards the tasks of others', 'revokes the tasks of others', 'never countersigns']

  async function handle (envelope: Envelope, origin: { peer: string }): Promise<Envelope | undefined> {
    heard.push({ peer: origin.peer, envelope })
    history.note(peer, `hears ${envelope.type} ${envelope.correlationId}`)
    switch (envelope.type) {
      case 'task.announce':
        bid(origin.peer, envelope)
        if (does('bids twice')) bid(origin.peer, envelope)
        if (bids.length > 1 && does('repeats an old bid')) {
          const old = random.pick(bids)
          send(old.to, old.envelope)
        }
        if (AS_REQUESTER.some(lie => lies.includes(lie)) && random.chance(0.2)) {
          asked.set(`${name}-task-${ids}`, envelope.task ?? '')
          ask(envelope.task ?? '')
        }
        return undefined
      case 'task.award': return answer(envelope, origin.peer)
      case 'task.bid': {
        award(origin.peer, envelope)
        return undefined
      }
      case 'task.result': return does('never countersigns') ? undefined : composeReply(envelope, 'error', { failure: { code: 'STALE_EPOCH', taskId: envelope.correlationId, epoch: envelope.epoch ?? 0, current: 9 } }, author)
      default: return undefined
    }
  }

  return { agentId, peer, addresses: [], offers: () => true }
}
