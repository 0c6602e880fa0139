/** Every bound of dialogues, each with what happens beyond it. */
import { MAX_CONTENT } from '../wire/messages.ts'

const KiB = 1_024

export const DIALOGUE = {
  /** The opening and its answer, encoded. Beyond it: MESSAGE_TOO_LARGE. */
  openingBytes: 72 * KiB,
  /** For the opening to come, in ms. Beyond it the stream is reset. */
  openingMs: 5_000,
  /** Inbound dialogues of one peer, and of all; each until its stream is closed and its handler has returned. Beyond it: OVERLOADED. */
  inboundPerPeer: 32,
  inbound: 4_096,
  /** Inbound streams of one connection: more than dialogues, so that one too many can be told so. Beyond it they are reset. */
  inboundStreams: 40,
  /** A kind and the largest body. Beyond it: MESSAGE_TOO_LARGE. */
  frameBytes: MAX_CONTENT + 1,
  /** What a failure may have, in JSON. Beyond it: MESSAGE_MALFORMED. */
  failureBytes: 64 * KiB,
  /** What may be on its way and unread in one direction; the last message may reach beyond it. Who sends more ends the dialogue. */
  windowBytes: 1_024 * KiB,
  /** Granted again once so many were taken: what comes in one go, with others waiting behind it. */
  grantBytes: 64 * KiB,
  /** The receive window of its stream: it does not grow, so that requests to the same peer wait behind little. */
  streamWindowBytes: 256 * KiB,
  /** What a message takes of the window beside its kind and body: it is an object in memory. */
  messageOverhead: 64,
  /** Messages that wait for room in the window, by callers of `send` that do not await it. Beyond it: OVERLOADED, which ends the dialogue. */
  waitingBytes: 2 * MAX_CONTENT,
  /** Frames handed to the stream in one piece, unless one is larger. Less waits for the end of the turn of the event loop. */
  batchBytes: 64 * KiB,
  /** Frames whose memory is kept to be used again, and how large each may be. */
  spareFrames: 4,
  spareBytes: 256 * KiB,
  /** From the end of a dialogue to that of its stream, in ms. Beyond it the stream is reset. */
  lingerMs: 2_000,
  /** Who says and reads no more waits so long for the other side to take what was sent, and to end too, in ms. Beyond it: CANCELLED. */
  disposeMs: 5_000
} as const
