/**
 * A node that lies: it bids more than once, falls silent after an award, delivers wrong results, forges epochs and
 * receipts, and goes on after it was told to stop. It speaks for itself only: the network knows who sends.
 */
import { signEnvelope } from '../wire/envelope.ts'
import { compose, composeReply, payloadOf } from '../wire/compose.ts'
import { hashOf } from '../wire/hash.ts'
import { agentIdOf, peerIdOf, type World } from './host.ts'
import { createSeal, issueSealed } from './seals.ts'
import type { Author } from '../wire/compose.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Candidate } from '../negotiate/calls.ts'

export function createLiar (name: string, { timeline, random, history, network }: World): Candidate {
  const [agentId, peer] = [agentIdOf(name), peerIdOf(name)]
  const signer = createSeal(agentId)
  let ids = 0
  const author: Author = { agentId, newId: () => `${name}-${String(++ids).padStart(6, '0')}`, now: timeline.now }
  const { wire } = network.plug({ peerId: peer, agentId, clock: timeline, whenAwake: run => { run() }, alive: () => true, handle })

  const send = (to: string, envelope: Envelope): void => { wire.send(to, envelope).catch(() => {}) }
  const later = (run: () => void): void => { timeline.after(random.between(1, 2_500), run) }

  function bid (to: string, call: Envelope): void {
    const { round } = payloadOf(call, 'task.announce')
    const offer = { round: random.chance(0.8) ? round : round + 1, cost: random.between(0, 3), duration_ms: random.chance(0.5) ? 100 : undefined, confidence: 1, load: 0, valid_ms: 60_000 }
    send(to, signEnvelope(compose('task.bid', offer, author, { correlationId: call.correlationId, causationId: call.messageId, to: call.from }), signer))
  }

  /** A result as it should not be: `epoch` is what it claims, and each of its parts may be false. */
  function deliver (to: string, award: Envelope, epoch: number): void {
    const { correlationId: taskId, from: requester } = award
    const content = Buffer.from(JSON.stringify({ by: name, taskId, epoch, right: random.chance(0.5) }))
    const completed = random.chance(0.8)
    const receipt = issueSealed({
      taskId, capability: 'sim.work', requester, inputHash: payloadOf(award, 'task.award').input_hash,
      epoch: random.chance(0.8) ? epoch : epoch + 1,
      outcome: completed ? 'completed' : 'failed',
      contractHash: random.chance(0.8) && award.auth !== undefined ? hashOf(award.auth.statement) : hashOf(content),
      outputHash: hashOf(random.chance(0.8) ? content : Buffer.from('something else')),
      cost: random.between(0, 100), durationMs: 1, endedAt: timeline.now()
    }, author, signer)
    const failure = completed ? undefined : random.pick([{ code: 'HANDLER_FAILED', capability: 'sim.work', why: 'no', retryable: true }, { code: 'NONSENSE' }])
    const payload = { outcome: completed ? 'completed' as const : 'failed' as const, failure, receipt: Buffer.from(receipt.auth?.statement ?? []).toString('base64url') }
    const envelope = signEnvelope(compose('task.result', payload, author, { correlationId: taskId, to: requester, epoch }), signer)
    wire.request(to, { ...envelope, content }).catch(() => {})
  }

  async function handle (envelope: Envelope, origin: { peer: string }): Promise<Envelope | undefined> {
    const { type, epoch = 0 } = envelope
    if (type === 'task.announce') {
      for (let bids = random.between(1, 2); bids > 0; bids--) bid(origin.peer, envelope)
      return undefined
    }
    if (type !== 'task.award') return undefined
    const lie = random.pick(['silent', 'accept and be silent', 'beat for ever', 'deliver', 'deliver', 'other epoch', 'late', 'false contract', 'refuse', 'nonsense'])
    history.note(peer, `lies about ${envelope.correlationId} e${epoch}: ${lie}`)
    const accept = signEnvelope(composeReply(envelope, 'task.accept', { contract_hash: hashOf(lie === 'false contract' ? signer.sign(new Uint8Array()) : envelope.auth?.statement ?? new Uint8Array()) }, author), signer)
    switch (lie) {
      case 'silent': return undefined
      case 'refuse': return signEnvelope(composeReply(envelope, 'task.refuse', { reason: 'no', retryable: random.chance(0.5) }, author), signer)
      case 'nonsense': return composeReply(envelope, 'ack', {}, author)
      case 'beat for ever': {
        let beats = 40
        const beat = (): void => {
          send(origin.peer, compose('task.heartbeat', {}, author, { correlationId: envelope.correlationId, to: envelope.from, epoch }))
          if (beats-- > 0) timeline.after(150, beat)
        }
        beat()
        break
      }
      case 'deliver': later(() => { deliver(origin.peer, envelope, epoch) }); break
      case 'other epoch': later(() => { deliver(origin.peer, envelope, random.pick([epoch - 1, epoch + 1, 7])) }); break
      case 'late': timeline.after(random.between(2_000, 8_000), () => { deliver(origin.peer, envelope, epoch) })
    }
    // Once more under whatever it holds or held, when others may be at it.
    if (random.chance(0.5)) timeline.after(random.between(500, 6_000), () => { deliver(origin.peer, envelope, epoch + random.between(0, 2)) })
    return accept
  }

  return { agentId, peer, addresses: [] }
}
