/** Somebody who means harm: a bare libp2p node, and frames that no honest node sends. */
import { randomBytes, randomInt } from 'node:crypto'
import type { TestContext } from 'node:test'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import type { Connection, Stream } from '@libp2p/interface'
import { CHANNEL_PROTOCOL } from '../../src/net/channels.ts'
import { framePrefix } from '../../src/net/frames.ts'
import { DHT_PROTOCOL } from '../../src/net/libp2p.ts'

export const PROTOCOLS = [CHANNEL_PROTOCOL, DHT_PROTOCOL, '/meshsub/1.2.0', '/meshsub/1.1.0', '/ipfs/id/1.0.0', '/ipfs/ping/1.0.0']

export async function stranger (t: TestContext) {
  const node = await createLibp2p({ transports: [tcp()], connectionEncrypters: [noise()], streamMuxers: [yamux({ enableKeepAlive: false })], connectionMonitor: { enabled: false } })
  t.after(() => node.stop())
  return node
}

/** A frame that somebody who means harm could send: noise, a cut or bent message, a false length. */
function badFrame (good: Uint8Array): Uint8Array {
  const framed = (bytes: Uint8Array): Uint8Array => Buffer.concat([framePrefix(bytes.length), bytes])
  switch (randomInt(7)) {
    case 0: return randomBytes(randomInt(1, 300))
    case 1: return framed(randomBytes(randomInt(1, 300)))
    case 2: return framed(good.subarray(0, randomInt(1, good.length)))
    case 3: {
      const bent = Uint8Array.from(good)
      bent[randomInt(bent.length)] = randomInt(256)
      return framed(bent)
    }
    case 4: return Buffer.concat([framePrefix(randomInt(2 ** 21, 2 ** 27)), randomBytes(50)])
    case 5: return Uint8Array.of(0)
    default: return framed(Buffer.concat([good, randomBytes(20)]))
  }
}

/** Sends until all are sent; whenever the stream is reset, or the connection is ended, begins anew. */
export async function attack (dial: () => Promise<Connection>, protocol: string, good: Uint8Array, frames: number): Promise<number> {
  let sent = 0
  let stream: Stream | undefined
  let streams = 0
  while (sent < frames) {
    try {
      if (stream?.status !== 'open') {
        stream = await (await dial()).newStream([protocol], { signal: AbortSignal.timeout(2_000), maxOutboundStreams: 1_000 })
        stream.addEventListener('message', () => {})
        streams++
      }
      for (let i = 0; i < 50 && sent < frames; i++, sent++) stream.send(badFrame(good))
    } catch {
      sent += 50
    }
    await new Promise(resolve => { setImmediate(resolve) })
    if (streams % 20 === 19) stream?.abort(new Error('enough'))
  }
  return streams
}
