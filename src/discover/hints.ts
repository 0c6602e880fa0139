/** Provider records of the DHT, under each prefix of a capability: whose node to ask. Hints, and never more. */
import { messageOf } from '../core/errors.ts'
import { prefixesOf, type Capability } from '../core/capability.ts'
import type { Logger } from '../core/ports.ts'
import type { Dht } from '../net/net.ts'

export interface Hints {
  /** Puts records for these, where it was not done lately. Call it by heartbeat. */
  provide: (capabilities: Capability[]) => void
  /** These are all that is offered here: records of others are not put again. */
  retain: (capabilities: Capability[]) => void
  /** Nodes that say they know somebody below a prefix. */
  providers: (prefix: string, signal: AbortSignal) => AsyncIterable<{ peer: string, addresses: string[] }>
}

export function createHints ({ dht, logger }: { dht: Dht, logger: Logger }): Hints {
  const provided = new Set<string>()
  const failed = (key: string) => (error: unknown): void => { logger.debug('a provider record was not put, or not taken back', { key, why: messageOf(error) }) }

  return {
    provide (capabilities) {
      if (dht.status().peers === 0) return
      for (const key of prefixesIn(capabilities)) {
        provided.add(key)
        dht.provide(keyOf(key)).catch(failed(key))
      }
    },
    retain (capabilities) {
      const offered = prefixesIn(capabilities)
      for (const key of provided) {
        if (offered.has(key)) continue
        provided.delete(key)
        dht.withdraw(keyOf(key)).catch(failed(key))
      }
    },
    providers: (prefix, signal) => dht.providers(keyOf(prefix), signal)
  }
}

const prefixesIn = (capabilities: Capability[]): Set<string> => new Set(capabilities.flatMap(({ name }) => prefixesOf(name)))

const keyOf = (prefix: string): Uint8Array => new TextEncoder().encode(`a2a-node/capability/${prefix}`)
