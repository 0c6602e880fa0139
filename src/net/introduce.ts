/**
 * When identify runs. It is half of what a connection costs (7 of 14 ms of CPU, both ends together), and is needed for gossip
 * and Kademlia. Where a question to one of a thousand nodes of the same folder is all that a connection is for, it is left out.
 */
import type { Connection } from '@libp2p/interface'
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import type { Host } from './libp2p.ts'
import { INTRODUCE } from './limits.ts'

export interface Introductions {
  /** To those who are to stay. */
  introduce: (peer: string) => Promise<void>
  close: () => void
}

export interface IntroduceParts {
  host: Host
  /** There are many nodes in the folder of the user. */
  isCrowded: () => boolean
  /** It is one of them: nothing needs to be known of it but its address. */
  isPassing: (peer: string) => boolean
  clock: Clock
  logger: Logger
}

export function createIntroductions ({ host, isCrowded, isPassing, clock, logger }: IntroduceParts): Introductions {
  const done = new WeakSet<Connection>()

  async function identify (connection: Connection): Promise<void> {
    if (done.has(connection) || connection.status !== 'open') return
    done.add(connection)
    try {
      await host.services.identify.identify(connection, { signal: AbortSignal.timeout(INTRODUCE.timeoutMs) })
    } catch (error) {
      logger.debug('a peer did not say what it speaks', { peer: connection.remotePeer.toString(), why: messageOf(error) })
    }
  }

  const onOpen = ({ detail: connection }: CustomEvent<Connection>): void => {
    if (!isCrowded()) { void identify(connection); return }
    // By then its hello has said whether it is of the same user. Whoever gossips with us wants an answer to it.
    clock.after(INTRODUCE.lookMs, () => {
      if (!isPassing(connection.remotePeer.toString()) || connection.streams.some(({ protocol }) => protocol.startsWith('/meshsub/'))) void identify(connection)
    })
  }
  host.addEventListener('connection:open', onOpen)

  return {
    introduce: async peer => { for (const connection of host.getConnections()) if (connection.remotePeer.toString() === peer) await identify(connection) },
    close: () => { host.removeEventListener('connection:open', onOpen) }
  }
}
