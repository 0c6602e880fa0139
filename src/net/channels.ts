/** Channels to all peers: opened when needed, shared by all who send, forgotten when they close. */
import type { Connection, Stream } from '@libp2p/interface'
import { A2aError, messageOf } from '../core/errors.ts'
import { createDialer } from './dialer.ts'
import type { Host } from './libp2p.ts'
import { CHANNEL } from './limits.ts'
import type { PeerEvent } from './net.ts'
import { createPeer, type Peer, type PeerParts } from './peer.ts'

export const CHANNEL_PROTOCOL = '/a2a-node/channel/1'

export interface Channels {
  /** A peer we have a channel with. */
  get: (peer: string) => Peer | undefined
  all: () => Peer[]
  /** The peer with an open channel, dialled when there is none. @throws A2aError PEER_UNREACHABLE */
  open: (peer: string, addresses?: string[], timeoutMs?: number) => Promise<Peer>
  /** Opens a channel and waits for the peer's hello. @throws A2aError PEER_UNREACHABLE */
  meet: (peer: string, addresses?: string[], timeoutMs?: number) => Promise<void>
  /** However often it could not be dialled: the next time it is tried at once. */
  forgive: (peer: string) => void
  onPeer: (listener: (event: PeerEvent) => void) => () => void
  close: (why: string) => Promise<void>
}

export async function createChannels (host: Host, parts: Omit<PeerParts, 'peers'>): Promise<Channels> {
  const { clock, logger, self } = parts
  const dialer = createDialer(host, clock)
  const peers = new Map<string, Peer>()
  const opening = new Map<string, Promise<Peer>>()
  const listeners = new Set<(event: PeerEvent) => void>()
  let closed = false

  function emit (event: PeerEvent): void {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (error) {
        logger.error('a listener for peers failed', { why: messageOf(error) })
      }
    }
  }

  function accept (stream: Stream, connection: Connection): Peer {
    const id = connection.remotePeer.toString()
    const known = peers.get(id)
    const peer = known ?? createPeer(connection.remotePeer, { ...parts, peers: () => peers.size }, {
      onGreeted: () => { emit({ type: 'opened', peer: id }) },
      onChanged: () => { emit({ type: 'changed', peer: id }) },
      onGone (_why, parted) {
        if (peers.get(id) !== peer) return
        peers.delete(id)
        if (peer.greeted()) emit({ type: 'closed', peer: id, parted })
      },
      onUnwanted (why) {
        logger.warn('disconnected a peer', { peer: id, why })
        for (const each of host.getConnections(connection.remotePeer)) each.abort(new Error(why))
        peer.close(why)
      }
    })
    peers.set(id, peer)
    // Left open, a dead connection would be taken for a way to the peer, until the kernel gives up sending.
    peer.add(stream, why => { connection.abort(new Error(why)) })
    return peer
  }

  async function connect (id: string, addresses: string[], timeoutMs: number): Promise<Peer> {
    const connection = await dialer.reach(id, addresses, timeoutMs)
    // While we dialled, the other side may have opened one.
    const ready = peers.get(id)
    if (ready?.ready() === true) return ready
    try {
      return accept(await connection.newStream([CHANNEL_PROTOCOL], { signal: AbortSignal.timeout(timeoutMs) }), connection)
    } catch (error) {
      throw new A2aError({ code: 'PEER_UNREACHABLE', peer: id, why: messageOf(error) }, { cause: error })
    }
  }

  async function open (id: string, addresses: string[] = [], timeoutMs: number = CHANNEL.requestMs): Promise<Peer> {
    const ready = peers.get(id)
    if (ready?.ready() === true) return ready
    if (closed) throw new A2aError({ code: 'PEER_UNREACHABLE', peer: id, why: 'this node has stopped' })
    const begun = opening.get(id) ?? connect(id, addresses, timeoutMs).finally(() => { opening.delete(id) })
    opening.set(id, begun)
    return await begun
  }

  async function meet (id: string, addresses: string[] = [], timeoutMs: number = CHANNEL.helloMs): Promise<void> {
    const greeted = Promise.withResolvers<void>()
    const stop = onPeer(({ type, peer }) => {
      if (peer !== id) return
      if (type === 'opened') greeted.resolve()
      else if (type === 'closed') greeted.reject(new A2aError({ code: 'PEER_UNREACHABLE', peer: id, why: 'it closed the channel' }))
    })
    const cancel = clock.after(timeoutMs, () => { greeted.reject(new A2aError({ code: 'PEER_UNREACHABLE', peer: id, why: `it did not say hello within ${timeoutMs} ms` })) })
    greeted.promise.catch(() => {})
    try {
      const peer = await open(id, addresses, timeoutMs)
      if (!peer.greeted()) await greeted.promise
    } finally {
      stop()
      cancel()
    }
  }

  function onPeer (listener: (event: PeerEvent) => void): () => void {
    listeners.add(listener)
    return () => { listeners.delete(listener) }
  }

  await host.handle(CHANNEL_PROTOCOL, (stream, connection) => {
    if (closed || connection.remotePeer.toString() === self) stream.abort(new Error('no channel here'))
    else accept(stream, connection)
  }, { maxInboundStreams: CHANNEL.inboundStreams, maxOutboundStreams: CHANNEL.inboundStreams })
  // Whoever dialled opens the channel, so that both do not.
  const topology = await host.register(CHANNEL_PROTOCOL, {
    onConnect (remote, { direction }) {
      if (direction !== 'outbound' || closed) return
      open(remote.toString()).catch((error: unknown) => { logger.debug('a channel could not be opened', { peer: remote.toString(), why: messageOf(error) }) })
    }
  })

  return {
    get: id => peers.get(id),
    all: () => [...peers.values()],
    open,
    meet,
    forgive: dialer.forgive,
    onPeer,
    async close (why) {
      closed = true
      host.unregister(topology)
      await host.unhandle(CHANNEL_PROTOCOL)
      for (const peer of peers.values()) peer.close(why)
    }
  }
}
