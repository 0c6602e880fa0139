/** A small stage for the ends of negotiation: virtual time, a network without faults, real hosts, and actors that follow a script. */
import { createHistory, type History, type Observation } from '../../src/testing/history.ts'
import { agentIdOf, createHost, peerIdOf, type Host, type Known, type World } from '../../src/testing/host.ts'
import { createNetwork } from '../../src/testing/network.ts'
import { createSeal, issueSealed } from '../../src/testing/seals.ts'
import { createTimeline } from '../../src/testing/timeline.ts'
import { compileSchema } from '../../src/execute/schema.ts'
import { signEnvelope } from '../../src/wire/envelope.ts'
import { compose, composeReply, payloadOf, type Author } from '../../src/wire/compose.ts'
import { hashOf } from '../../src/wire/hash.ts'
import type { Surroundings } from '../../src/testing/agents.ts'
import type { Provision, TaskContext } from '../../src/core/agent.ts'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Payload } from '../../src/wire/messages.ts'
import type { Signer, Wire } from '../../src/core/ports.ts'

// Loading the compiler of schemas takes real time.
await compileSchema({})

export interface Scene {
  history: History
  /** @param provision what it offers otherwise than the others */
  host: (name: string, provision?: Partial<Provision>) => Host
  actor: (name: string, play: (envelope: Envelope, actor: Actor) => Envelope | undefined) => Actor
  /** Lets virtual time pass, in ms. */
  pass: (ms: number) => Promise<void>
  /** Until so much has passed, for handlers. */
  sleep: (ms: number) => Promise<void>
  /** What was seen of one kind. */
  seen: <W extends Observation['what']>(what: W) => Array<Extract<Observation, { what: W }>>
}

/** Somebody who speaks the protocol as the script says. */
export interface Actor {
  author: Author
  signer: Signer
  wire: Wire
  peer: string
  /** Every envelope that came, the first first. */
  heard: Envelope[]
  bid: (call: Envelope, terms?: Partial<Payload<'task.bid'>>) => void
  accept: (award: Envelope) => Envelope
  /** The result of an award, with this output. */
  resultOf: (award: Envelope, output: unknown, facts?: { cost?: number, durationMs?: number }) => Envelope
}

type Work = (by: string, input: unknown, context: TaskContext, surroundings: Surroundings) => Promise<unknown>

/**
 * @param work what handlers of all hosts do
 * @param seed of what the network and the bids are
 */
export function setScene (work: Work = async (by, _input, { taskId, epoch }) => ({ by, taskId, epoch, right: true }), seed = 1): Scene {
  const timeline = createTimeline(Date.UTC(2026, 0, 1))
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

  function actor (name: string, play: Parameters<Scene['actor']>[1]): Actor {
    const [agentId, peer] = [agentIdOf(name), peerIdOf(name)]
    const signer = createSeal(agentId)
    let ids = 0
    const author: Author = { agentId, newId: () => `${name}-${++ids}`, now: timeline.now }
    const { wire } = network.plug({
      peerId: peer, agentId, clock: timeline, alive: () => true, whenAwake: run => { run() },
      handle: envelope => {
        self.heard.push(envelope)
        return play(envelope, self)
      }
    })
    const self: Actor = {
      author, signer, wire, peer, heard: [],
      bid: (call, terms) => {
        const { peer_id: to, round } = payloadOf(call, 'task.announce')
        const bid = compose('task.bid', { round, cost: 0, confidence: 1, load: 0, valid_ms: 60_000, ...terms }, author, { correlationId: call.correlationId, causationId: call.messageId, to: call.from })
        wire.send(to, signEnvelope(bid, signer)).catch(() => {})
      },
      accept: award => signEnvelope(composeReply(award, 'task.accept', { contract_hash: hashOf(award.auth?.statement ?? new Uint8Array()) }, author), signer),
      resultOf: (award, output, facts) => {
        const content = Buffer.from(JSON.stringify(output))
        const { correlationId: taskId, from: requester, epoch = 0 } = award
        const receipt = issueSealed({
          taskId, capability: 'sim.work', epoch, requester, outcome: 'completed', contractHash: hashOf(award.auth?.statement ?? new Uint8Array()),
          inputHash: payloadOf(award, 'task.award').input_hash, outputHash: hashOf(content), cost: 0, durationMs: 1, endedAt: timeline.now(), ...facts
        }, author, signer)
        const payload = { outcome: 'completed' as const, output_hash: hashOf(content), receipt: Buffer.from(receipt.auth?.statement ?? []).toString('base64url') }
        return { ...signEnvelope(compose('task.result', payload, author, { correlationId: taskId, to: requester, epoch }), signer), content }
      }
    }
    known.push({ agentId, peer, addresses: [], offers: () => true })
    return self
  }

  return {
    history, actor,
    host: (name, provision) => {
      const host = createHost(name, async (agent, surroundings) => {
        await agent.provide('sim.work', { maxConcurrent: 4, queue: 0, bid: () => ({ cost: 1 + Math.floor(surroundings.random() * 12), confidence: 0.5 }), run: (input, context) => work(name, input, context, surroundings), ...provision })
      }, world)
      known.push(host)
      host.boot()
      return host
    },
    sleep: ms => new Promise(resolve => { timeline.after(ms, resolve) }),
    pass: ms => timeline.runUntil(timeline.now() + ms),
    seen: what => history.observations.filter((seen): seen is never => seen.what === what)
  }
}
