/** The libp2p node: everything that is a choice about libp2p is here. */
import { BlockList } from 'node:net'
import { privateKeyFromRaw } from '@libp2p/crypto/keys'
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify, type Identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper, type KadDHT } from '@libp2p/kad-dht'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import type { ComponentLogger, Logger as Libp2pLogger, PeerId } from '@libp2p/interface'
import { A2aError, messageOf } from '../core/errors.ts'
import { keyOfSeed, rawPublicKey } from '../identity/keys.ts'
import { boundedDatastore } from './datastore.ts'
import { CONNECTIONS, GOSSIP, KAD, STREAMS } from './limits.ts'
import { fastNoise } from './noise.ts'
import { bounded, paced } from './pace.ts'
import { windowed } from './windows.ts'

export type Host = Libp2p<{ identify: Identify, ping: Ping, dht: KadDHT, gossip: GossipSub }>

export const DHT_PROTOCOL = '/a2a-node/kad/1.0.0'
export const DEFAULT_LISTEN = ['/ip4/0.0.0.0/tcp/0', '/ip4/0.0.0.0/tcp/0/ws']

/** libp2p makes a logger for every connection and stream and asks each time what it should be; this costs nothing. DEBUG=libp2p:* brings the real one. */
const log: Libp2pLogger = Object.assign(() => {}, { error () {}, trace () {}, enabled: false, newScope: () => log })
const silent: ComponentLogger = { forComponent: () => log }

/** A longer queue before the socket, so that it takes a burst of records before it says stop. net.Socket knows the option, @libp2p/tcp's type does not. */
const socketOptions: object = { highWaterMark: CONNECTIONS.socketBytes }
const sockets = { dialOpts: socketOptions, listenOpts: socketOptions }

/** What a node is for the others. */
export interface Role {
  /** Answers queries of Kademlia, and keeps records for others. */
  isServer: boolean
}

/** Longest that a timer can wait, in ms: 24 days. What would be done then is done in dht.ts, as often as it is needed. */
const NEVER_MS = 2 ** 31 - 1

/**
 * Author and number of a gossip message, as libp2p's own ids have them. Without it gossipsub checks the signature of each
 * copy before it sees that it is one, and in a mesh most messages are copies. Only messages that hold are remembered by it.
 */
const gossipId = ({ from, seqno }: { from?: Uint8Array, seqno?: Uint8Array }): string => `${latin1(from)} ${latin1(seqno)}`
const latin1 = (bytes: Uint8Array = new Uint8Array()): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')

/** Between half and one and a half of it: nodes started together must not act together. */
export const spread = (ms: number): number => ms * (0.5 + Math.random())

/**
 * A started node.
 * @param scoreOf what a peer has done to us by gossip: 0 or less, times 10 in its score
 * @throws A2aError LISTEN_FAILED
 */
export async function createHost (seed: Uint8Array, listen: string[], { isServer }: Role, scoreOf: (peer: string) => number): Promise<Host> {
  for (const address of listen) checkAddress(address)
  const websockets = listen.some(address => address.includes('/ws')) ? [(await import('@libp2p/websockets')).webSockets()] : []
  // Its public half by Node's own code: libp2p's takes 60 ms to compute it from the seed.
  const privateKey = privateKeyFromRaw(Uint8Array.from([...seed, ...rawPublicKey(keyOfSeed(seed))]))
  try {
    const host = await createLibp2p({
      privateKey,
      logger: process.env.DEBUG === undefined ? silent : undefined,
      addresses: { listen },
      datastore: boundedDatastore(),
      transports: [tcp(sockets), ...websockets],
      connectionEncrypters: [fastNoise()],
      streamMuxers: [windowed(yamux({
        // Channels have their own liveness. This and the monitor's pings are most of what an idle node costs.
        enableKeepAlive: false,
        maxInboundStreams: STREAMS.inbound,
        maxOutboundStreams: STREAMS.outbound,
        streamOptions: { maxStreamWindowSize: STREAMS.windowBytes }
      }), DHT_PROTOCOL)],
      connectionMonitor: { enabled: false },
      connectionManager: {
        maxConnections: CONNECTIONS.max,
        inboundConnectionThreshold: CONNECTIONS.inboundPerSecond,
        maxIncomingPendingConnections: CONNECTIONS.inboundPending,
        maxParallelDials: CONNECTIONS.parallelDials,
        maxPeerAddrsToDial: CONNECTIONS.addresses,
        dialTimeout: CONNECTIONS.dialMs,
        addressDialTimeout: CONNECTIONS.addressDialMs,
        inboundUpgradeTimeout: CONNECTIONS.upgradeMs,
        reconnectRetries: 0
      },
      services: {
        // introduce.ts runs it.
        identify: identify({ runOnConnectionOpen: false }),
        ping: ping(),
        dht: kadDHT({
          protocol: DHT_PROTOCOL,
          // Said outright: left to itself it becomes a server only on a public address.
          clientMode: listen.length === 0 || !isServer,
          peerInfoMapper: passthroughMapper,
          // Nobody here puts values: what others put would only fill memory.
          validators: { pk: () => { throw new Error('no values are kept here') } },
          // Else the first query waits for the first self-query, which waits for a peer.
          allowQueryWithZeroPeers: true,
          alpha: KAD.alpha,
          maxInboundStreams: KAD.streams,
          initialQuerySelfInterval: NEVER_MS,
          querySelfInterval: NEVER_MS,
          reprovide: { validity: KAD.validMs, threshold: KAD.validMs - KAD.reprovideMs, interval: spread(KAD.tidyMs), concurrency: KAD.providing }
        }),
        gossip: gossipsub({
          globalSignaturePolicy: 'StrictSign',
          fallbackToFloodsub: false,
          floodPublish: true,
          batchPublish: true,
          emitSelf: false,
          allowPublishToZeroTopicPeers: true,
          ignoreDuplicatePublishError: true,
          fastMsgIdFn: gossipId,
          heartbeatInterval: spread(2_000),
          maxInboundDataLength: GOSSIP.rpcBytes,
          maxOutboundBufferSize: GOSSIP.outboundBytes,
          maxTopicBytesPerPeer: GOSSIP.topicBytesPerPeer,
          decodeRpcLimits: GOSSIP.rpc,
          // By peer and not by topic: the topics that will be joined are not known here.
          scoreParams: { appSpecificScore: scoreOf, IPColocationFactorWhitelist: new PrivateAddresses() }
        })
      }
    })
    const { dht } = (host as unknown as Leftovers).services
    // Refreshes its table every five minutes, needed or not.
    await dht.routingTableRefresh.stop()
    // Looks every five seconds whose connections to spare, also where there are few.
    dht.routingTable.closestPeerTagger.stop()
    dht.routingTable.closestPeerTagger.refreshInterval = spread(KAD.spareMs)
    await dht.routingTable.closestPeerTagger.start()
    // All that its search for providers reads there is how many of them end it.
    dht.contentRouting.routingTable = { kBucketSize: KAD.named }
    dht.rpc.handleMessage = paced(dht.rpc.handleMessage.bind(dht.rpc), String, KAD.pace)
    dht.network.sendRequest = bounded(dht.network.sendRequest.bind(dht.network), String, KAD.asking)
    return host
  } catch (error) {
    throw listenFailure(error, listen)
  }
}

