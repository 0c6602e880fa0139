/** Plain TCP, no encryption, no protocol but a length: what the machine can do at most. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createFrames, frame } from '../frames.ts'
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
    const ports = { echo: await listen(echo), sink: await listen(sink) }
    return {
      address: ports,
      [Symbol.asyncDispose]: async () => {
        echo.close()
        sink.close()
      }
    }
  },

  connect: async ({ echo, sink }: { echo: number, sink: number }) => {
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
      [Symbol.asyncDispose]: async () => {
        asking.destroy()
        telling.destroy()
      }
    }
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
