/** Contents for the tests, on real nodes over 127.0.0.1, in folders of their own: in memory where the machine has that. */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createContent, type Content, type ContentParts } from '../../src/content/content.ts'
import type { ContentRef } from '../../src/core/content.ts'
import type { Clock } from '../../src/core/ports.ts'
import { clock, startNode, type TestNode } from '../net/support.ts'

export const MB = 1_000_000
export const CHUNK = 262_144

export function folderFor (t: TestContext): string {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'a2a-content-'))
  t.after(() => { rmSync(folder, { recursive: true, force: true }) })
  return folder
}

export interface Peer extends TestNode {
  content: Content
  folder: string
}

/** Times that pass faster than they say, for what waits long. */
export const hurried = (factor: number): Clock => ({ now: () => performance.now() * factor, after: (ms, run) => clock.after(ms / factor, run) })

export async function startPeer (t: TestContext, parts: Partial<ContentParts> = {}): Promise<Peer> {
  const node = await startNode(t)
  const folder = folderFor(t)
  const content = await createContent({ net: node.net, folder: join(folder, 'content'), clock, logger: node.logger, ...parts })
  t.after(() => { content.close() })
  return { ...node, content, folder }
}

export async function fileOf (folder: string, bytes: number, name = 'data'): Promise<string> {
  const file = join(folder, name)
  await writeFile(file, randomBytes(bytes))
  return file
}

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export const digestOfFile = async (file: string): Promise<string> => digestOf(await readFile(file))

export async function digestOfStream (pieces: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

/** The same ref, to be had at another address of the same peer. */
export const at = (ref: ContentRef, ...addresses: string[]): ContentRef => ({ ...ref, sources: ref.sources.map(({ peer }) => ({ peer, addresses })) })

export interface Road {
  /** Address of the road; what comes there goes to the peer. */
  address: string
  /** Cuts every connection that there is. New ones are carried again. */
  cut: () => void
}

/** A way to a peer that can be cut. */
export async function roadTo (t: TestContext, address: string): Promise<Road> {
  const [, port = ''] = /\/tcp\/(\d+)/.exec(address) ?? []
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, inbound => {
    const outbound = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
    for (const [from, to] of [[inbound, outbound], [outbound, inbound]] as const) {
      sockets.add(from)
      from.pipe(to)
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.on('error', () => {})
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => { for (const socket of sockets) socket.destroy() }
  t.after(() => {
    server.close()
    cut()
  })
  return { address: address.replace(`/tcp/${port}`, `/tcp/${(server.address() as { port: number }).port}`), cut }
}
