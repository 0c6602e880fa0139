/**
 * The warm start: adverts of an earlier run are checked again and enter the index, in turns, and what somebody looks for
 * meanwhile first. Sequence numbers are there before anything is heard, so that nothing older gets in.
 */
import { inTurns } from './turns.ts'
import { matches, parseCapability, type CapabilityPattern } from '../core/capability.ts'
import { messageOf } from '../core/errors.ts'
import type { Index } from './agent-index.ts'
import type { Intake } from './intake.ts'
import type { Kept, KeptAdvert } from './kept.ts'
import type { Logger } from '../core/ports.ts'

export interface Warmth {
  /** Resolves when those kept that match have been checked. */
  settle: (pattern: CapabilityPattern) => Promise<void>
  /** Resolves to how many entered the index, when all are checked. */
  readonly done: Promise<number>
}

export interface WarmthParts {
  kept: Kept
  index: Index
  intake: Intake
  logger: Logger
  signal: AbortSignal
}

export function createWarmth ({ kept, index, intake, logger, signal }: WarmthParts): Warmth {
  const waiting = new Map(kept.adverts.map(advert => [advert.agentId, advert]))
  let entered = 0
  for (const heard of kept.sequences) index.remember(heard)
  // One less: the advert itself is yet to enter.
  for (const { agentId, sequence, at } of kept.adverts) index.remember({ agentId, sequence: sequence - 1, at })

  function enter (advert: KeptAdvert): void {
    if (!waiting.delete(advert.agentId)) return
    try {
      if (intake.accept(advert.statement, 'kept', advert.teller) !== undefined) entered++
    } catch (error) {
      logger.debug('a kept advert does not hold any more', { agent: advert.agentId, why: messageOf(error) })
    }
    const { agentId, sequence, at } = advert
    index.remember({ agentId, sequence, at })
  }

  return {
    done: inTurns([...waiting.values()], enter, signal).then(() => entered),
    settle: async pattern => {
      if (waiting.size > 0) await inTurns([...waiting.values()].filter(({ offers }) => pattern.labels.length === 0 || offers.some(offer => matches(pattern, nameOf(offer)))), enter, signal)
    }
  }
}

function nameOf (offer: string): { name: string, version: number } {
  const { name, version = 1 } = parseCapability(offer)
  return { name, version }
}
