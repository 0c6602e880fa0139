/** The first frame each way on the stream of a dialogue: an envelope, checked like those of a channel. */
import { A2aError, messageOf } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock } from '../core/ports.ts'
import { framePrefix } from '../net/frames.ts'
import { didOfPeer } from '../net/hello.ts'
import { checkDirect, type Checked } from '../net/intake.ts'
import type { Net } from '../net/net.ts'
import type { ByteStream } from '../net/streams.ts'
import { encodeEnvelope } from '../wire/envelope.ts'
import { DIALOGUE } from './limits.ts'
import type { FrameStream } from './frame-stream.ts'

export async function writeEnvelope (stream: ByteStream, envelope: Envelope): Promise<void> {
  const bytes = encodeEnvelope(envelope)
  await stream.write(Buffer.concat([framePrefix(bytes.length), bytes]))
}

/** @throws A2aError PEER_UNREACHABLE, MESSAGE_TOO_LARGE, MESSAGE_MALFORMED when there is none to check */
export async function readEnvelope (frames: FrameStream, peer: string, net: Pick<Net, 'speakers'>, clock: Clock): Promise<Checked> {
  let frame = frames.take(DIALOGUE.openingBytes)
  while (frame === undefined) {
    if (!await frames.more()) throw new A2aError({ code: 'PEER_UNREACHABLE', peer, why: 'it closed the stream' })
    frame = frames.take(DIALOGUE.openingBytes)
  }
  const speaks = (agent: string): boolean => agent === didOfPeer(peer) || net.speakers(peer).some(({ agentId }) => agentId === agent)
  return checkDirect(frame, peer, speaks, clock)
}

export interface Bounds {
  clock: Clock
  ms: number
  late: () => A2aError
  signal?: AbortSignal
}

/** Runs what reads and writes the stream. When it is late, or given up, the stream is aborted. */
export async function bounded<T> (stream: ByteStream, { clock, ms, late, signal }: Bounds, work: () => Promise<T>): Promise<T> {
  let reason: unknown
  const giveUp = (why: unknown): void => {
    reason ??= why
    stream.abort(messageOf(why))
  }
  const onAbort = (): void => { giveUp(signal?.reason) }
  const stop = clock.after(ms, () => { giveUp(late()) })
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    signal?.throwIfAborted()
    return await work()
  } catch (error) {
    throw reason ?? error
  } finally {
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}
