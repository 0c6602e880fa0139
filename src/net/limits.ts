/** Every bound of the network in one place, each with what it protects and what happens beyond it. */
const KiB = 1_024
const MiB = KiB * KiB

/** Connections (libp2p's connection manager). */
export const CONNECTIONS = {
  /** Beyond it inbound connections are refused and idle ones pruned. About 70 KiB each. */
  max: 512,
  /** New inbound connections a second from one address. libp2p's 5 keeps a swarm on one machine from forming; a flood is cut at this. */
  inboundPerSecond: 100,
  /** Handshakes under way at once: each costs about 2 ms of CPU. More are refused, and come back with backoff. */
  inboundPending: 128,
  /** Dials at once. More wait: a herd of handshakes starves each of them into its time-out. */
  parallelDials: 24,
  /** Longest dial of one peer, and of one of its addresses, in ms. A dead address must not use up the whole dial. */
  dialMs: 5_000,
  addressDialMs: 4_000,
  /** Multiaddrs tried for one peer. */
  addresses: 16,
  /** Bytes that wait before a socket until it says stop. Node's 64 KiB are one record: it would say so each time, and all layers above would stop and go. */
  socketBytes: 512 * KiB,
  /** Longest upgrade (Noise, yamux) of an inbound connection, in ms: a stranger holds one of `inboundPending` no longer. */
  upgradeMs: 5_000
} as const

/** Nodes known to be there, connected or not: about 200 bytes each. Beyond it newcomers are not added; who is asked knows others. */
export const CONTACTS = { max: 4_096 } as const

/** Connections that nobody needs any more. */
export const TRIM = {
  /** With so many peers or fewer, all are kept: a small mesh stays whole. */
  kept: 16,
  /** Unused for so long, a connection that we opened is closed, in ms. Longer than a heartbeat: the other side may need it. */
  idleMs: 45_000,
  /** And with so many peers, also one that was opened to us. */
  crowded: 48,
  crowdedIdleMs: 90_000,
  lookMs: 5_000,
  /** For the other side to take the farewell, in ms. */
  partMs: 2_000
} as const

/** Identify in a crowd: how long after a connection was opened it is seen whether it is needed, and how long it may take, in ms. */
export const INTRODUCE = { lookMs: 2_000, timeoutMs: 5_000 } as const

/** Streams of one connection (yamux). */
export const STREAMS = {
  inbound: 64,
  outbound: 128,
  /**
   * How far a receive window may grow: what is under way when a transfer breaks, and is sent again. Below libp2p's read buffer
   * of 4 MiB, so that a paused reader holds its peer up and does not reset it.
   */
  windowBytes: MiB,
  /** Bytes that wait for the reader of a byte stream before the stream is paused. With the window, what a slow reader can pile up. */
  readAhead: 512 * KiB,
  /** A byte stream that has moved so much holds the heap at its size until it ends (heap.ts). */
  heldFromBytes: MiB,
  /** What is written of a byte stream in one piece: with its yamux header it fills a Noise record, so that neither is cut. */
  pieceBytes: 65_519 - 12
} as const

/** A channel and its peer. */
export const CHANNEL = {
  /** Inbound channel streams of one connection. One is needed; the others are for the moment of a reopening. */
  inboundStreams: 4,
  /** Frames a second from one peer, and at once. Beyond it reading stops for a moment; nothing is dropped. */
  framesPerSecond: 200_000,
  frameBurst: 400_000,
  /** How long messages of one peer are read on, in ms, before what follows from them is written and sent. Beyond it reading goes on in a later turn. */
  sliceMs: 5,
  /** Handlers at work for one peer. Beyond it reading stops until one is done. */
  handlers: 256,
  /** Bytes that may wait for a place while a reply is awaited from the same peer. Beyond it reading stops all the same. */
  parkedBytes: 8 * MiB,
  /** Messages waiting for the transport. They are encoded only when it can take them. Beyond it: OVERLOADED. */
  queued: 10_000,
  /** How often those who wait for a peer that does not read are looked at, in ms. */
  lookMs: 100,
  /** So many messages do not wait for others of the same turn: with fewer or more in a write, fewer get through (docs/performance.md). */
  worthAWrite: 32,
  /** Bytes handed to the transport in one piece, unless one message is larger. */
  batchBytes: 256 * KiB,
  /** Most credentials in one hello; the others follow. What a node of the first version takes. */
  helloCredentials: 128,
  /** Credentials of a hello checked in one turn of the event loop, about 0.5 ms each; until all are, its channel is not read. */
  checksATurn: 16,
  /** Agents that one channel may speak for. Beyond it: OVERLOADED, and those are not heard. */
  speakers: 1_024,
  /** Waiting for the first hello after a stream was opened, in ms. */
  helloMs: 5_000,
  /** A channel that heard nothing for so long asks whether the peer is there. Spread by a fifth. */
  idleMs: 15_000,
  /** That is with so many peers of the same user; with more of them later, as many times as there are more, up to `idleTimes`: on one machine a connection breaks with its process. */
  idlePeers: 4,
  idleTimes: 4,
  /** How long the answer may take; two missed, one after the other, and the connection is ended. */
  pingMs: 10_000,
  /** Default of SendOptions.timeoutMs. */
  requestMs: 5_000
} as const

