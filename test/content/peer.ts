/** A node with content in a process of its own, told what to do by its parent. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createContent } from '../../src/content/content.ts'
import { messageOf } from '../../src/core/errors.ts'
import type { ContentRef } from '../../src/core/content.ts'
import { createNet } from '../../src/net/create.ts'
import { clock, keepingLogger } from '../net/support.ts'

export interface Order {
  id: number
  send?: string
  receive?: { ref: ContentRef, file?: string, perSecond?: number }
  /** Resident memory in bytes; the most since the last question. */
  memory?: true
  served?: true
}

const [folder = '', seed = ''] = process.argv.slice(2)
const logger = keepingLogger()
const [, port = '0'] = seed.split(':')
const net = await createNet({ seed: seed === '' ? randomBytes(32) : Buffer.from(seed.split(':')[0] ?? '', 'hex'), listen: [`/ip4/127.0.0.1/tcp/${port}`], mdns: false, rendezvous: join(folder, 'rendezvous'), credentials: () => [], clock, logger })
await net.begin()
const content = await createContent({ net, folder: join(folder, 'content'), clock, logger })
let peak = 0
setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()) }, 10).unref()

async function perform ({ send, receive, memory, served }: Order, onBytes: (bytes: number) => void): Promise<unknown> {
  if (send !== undefined) return await content.send(send)
  if (memory) {
    const most = peak
    globalThis.gc?.()
    peak = process.memoryUsage.rss()
    return most
  }
  if (served) return (await content.list())[0]?.servedBytes
  if (receive?.file !== undefined) return await content.receive(receive.ref, { file: receive.file, onProgress: ({ bytes }) => { onBytes(bytes) } })
  if (receive === undefined) return undefined
  let bytes = 0
  for await (const piece of content.receive(receive.ref)) {
    bytes += piece.length
    onBytes(bytes)
    if (receive.perSecond !== undefined) await new Promise(resolve => { setTimeout(resolve, piece.length * 1_000 / (receive.perSecond ?? 1)) })
  }
  return bytes
}

process.on('message', (order: Order) => {
  const { id } = order
  perform(order, bytes => process.send?.({ id, bytes })).then(result => process.send?.({ id, result }), (error: { code?: string }) => process.send?.({ id, failed: error.code ?? messageOf(error) }))
})
process.on('disconnect', () => process.exit())
process.send?.({ ready: { peerId: net.peerId, addresses: net.addresses() } })
