/** What goes over the sockets of this process, counted from outside: no part of the product is asked. */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

export interface Sockets {
  open: () => number
  opened: () => number
  bytesSent: () => number
  writes: () => number
}

/** Counts from now on. Call it once, before the first socket. */
export function countSockets (): Sockets {
  const sockets = new Set<Socket>()
  let opened = 0
  let writes = 0
  let bytesOfClosed = 0
  const count = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    sockets.add(socket)
    opened++
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    socket.write = ((...args: unknown[]) => {
      writes++
      return write(...args)
    }) as Socket['write']
    socket.once('close', () => {
      sockets.delete(socket)
      bytesOfClosed += socket.bytesWritten
    })
  }
  subscribe('net.client.socket', count)
  subscribe('net.server.socket', count)
  return {
    open: () => sockets.size,
    opened: () => opened,
    bytesSent: () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, bytesOfClosed),
    writes: () => writes
  }
}
