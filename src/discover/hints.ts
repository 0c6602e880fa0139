/** Provider records of the DHT, under each prefix of a capability: whose node to ask. Hints, and never more. */
import { messageOf } from '../core/errors.ts'
import { prefixesOf, type Capability } from '../core/capability.ts'
import { within } from '../core/deadline.ts'
import type { Logger } from '../core/ports.ts'
import type { Dht } from '../net/net.ts'

export interface Hints {
  /** Puts records for these, again whenever the network has grown: the first ones of a young network reach nobody. */
  provide: (capabilities: Capability[]) => void
  /** Nodes that say they know somebody below a prefix. */
  providers: (prefix: string, signal: AbortSignal) => AsyncIterable<{ peer: string, addresses: string[] }>
}

const PROVIDE_TIMEOUT_MS = 20_000

export function createHints ({ dht, logger }: { dht: Dht, logger: Logger }): Hints {
  /** How large the network was when the record was put. */
  const provided = new Map<string, number>()
  return {
    provide (capabilities) {
      const { peers } = dht.status()
      if (peers === 0) return
      const keys = new Set(capabilities.flatMap(({ name }) => prefixesOf(name)))
      for (const key of keys) {
        if (provided.get(key) === peers) continue
        provided.set(key, peers)
        dht.provide(keyOf(key), within(PROVIDE_TIMEOUT_MS)).catch(error => {
          provided.delete(key)
          logger.debug('a provider record was not put', { key, why: messageOf(error) })
        })
      }
    },
    providers: (prefix, signal) => dht.providers(keyOf(prefix), signal)
  }
}

const keyOf = (prefix: string): Uint8Array => new TextEncoder().encode(`a2a-node/capability/${prefix}`)
