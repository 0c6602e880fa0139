/** Every bound of content, with what happens beyond it. */
import { STREAMS } from '../net/limits.ts'

const KiB = 1_024
const MiB = KiB * KiB
const GiB = KiB * MiB

export const CONTENT_PROTOCOL = '/a2a-node/content/1'

export const CHUNKS = {
  /** Smallest and largest chunk. What a break loses is less than two chunks; what must be in memory, a few. */
  minBytes: 256 * KiB,
  maxBytes: 8 * MiB,
  /** Most chunks of a content: their hashes are 4 MiB. Larger content has larger chunks; the largest is 1 TiB. */
  max: 131_072
} as const

export const SERVE = {
  /** Streams of one peer at once, and of all peers. More are refused, and come back. */
  perPeer: 4,
  streams: 64,
  /** Most chunks asked for at once; more end the stream. */
  chunksPerRequest: 256,
  /** Questions of one stream a second, and at once. Beyond it reading stops for a moment. */
  asksPerSecond: 2_000,
  asksAtOnce: 4_000,
  /** Read from disk and written in one piece. */
  runBytes: MiB,
  /** Handed to the stream at once: four of the pieces it makes. */
  partBytes: 4 * STREAMS.pieceBytes,
  /** A peer that neither asks nor reads for so long is left, in ms. It comes back when it goes on. */
  idleMs: 60_000,
  /** Others who fetch the same content: remembered, told to a newcomer, and for how long after they left, in ms. */
  fetchers: 64,
  told: 8,
  rememberMs: 600_000
} as const

export const FETCH = {
  /** Sources fetched from at once, and heard of. */
  sources: 4,
  known: 64,
  addresses: 8,
  /** Asked of one source ahead of what has come, in so many requests: enough for the way there and back, and little to lose. */
  aheadBytes: 4 * MiB,
  requests: 4,
  /** After a break it is one chunk, or one part of so many of what has come since, if that is more. Each is written before more is asked for. */
  carefulPart: 256,
  /** A source is left when a chunk takes longer than this, not counting the time that we do not read; in ms. */
  chunkMs: 20_000,
  answerMs: 10_000,
  connectMs: 5_000,
  /** Chunks being verified and written at once. */
  working: 8,
  /** Bytes of chunks that may wait for the reader of a stream. */
  windowBytes: 4 * MiB,
  /** Pause before a source is tried again, and the longest; and how long nothing may come from anybody, in ms. */
  retryMs: 100,
  retryMaxMs: 2_000,
  giveUpMs: 30_000,
  /** How often sources are asked who else has the content, and what of it, in ms. */
  lookMs: 250,
  /** A slow source's last chunks are asked of another that has nothing to do when they would take longer than this, in ms. */
  stealMs: 1_000
} as const

export const KEEP = {
  /** Bytes of sent streams in the home, unless the node is told otherwise. Beyond it: NO_SPACE. */
  quotaBytes: 10 * GiB,
  /** Contents known. Beyond it, those used longest ago whose data is not in the home are forgotten; then OVERLOADED. */
  entries: 10_000,
  /** Left free on the disk, so that a node's own log can go on. */
  reserveBytes: 64 * MiB
} as const

/** Largest frame: a request, or the answer to one. The map of a partial content takes 22 KiB at most. */
export const FRAME_BYTES = 64 * KiB
