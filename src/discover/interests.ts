/** Which domains this node listens to: those that its agents offer something in, and those it was asked about lately. */
import { domainOf } from '../core/capability.ts'
import type { Clock } from '../core/ports.ts'
import type { Gossip } from '../net/net.ts'

export interface Interests {
  /** Somebody here wants to know: it is listened to for a while. */
  touch: (domain: string) => void
  /** Listened to until it is let go. */
  hold: (domain: string) => () => void
  /** Everything listened to. */
  domains: () => Set<string>
  /** Leaves what nobody here was interested in for long. */
  expire: () => void
}

/** The gossip topic that a capability's domain is talked about in. */
export const topicOf = (domain: string): string => `/a2a-node/1/domain/${domain}`

/** A domain is listened to this long after somebody here was interested in it, in ms. */
const INTEREST_MS = 600_000

/** @param offered the domains of what this node's own agents offer */
export function createInterests ({ gossip, clock, offered }: { gossip: Pick<Gossip, 'join' | 'leave'>, clock: Clock, offered: () => Set<string> }): Interests {
  const until = new Map<string, number>()
  const held = new Map<string, number>()

  function touch (domain: string): void {
    if (domain === '') return
    until.set(domain, clock.now() + INTEREST_MS)
    gossip.join(topicOf(domain))
  }

  return {
    touch,
    hold: domain => {
      touch(domain)
      held.set(domain, (held.get(domain) ?? 0) + 1)
      let released = false
      return () => {
        if (!released) held.set(domain, (held.get(domain) ?? 1) - 1)
        released = true
        if (held.get(domain) === 0) held.delete(domain)
      }
    },
    domains: () => new Set([...until.keys(), ...held.keys(), ...offered()].filter(domain => domain !== '')),
    expire: () => {
      for (const [domain, end] of until) {
        if (end > clock.now() || held.has(domain)) continue
        until.delete(domain)
        if (!offered().has(domain)) gossip.leave(topicOf(domain))
      }
    }
  }
}

/** The domains of capabilities. */
export const domainsOf = (capabilities: ReadonlyArray<{ name: string }>): Set<string> => new Set(capabilities.map(({ name }) => domainOf(name.split('.'))))
