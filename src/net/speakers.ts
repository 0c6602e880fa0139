/** Who speaks at the other end of one channel, as its hellos prove: the agents of that node, each by its newest credential. */
import { A2aError, messageOf } from '../core/errors.ts'
import type { Clock, Speaker } from '../core/ports.ts'
import { CLOCK_TOLERANCE_MS, verifyCredential, type VerifiedCredential } from '../identity/credential.ts'
import { CHANNEL } from './limits.ts'

export interface SpeakersParts {
  peer: string
  clock: Clock
  /** A credential that does not hold. It is no reason to doubt the others. */
  refuse: (error: A2aError) => void
}

export interface Speakers {
  /**
   * Takes credentials in base64url, a few in a turn of the event loop: all there are (`anew`), or more of them. `onDone`
   * hears whether an agent has come or gone. Gives how many were not shown before.
   */
  hear: (credentials: readonly string[], anew: boolean, onDone: (changed: boolean) => void) => number
  /** Not all that was shown has been checked: nothing may be read before that. */
  checking: () => boolean
  speaks: (agent: string) => boolean
  all: () => readonly Speaker[]
}

export function createSpeakers ({ peer, clock, refuse }: SpeakersParts): Speakers {
  let known = new Map<string, VerifiedCredential>()
  let shown: ReadonlySet<string> = new Set()
  let checking = false
  /** Who speaks, until one of them does not any more: it is asked for with every message of some kinds. */
  let listed: { all: Speaker[], from: number, until: number } = { all: [], from: -Infinity, until: Infinity }

  function list (): typeof listed {
    const holding = [...known.values()].filter(holds)
    const until = Math.min(...holding.map(({ expires }) => expires)) + CLOCK_TOLERANCE_MS
    return { all: holding.map(({ agentId, peerId }) => ({ agentId, peerId })), from: clock.now(), until }
  }

  const holds = ({ expires }: VerifiedCredential): boolean => clock.now() < expires + CLOCK_TOLERANCE_MS

  function check (text: string, into: Map<string, VerifiedCredential>): void {
    try {
      const credential = verifyCredential(Buffer.from(text, 'base64url'), clock.now())
      if (credential.peerId !== peer) throw new A2aError({ code: 'CREDENTIAL_INVALID', why: `it is of ${credential.peerId} and was shown by ${peer}` })
      if (!into.has(credential.agentId) && into.size >= CHANNEL.speakers) throw new A2aError({ code: 'OVERLOADED', what: `agents of ${peer}`, limit: CHANNEL.speakers })
      into.set(credential.agentId, credential)
    } catch (error) {
      refuse(error instanceof A2aError ? error : new A2aError({ code: 'CREDENTIAL_INVALID', why: messageOf(error) }))
    }
  }

  return {
    hear (credentials, anew, onDone) {
      const fresh = credentials.filter(text => !shown.has(text)).length
      // What came before these is not kept: it is only there to tell what a hello repeats.
      shown = new Set(credentials)
      const now = anew ? new Map<string, VerifiedCredential>() : new Map(known)
      const step = (from: number): void => {
        const to = Math.min(from + CHANNEL.checksATurn, credentials.length)
        for (const text of credentials.slice(from, to)) check(text, now)
        checking = to < credentials.length
        if (checking) {
          setImmediate(step, to)
          return
        }
        const changed = now.size !== known.size || [...now.keys()].some(agent => !known.has(agent))
        known = now
        listed = list()
        onDone(changed)
      }
      step(0)
      return fresh
    },
    checking: () => checking,
    speaks (agent) {
      const credential = known.get(agent)
      return credential !== undefined && holds(credential)
    },
    all () {
      const now = clock.now()
      // A clock set back makes good again what was over.
      if (now >= listed.until || now < listed.from) listed = list()
      return listed.all
    }
  }
}
