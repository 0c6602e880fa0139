/** The circuit breakers of an agent: one for each agent it gives work to, each capability it offers, each thing its handlers call. */
import { LRUCache } from 'lru-cache'
import { createBreaker, type Blame, type Breaker } from './breaker.ts'
import type { BreakerRow } from '../core/status.ts'
import type { Failure } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'

export interface Breakers {
  /** Why it may not be called now: a CIRCUIT_OPEN. */
  refusal: (of: BreakerRow['of'], name: string) => Failure | undefined
  /** @throws A2aError CIRCUIT_OPEN, and whatever the call throws. See Breaker.run */
  run: <T>(of: BreakerRow['of'], name: string, call: () => Promise<T>, blame: (error: unknown) => Blame) => Promise<T>
  /** Those that are open, or have counted failures since the last success. */
  rows: () => BreakerRow[]
}

/** The one that was not used for longest is forgotten: what it guards begins anew, with a closed one. */
const MAX_BREAKERS = 1_000

export function createBreakers ({ clock, logger }: { clock: Pick<Clock, 'now'>, logger: Logger }): Breakers {
  const breakers = new LRUCache<string, { of: BreakerRow['of'], name: string, breaker: Breaker }>({ maxSize: MAX_BREAKERS, sizeCalculation: () => 1 })

  const breakerOf = (of: BreakerRow['of'], name: string): Breaker => {
    const key = `${of} ${name}`
    const known = breakers.get(key)
    if (known !== undefined) return known.breaker
    const breaker = createBreaker({
      what: name, clock,
      changed: isOpen => {
        if (isOpen) logger.warn('a circuit breaker has opened', { of, name, ...breaker.state() })
        else logger.info('a circuit breaker has closed again', { of, name })
      }
    })
    breakers.set(key, { of, name, breaker })
    return breaker
  }

  return {
    refusal: (of, name) => breakers.peek(`${of} ${name}`)?.breaker.refusal(),
    run: (of, name, call, blame) => breakerOf(of, name).run(call, blame),
    rows: () => [...breakers.values()].map(({ of, name, breaker }) => ({ of, name, ...breaker.state() })).filter(({ state, failures }) => state !== 'closed' || failures > 0)
  }
}