/**
 * What is not to be had by an option. Timers that libp2p 3.3.11 and gossipsub 17.1.1 leave behind when they stop would keep a process that has nothing
 * else to do alive for up to three seconds; a test shows that it ends at once. Bounds of kad-dht 16.4.5 are constants of its own.
 */
interface Leftovers {
  services: { gossip: { status: { heartbeatTimeout?: NodeJS.Timeout } }, dht: { routingTableRefresh: { stop: () => Promise<void> }, routingTable: { closestPeerTagger: { stop: () => void, start: () => Promise<void>, refreshInterval: number } }, contentRouting: { routingTable: { kBucketSize: number } }, rpc: { handleMessage: (peer: PeerId, message: unknown) => Promise<unknown> }, network: { sendRequest: (peer: PeerId, ...rest: unknown[]) => AsyncIterable<unknown> } } }
  components: { addressManager: { _updatePeerStoreAddresses: { stop: () => void } } }
}

/** Ends libp2p within `graceMs`: what is not closed by then is cut off. */
export async function stopHost (host: Host, graceMs: number): Promise<void> {
  const late = setTimeout(() => {
    for (const connection of host.getConnections()) connection.abort(new Error('the node stops'))
  }, graceMs)
  const { services: { gossip: { status } }, components: { addressManager } } = host as unknown as Leftovers
  try {
    await host.stop()
  } finally {
    clearTimeout(late)
    clearTimeout(status.heartbeatTimeout)
    addressManager._updatePeerStoreAddresses.stop()
  }
}

/**
 * Addresses that many nodes share without being one attacker: loopback and private ones. Gossipsub asks only `has`, for
 * single addresses, so the ranges are behind that.
 */
class PrivateAddresses extends Set<string> {
  readonly #ranges = new BlockList()

  constructor () {
    super()
    for (const [net, prefix] of [['127.0.0.0', 8], ['10.0.0.0', 8], ['172.16.0.0', 12], ['192.168.0.0', 16], ['169.254.0.0', 16]] as const) this.#ranges.addSubnet(net, prefix, 'ipv4')
    for (const [net, prefix] of [['::1', 128], ['fc00::', 7], ['fe80::', 10]] as const) this.#ranges.addSubnet(net, prefix, 'ipv6')
  }

  override has (address: string): boolean {
    return this.#ranges.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
  }
}

function checkAddress (address: string): void {
  try {
    multiaddr(address)
  } catch (error) {
    throw new A2aError({ code: 'LISTEN_FAILED', address, why: `it is no multiaddr such as /ip4/127.0.0.1/tcp/4001 (${messageOf(error)})` }, { cause: error })
  }
}

/** libp2p lists what failed as `  <address>: <message>`, one a line, within one long message. */
function listenFailure (error: unknown, listen: string[]): unknown {
  if (!(error instanceof Error) || !error.name.includes('ListenAddress')) return error
  const [, address, said = ''] = /^\s+(\/\S+): (.*)$/m.exec(error.message) ?? []
  const why = said.includes('EADDRINUSE')
    ? 'another process uses this port'
    : said.includes('EACCES')
      ? 'the system does not permit this port'
      : said.includes('EADDRNOTAVAIL')
        ? 'this machine does not have that address'
        : said === '' ? 'it is no address that TCP or WebSocket can listen on' : said
  return new A2aError({ code: 'LISTEN_FAILED', address: address ?? listen.join(), why }, { cause: error })
}