/** Kademlia of libp2p. */
export const KAD = {
  /** Nodes that keep a record (k), which is libp2p's own number. */
  closest: 20,
  /** Peers asked at once by a query. */
  alpha: 3,
  /** With so many nodes in the folder of the user there are servers enough: a node that comes then only asks. */
  servers: 16,
  /** How long a provider record holds, when it is put again, and how often what is over is taken out, in ms. */
  validMs: 2 * 3_600_000,
  reprovideMs: 3_600_000,
  tidyMs: 600_000,
  /** How often the peers closest to us are marked, so that their connections outlast others', in ms. */
  spareMs: 60_000,
  /** Records put at once, and how long one may take, in ms. */
  providing: 2,
  puttingMs: 20_000,
  /** A search at one place ends when so many have been named, and takes so many of one answer. With libp2p's 20 one liar's answer would end it. */
  named: 256,
  namedByOne: 8,
  /** What one peer may send: a search asks a peer once or twice, and a record is two messages to each who keeps it. More waits, and who puts records at that pace. And of all together, however many there are. */
  pace: { perSecond: 50, burst: 100, peers: 1_000, ofAll: { perSecond: 200, burst: 400 } },
  /** Streams that one connection may open to us at once, each for one message, and never more than the 256 KiB that yamux takes unasked; and questions that we put to one peer at once: what is opened beyond its bound is lost. */
  streams: 8,
  asking: 4,
  /** A query for our own neighbours: the first, and each after it, in ms; and how long it may take. */
  firstLookMs: 30_000,
  lookMs: 300_000,
  lookingMs: 10_000,
  /** A record is put again before its time when the table has grown to so many times what it was. */
  growth: 2
} as const

/** Staying awake between messages that follow one another closely (vigil.ts). Times in ms. */
export const VIGIL = {
  /** Longest wait for one message: a collection of garbage takes 1 to 4 ms, and a tick of the kernel 4. */
  forMs: 5,
  /** So many messages, each so soon after the one before, show that it is worth it. */
  close: 32,
  closeMs: 1,
  /** Who waited no longer has saved what it takes to fall asleep and be woken. Longer was in vain. Where many messages come at a time, it is the longest wait. */
  soonMs: 0.3,
  savesMs: 0.03,
  /** What may be in vain beyond what was saved: three waits. Then it rests, twice as long each time, and tries for one more, until it has earned all of it. */
  mostCreditMs: 15,
  restMs: 10,
  longestRestMs: 200,
  /** Spent before the loop looks again: a turn of the loop allocates. */
  turnMs: 0.003,
  /** A turn that took longer had something to do. */
  longestIdleTurnMs: 0.02
} as const

/** V8's young generation (heap.ts). */
export const HEAP = {
  /** From here on, of V8's 128 MiB, messages do not let it grow: beyond it they are no faster. */
  youngBytes: 32 * MiB,
  /** So many messages come between two looks, which take 5 µs each. */
  lookEvery: 256
} as const

/** What libp2p keeps of what others tell it: peers, and the DHT's records. Beyond it, what was used longest ago goes. */
export const STORE = {
  bytes: 16 * MiB,
  /** What an entry costs beside its key and value, in bytes, measured. */
  overhead: 960,
  /** Provider records under one key, and of one peer. */
  recordsOfKey: 128,
  recordsOfPeer: 512
} as const

/** What a message costs of `framesPerSecond` and of the places of `handlers`, where it is more than one. */
export const TOLLS = {
  /** A signature of a stranger: about a millisecond of CPU to check, with its credential. */
  signed: 400,
  /** A query is answered with up to 1 MB: so much CPU, and so many answers waiting for one who does not read. */
  query: 2_000,
  queryPlaces: 32,
  /** A large message takes a place for each piece of this size: 8 MiB are at work for one peer. */
  bytesPerPlace: 32 * KiB
} as const

