/** A libp2p stream as it comes: TCP, Noise, yamux with their defaults, one long-lived stream, and nothing of ours. */
import type { Libp2p } from 'libp2p'
import type { Stream } from '@libp2p/interface'
import { createFrames, frame, PIECE, wanting } from '../frames.ts'
import type { Subject } from '../subject.ts'

const ECHO = '/bench/echo/1'
const SINK = '/bench/sink/1'
const BULK = '/bench/bulk/1'

export const libp2p: Subject = {
  id: 'libp2p',
  title: 'bare libp2p stream',
  over: 'TCP, Noise, yamux',
  packages: [],

  serve: async ({ arrived }) => {
    const host = await createHost()
    await host.handle(ECHO, stream => { receive(stream, payload => { stream.send(frame(payload)) }) })
    await host.handle(SINK, stream => { receive(stream, arrived) })
    await host.handle(BULK, stream => { receive(stream, wanted => { void pour(stream, Number(wanted.readBigUInt64BE())).catch(() => undefined) }) })
    return { address: host.getMultiaddrs().map(String), [Symbol.asyncDispose]: async () => { await host.stop() } }
  },

  connect: async ([address = '']: string[]) => {
    const { multiaddr } = await import('@multiformats/multiaddr')
    const host = await createHost()
    const to = multiaddr(address)
    const asking = await host.dialProtocol(to, ECHO)
    const telling = await host.dialProtocol(to, SINK)
    const waiting: Array<(bytes: number) => void> = []
    let answered = 0
    receive(asking, payload => {
      waiting[answered]?.(payload.length)
      if (++answered < 1_024) return
      waiting.splice(0, answered)
      answered = 0
    })
    return {
      request: payload => new Promise(resolve => {
        waiting.push(resolve)
        asking.send(frame(payload))
      }),
      tell: payload => telling.send(frame(payload)) ? undefined : drained(telling),
      fetch: async bytes => {
        const stream = await host.dialProtocol(to, BULK)
        let left = bytes
        const complete = Promise.withResolvers<void>()
        stream.addEventListener('message', ({ data }) => {
          left -= data.byteLength
          if (left <= 0) complete.resolve()
        })
        stream.addEventListener('close', () => { complete.reject(new Error('closed too early')) })
        stream.send(frame(wanting(bytes)))
        await complete.promise
        await stream.close()
      },
      [Symbol.asyncDispose]: async () => { await host.stop() }
    }
  },

  stranger: async ([address = '']: string[]) => {
    const { multiaddr } = await import('@multiformats/multiaddr')
    const host = await createHost()
    return {
      reach: async () => {
        const stream = await host.dialProtocol(multiaddr(address), ECHO)
        const answered = new Promise<void>(resolve => { receive(stream, () => { resolve() }) })
        stream.send(frame(Buffer.from('hello')))
        await answered
      },
      [Symbol.asyncDispose]: async () => { await host.stop() }
    }
  }
}

async function createHost (): Promise<Libp2p> {
  const [{ createLibp2p }, { tcp }, { noise }, { yamux }] = await Promise.all([import('libp2p'), import('@libp2p/tcp'), import('@libp2p/noise'), import('@libp2p/yamux')])
  return await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // Its default refuses more than five newcomers a second, and so the handshakes that are to be measured.
    connectionManager: { inboundConnectionThreshold: 1_000 }
  })
}

async function pour (stream: Stream, bytes: number): Promise<void> {
  const piece = new Uint8Array(PIECE).fill(1)
  for (let left = bytes; left > 0; left -= PIECE) {
    if (!stream.send(left < PIECE ? piece.subarray(0, left) : piece)) await drained(stream)
  }
  await stream.close()
}

function receive (stream: Stream, onFrame: (payload: Buffer) => void): void {
  const frames = createFrames(onFrame)
  stream.addEventListener('message', ({ data }) => {
    if (data instanceof Uint8Array) frames.push(data)
    else for (const piece of data) frames.push(piece)
  })
}

/** Not stream.onDrain(): in @libp2p/utils 7.4.1 every wait after the first ends at once, and the memory fills up. */
const drained = (stream: Stream): Promise<void> => new Promise((resolve, reject) => {
  const end = (): void => {
    stream.removeEventListener('drain', end)
    stream.removeEventListener('close', end)
    if (stream.status === 'open') resolve()
    else reject(new Error('the stream was closed'))
  }
  stream.addEventListener('drain', end)
  stream.addEventListener('close', end)
})
