/** Plain TCP, no encryption, no protocol but a length: what the machine can do at most. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createFrames, frame, PIECE, wanting } from '../frames.ts'
import type { Subject } from '../subject.ts'

export const tcp: Subject = {
  id: 'tcp',
  title: 'raw TCP echo',
  over: 'TCP, not encrypted',
  packages: [],

  serve: async ({ arrived }) => {
    const echo = createServer({ noDelay: true }, socket => {
      const frames = createFrames(payload => { socket.write(frame(payload)) })
      socket.on('data', frames.push).on('error', () => undefined)
    })
    const sink = createServer({ noDelay: true }, socket => {
      const frames = createFrames(arrived)
      socket.on('data', frames.push).on('error', () => undefined)
    })
    const bulk = createServer(socket => { socket.once('data', wanted => { void pour(socket, Number(wanted.readBigUInt64BE())).catch(() => undefined) }).on('error', () => undefined) })
    const ports = { echo: await listen(echo), sink: await listen(sink), bulk: await listen(bulk) }
    return {
      address: ports,
      [Symbol.asyncDispose]: async () => {
        echo.close()
        sink.close()
        bulk.close()
      }
    }
  },

  connect: async ({ echo, sink, bulk }: { echo: number, sink: number, bulk: number }) => {
    const [asking, telling] = await Promise.all([open(echo), open(sink)])
    const waiting: Array<(bytes: number) => void> = []
    let answered = 0
    const frames = createFrames(payload => {
      waiting[answered]?.(payload.length)
      if (++answered < 1_024) return
      waiting.splice(0, answered)
      answered = 0
    })
    asking.on('data', frames.push)
    return {
      request: payload => new Promise(resolve => {
        waiting.push(resolve)
        asking.write(frame(payload))
      }),
      tell: payload => telling.write(frame(payload)) ? undefined : once(telling, 'drain').then(() => undefined),
      fetch: async bytes => {
        const socket = await open(bulk)
        let left = bytes
        const complete = Promise.withResolvers<void>()
        socket.on('data', chunk => {
          left -= chunk.length
          if (left <= 0) complete.resolve()
        }).on('close', () => { complete.reject(new Error('closed too early')) })
        socket.write(wanting(bytes))
        await complete.promise.finally(() => { socket.destroy() })
      },
      [Symbol.asyncDispose]: async () => {
        asking.destroy()
        telling.destroy()
      }
    }
  },

  stranger: async ({ echo }: { echo: number }) => {
    let socket: Socket | undefined
    return {
      reach: async () => {
        socket = await open(echo)
        socket.write(frame(Buffer.from('hello')))
        await once(socket, 'data')
      },
      [Symbol.asyncDispose]: async () => { socket?.destroy() }
    }
  }
}

async function pour (socket: Socket, bytes: number): Promise<void> {
  const piece = Buffer.alloc(PIECE, 1)
  for (let left = bytes; left > 0; left -= PIECE) {
    if (!socket.write(left < PIECE ? piece.subarray(0, left) : piece)) await once(socket, 'drain')
  }
}

async function listen (server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

async function open (port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}
