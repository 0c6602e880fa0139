/** What the stages see of the network; net/create.ts makes it. libp2p is behind it and nowhere else. */
import type { Envelope } from '../core/envelope.ts'
import type { EnvelopeHandler, Logger, Clock, Wire, Speaker } from '../core/ports.ts'
import type { PeerRow } from '../core/found.ts'
import type { MessageName } from '../wire/messages.ts'
import type { Streams } from './streams.ts'

export interface NetOptions {
  /** Seed of the node's Ed25519 key, 32 bytes: its peer id. */
  seed: Uint8Array
  /** Multiaddrs. Default: every interface, TCP and WebSocket, ports chosen by the system. */
  listen?: string[]
  /** Multiaddrs of nodes to join by. */
  bootstrap?: string[]
  /** Find nodes on the local network. Default true. */
  mdns?: boolean
  /** Folder that the nodes of one user on one machine share; created 0700. */
  rendezvous: string
  /** Encoded credentials of the agents on this node, as they are now. */
  credentials: () => Uint8Array[]
  /** Goes on evenly (core/clock.ts): whatever is waited for, and what has grown old. */
  clock: Clock
  /** The time of day, which may be set: credentials, and when a message was made. Default: the same. */
  wall?: Clock
  logger: Logger
}

export interface Net extends AsyncDisposable {
  readonly peerId: string
  /** Local peer ids are delivered to directly, through the same checks. */
  readonly wire: Wire
  /** Multiaddrs with the peer id; loopback ones too. */
  addresses: () => string[]
  peers: () => PeerRow[]
  /** The ids of these. */
  connected: () => string[]
  /** Round trip to a peer over its channel, in ms, where it was measured. */
  rttMs: (peer: string) => number | undefined
  /** Who takes messages of a type: they have been decoded, bounded, checked against their schema, and authenticated. One handler a type. */
  handle: (type: MessageName, handler: EnvelopeHandler) => void
  /** `opened`: a peer's first hello has arrived, its agents are known. `changed`: other agents speak there. `closed`: its last channel is gone; `parted`: because one side did not need it any more, so it lives. Returns the way to stop listening. */
  onPeer: (listener: (event: PeerEvent) => void) => () => void
  /** Agents that a connected peer has proven to speak for. */
  speakers: (peer: string) => readonly Speaker[]
  /** The peer has proven to run as the same user on the same machine. Always true for ourselves. */
  sameUser: (peer: string) => boolean
  /** One that should be there, at these addresses, and could not be reached: it is tried again now and then, for an hour. So are those whose connection broke. */
  seek: (peer: string, addresses: string[]) => void
  /** Tells every open channel who speaks here now: after a rotation, or when an agent was added. */
  greet: () => void
  /**
   * Lets others find this node, and begins to look for them. Resolves when it can be found. Call it once the handlers and
   * agents are there: who meets a node before that learns nothing.
   */
  begin: () => Promise<void>
  /** Resolves when everybody found through rendezvous and bootstrap has been dialled and greeted, or has failed. */
  joined: (timeoutMs?: number) => Promise<void>
  /** Byte streams of their own beside the channel. */
  readonly streams: Pick<Streams, 'handle' | 'open'>
  readonly gossip: Gossip
  readonly dht: Dht
  /** Inbound messages refused since the start, by failure code. NO_REPLY: replies that came when nobody waited for them any more. */
  readonly refused: Record<string, number>
}

export interface Gossip {
  join: (topic: string) => void
  leave: (topic: string) => void
  topics: () => Array<{ topic: string, subscribers: number }>
  /** Sends a signed envelope to everybody in the topic; also without being in it. Nobody there is no error. */
  publish: (topic: string, envelope: Envelope) => Promise<void>
}

export type PeerEvent = { type: 'opened' | 'changed' | 'closed', peer: string, parted?: boolean }

/** Where a node may be. */
export interface Contact {
  peer: string
  addresses: string[]
  /** It has not been there for long: it may not know yet what it should. */
  isNew?: boolean
}

/** Kademlia: who is close to a key, and provider records, which are hints of who might know. Keys are any bytes, hashed inside. */
export interface Dht {
  /** The living nodes closest to a key, of those in the folder of the user, the closest first. This one may be among them. */
  keepers: (key: Uint8Array, count: number) => Promise<Contact[]>
  /** How many nodes the folder of the user has, with this one. */
  near: () => number
  /** Counts those who came into it, or left it. */
  turnover: () => number
  /** Whether a peer is one of them. */
  isNear: (peer: string) => boolean
  /** These peers are needed: connections to them are kept. The set of a purpose replaces its last one. */
  want: (purpose: string, peers: Iterable<string>) => void
  /** Puts a record, where that was not done lately, in its turn. */
  provide: (key: Uint8Array) => Promise<void>
  /** A record is not put again. Those that were run out. */
  withdraw: (key: Uint8Array) => Promise<void>
  /** Stop iterating as soon as there is enough. */
  providers: (key: Uint8Array, signal: AbortSignal) => AsyncIterable<Contact>
  status: () => { mode: 'client' | 'server', peers: number }
}
