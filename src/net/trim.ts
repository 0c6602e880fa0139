/**
 * Closes connections that nobody needs any more, with a farewell. A small mesh stays whole; in a large one a node keeps those
 * it wants, those in use, and a few more. Each side closes what it opened, so that both do not.
 */
import { messageOf } from '../core/errors.ts'
import type { Clock, Logger } from '../core/ports.ts'
import { CHANNEL_PROTOCOL, type Channels } from './channels.ts'
import type { Host } from './libp2p.ts'
import { TRIM } from './limits.ts'
import type { Peer } from './peer.ts'

export interface TrimParts {
  host: Host
  channels: Channels
  /** Peers that are needed. */
  isWanted: (peer: string) => boolean
  clock: Clock
  logger: Logger
}

/** libp2p's own; what else is open is somebody's work. */
const BACKGROUND = /^\/(ipfs|libp2p|meshsub|floodsub|a2a-node\/kad)\//

/** Returns the way to stop. */
export function trimConnections ({ host, channels, isWanted, clock, logger }: TrimParts): () => void {
  let cancel = next()

  function next (): () => void {
    return clock.after(TRIM.lookMs * (0.5 + Math.random()), () => {
      look()
      cancel = next()
    })
  }

  function look (): void {
    const peers = channels.all()
    const spare = peers.length - TRIM.kept
    if (spare <= 0) return
    const now = clock.now()
    const idle = peers
      .filter(peer => !isWanted(peer.id) && now - peer.usedAt() > TRIM.idleMs && isSpare(peer, peers.length, now))
      .sort((a, b) => a.usedAt() - b.usedAt())
    for (const peer of idle.slice(0, spare)) part(peer).catch((error: unknown) => { logger.debug('a connection could not be closed well', { peer: peer.id, why: messageOf(error) }) })
  }

  function isSpare (peer: Peer, count: number, now: number): boolean {
    const connections = host.getConnections(peer.peerId)
    const isOurs = connections.every(({ direction }) => direction === 'outbound')
    const isTooMuch = count > TRIM.crowded && now - peer.usedAt() > TRIM.crowdedIdleMs
    return (isOurs || isTooMuch) && connections.every(({ streams }) => streams.every(({ protocol }) => protocol === '' || protocol === CHANNEL_PROTOCOL || BACKGROUND.test(protocol)))
  }

  async function part (peer: Peer): Promise<void> {
    const signal = AbortSignal.timeout(TRIM.partMs)
    await peer.part(signal)
    for (const connection of host.getConnections(peer.peerId)) {
      await connection.close({ signal }).catch((error: unknown) => { connection.abort(new Error(messageOf(error))) })
    }
  }

  return () => { cancel() }
}
