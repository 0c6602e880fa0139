/** Gossip: signed envelopes to everybody in a topic. What does not hold is not passed on, and counts against who passed it to us. */
import { LRUCache } from 'lru-cache'
import { TopicValidatorResult, type Message } from '@libp2p/gossipsub'
import type { FailureCode } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { encodeEnvelope } from '../wire/envelope.ts'
import { createBudget, type Budget } from './budget.ts'
import { checkGossip } from './intake.ts'
import type { Host } from './libp2p.ts'
import { CONNECTIONS, GOSSIP } from './limits.ts'
import type { Gossip } from './net.ts'
import { errorOf, type Router } from './router.ts'

/** Nobody passes these on without having failed to check them. Others may be a matter of clocks and versions. */
const CULPABLE: ReadonlySet<FailureCode> = new Set<FailureCode>(['MESSAGE_MALFORMED', 'MESSAGE_TOO_LARGE', 'SIGNATURE_INVALID'])

export interface GossipParts {
  host: Host
  router: Router
  clock: Clock
  wall: Clock
  logger: Logger
  /** Counts a refused message. */
  count: (code: string) => void
  misdeeds: Misdeeds
}

/** Garbage and forgeries that each peer has passed to us. Ten of them and gossipsub does not listen to it any more, until they are forgotten. */
export interface Misdeeds {
  add: (peer: string) => void
  scoreOf: (peer: string) => number
}

export function createMisdeeds (): Misdeeds {
  const counts = new LRUCache<string, number>({ maxSize: GOSSIP.remembered, sizeCalculation: () => 1, ttl: GOSSIP.resentMs })
  return {
    add: peer => { counts.set(peer, (counts.get(peer) ?? 0) + 1) },
    scoreOf: peer => -(counts.get(peer) ?? 0)
  }
}

export function createGossip ({ host, router, clock, wall, logger, count, misdeeds }: GossipParts): Gossip {
  const { gossip } = host.services
  const budget = createBudget(GOSSIP.perSecond, GOSSIP.perSecond, clock.now)
  const budgets = new LRUCache<string, Budget>({ maxSize: CONNECTIONS.max, sizeCalculation: () => 1 })
  const seen = new LRUCache<string, true>({ maxSize: GOSSIP.remembered, sizeCalculation: () => 1 })

  function validate (from: string, message: Message): TopicValidatorResult {
    if (message.type !== 'signed') return reject(from)
    const ofForwarder = budgets.get(from) ?? createBudget(GOSSIP.perSecondOfPeer, GOSSIP.perSecondOfPeer, clock.now)
    budgets.set(from, ofForwarder)
    if (!ofForwarder.take() || !budget.take()) {
      count('OVERLOADED')
      return TopicValidatorResult.Ignore
    }
    const author = message.from.toString()
    const checked = checkGossip(message.data, author, wall)
    if ('refused' in checked) {
      const { error, type } = checked.refused
      count(error.code)
      logger.debug('a gossip message was refused', { author, type, code: error.code, why: error.message })
      return refusal(from, error.code)
    }
    const { envelope } = checked
    // Gossipsub forgets after two minutes. With the author, so that nobody can use up another's ids.
    const key = `${envelope.from} ${envelope.messageId}`
    if (seen.has(key)) return TopicValidatorResult.Ignore
    seen.set(key, true)
    const answer = router.answer(envelope, { peer: author, gossip: true })
    if (answer instanceof Promise || answer?.type !== 'error') return TopicValidatorResult.Accept
    // Others may want what is not for us.
    const { code } = errorOf(answer)
    return CULPABLE.has(code) || code === 'ADVERT_STALE' ? refusal(from, code) : TopicValidatorResult.Accept
  }

  /** What is refused is not passed on. */
  function refusal (from: string, code: FailureCode): TopicValidatorResult {
    return CULPABLE.has(code) ? reject(from) : TopicValidatorResult.Ignore
  }

  function reject (from: string): TopicValidatorResult {
    misdeeds.add(from)
    return TopicValidatorResult.Reject
  }

  return {
    join (topic) {
      gossip.topicValidators.set(topic, (from, message) => validate(from.toString(), message))
      gossip.subscribe(topic)
    },
    leave (topic) {
      gossip.unsubscribe(topic)
      gossip.topicValidators.delete(topic)
    },
    topics: () => gossip.getTopics().map(topic => ({ topic, subscribers: gossip.getSubscribers(topic).length })),
    async publish (topic, envelope) {
      await gossip.publish(topic, encodeEnvelope(envelope))
    }
  }
}
