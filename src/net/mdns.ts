/** mDNS: nodes on the local network. Whatever goes wrong with it is said once, and is no reason to stop. */
import type { PeerInfo } from '@libp2p/interface'
import { messageOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { Host } from './libp2p.ts'

/** Only our own nodes answer, not every libp2p node in the office. */
const SERVICE = '_a2a-node._udp.local'

/** Returns the way to stop. */
export async function startMdns (host: Host, logger: Logger, onFound: (peer: PeerInfo) => void): Promise<() => Promise<void>> {
  const { mdns } = await import('@libp2p/mdns')
  // Not among libp2p's own services: there a failing start would be a failing node.
  const service = mdns({ serviceTag: SERVICE })({ logger: host.logger, addressManager: { getAddresses: () => host.getMultiaddrs() } as never }) as unknown as Mdns
  service.addEventListener('peer', ({ detail }) => { onFound(detail) })
  await service.start()
  let said = false
  const say = (error: unknown): void => {
    if (said) return
    said = true
    logger.warn('mDNS does not work here; nodes on the local network are not found by it', { why: messageOf(error) })
  }
  service.mdns?.on('warning', say)
  service.mdns?.on('error', say)
  return () => service.stop()
}

interface Mdns {
  start: () => Promise<void>
  stop: () => Promise<void>
  addEventListener: (type: 'peer', listener: (event: { detail: PeerInfo }) => void) => void
  mdns?: { on: (type: 'warning' | 'error', listener: (error: unknown) => void) => void }
}