/** A peer that sends what must be refused. */
export const OFFENCES = {
  /** Refusals answered with an `error` a second; the others are only counted. */
  answersPerSecond: 5,
  /** Refusals within the window before the peer is disconnected. */
  max: 100,
  windowMs: 10_000
} as const

/** Waits after failed dials: 250 ms · 2ⁿ, at most 5 s, the upper half of it at random. */
export const BACKOFF = { firstMs: 250, maxMs: 5_000, peers: 4_096 } as const

/** Peers that were lost without a farewell, as when a network falls apart (reunion.ts). Times in ms. */
export const REUNION = {
  /** Most of them. Beyond it, the one lost first is not tried any more. */
  peers: 64,
  /** How often it is looked whether one is to be tried, spread by half; and how many dials there are at once, of any of them. */
  lookMs: 1_000,
  atOnce: 3,
  /** The pause before one is tried again is a tenth of how long it has been gone, within these bounds: a short break is over at once, and a long one costs little. */
  share: 0.1,
  pauseMs: 1_000,
  longestPauseMs: 30_000,
  /** Lost again sooner than this after it was back, it counts as gone since the first time. */
  steadyMs: 60_000,
  /** A network that does not answer is not waited for longer: the packet that asks is sent again after 1 s only. */
  dialMs: 3_000,
  /** And that it is tried at all. */
  forMs: 3_600_000
} as const

export const GOSSIP = {
  /** Messages looked at a second; each costs up to two signature checks. Beyond it they are ignored, at no harm to who forwarded them. */
  perSecond: 200,
  /** And by one forwarder, so that one who floods leaves room for the others. */
  perSecondOfPeer: 100,
  /** Messages remembered, so that a repeated one does not reach a handler again. */
  remembered: 10_000,
  /** How long a peer's last garbage is held against it, in ms. */
  resentMs: 600_000,
  /** Largest inbound RPC: a few adverts of the largest size. */
  rpcBytes: 2 * MiB,
  /** Bytes waiting for a peer that does not read, before its stream is ended. */
  outboundBytes: 4 * MiB,
  /** Memory for one peer's subscriptions, at about 1 KiB each. */
  topicBytesPerPeer: 256 * KiB,
  /** Parts of one RPC. libp2p's 5,000 of each let 68 MB of subscriptions end a node. */
  rpc: { maxSubscriptions: 512, maxMessages: 128, maxIhaveMessageIDs: 1_024, maxIwantMessageIDs: 128, maxIdontwantMessageIDs: 256, maxControlMessages: 128, maxPeerInfos: 16 }
} as const

export const RENDEZVOUS = {
  /**
   * With more nodes than this in the folder, only a sample is dialled; gossip and the DHT do the rest. A connection costs
   * both ends together about 20 ms of CPU: 60 nodes that start at once and dial 40 each are busy for half a minute.
   */
  all: 16,
  sample: 3,
  /** With at least so many peers, no more are looked for. */
  enough: 4,
  /** Dials at once; and when there are more than a `few`, for then all of them are likely to be starting, and handshakes starve each other. */
  parallel: 8,
  few: 4,
  parallelOfMany: 2,
  dialMs: 2_000,
  /** Longest dial of one of many, in ms: on a busy machine a dial given up too early is work done for nothing. */
  dialManyMs: 5_000,
  pollMs: 2_000,
  /** With many nodes, so long for each of them, within bounds: each look at a folder that has changed lists all. Who comes dials those who are there. */
  pollOfEachMs: 10,
  pollLeastMs: 1_000,
  pollMostMs: 5_000,
  /** How coarse the clock of a file system may be, in ms: what was read sooner after a change may lack another of the same tick. */
  tickMs: 20,
  /** A list of the folder is good for so long, in ms. */
  readMs: 50,
  /** Largest file read, and most of them. */
  fileBytes: 16 * KiB,
  files: 4_096
} as const

/** The socket where nodes of the same user ask (local.ts). */
export const LOCAL = {
  /** Who asks at once: each may wait for an answer of 1 MB. More are refused, and connect. */
  connections: 64,
  /** Largest question. */
  questionBytes: 16 * KiB,
  /** Who is silent for so long has gone, in ms. */
  idleMs: 5_000,
  /** Longest path of a socket, as macOS has it; Linux takes 107. */
  pathBytes: 103
} as const

export const DISCOVERY = {
  /** With so many peers, those found by mDNS are not dialled any more. */
  enough: 24,
  /** First pause before the bootstrap nodes are tried again, and the longest, in ms. */
  retryMs: 1_000,
  lookMs: 20_000
} as const
