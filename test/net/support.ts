/** Nodes for the tests: real libp2p on 127.0.0.1, each with one agent, in folders of their own. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { newId } from '../../src/wire/id.ts'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import type { Envelope } from '../../src/core/envelope.ts'
import type { Clock, Logger } from '../../src/core/ports.ts'
import { keyOfSeed } from '../../src/identity/keys.ts'
import { createSigner, type RotatingSigner } from '../../src/identity/signer.ts'
import { createNet } from '../../src/net/create.ts'
import type { Net, NetOptions } from '../../src/net/net.ts'
import { signEnvelope } from '../../src/wire/envelope.ts'
import type { MessageName } from '../../src/wire/messages.ts'

export const clock: Clock = {
  now: Date.now,
  after (ms, run) {
    const timer = setTimeout(run, ms).unref()
    return () => { clearTimeout(timer) }
  }
}

export interface Line { level: string, what: string, facts?: Record<string, unknown> }

export function keepingLogger (): Logger & { lines: Line[] } {
  const lines: Line[] = []
  const at = (level: string) => (what: string, facts?: Record<string, unknown>) => {
    lines.push({ level, what, facts })
    if (process.env.SHOW_LOG !== undefined) console.error(level, what, facts ?? '')
  }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** Removed when the process ends: by then every node that uses it has stopped. */
export function folder (): string {
  const dir = mkdtempSync(join(tmpdir(), 'a2a-net-'))
  folders.push(dir)
  return dir
}

const folders: string[] = []
process.once('exit', () => { for (const dir of folders) rmSync(dir, { recursive: true, force: true }) })

export interface TestNode {
  net: Net
  signer: RotatingSigner
  logger: ReturnType<typeof keepingLogger>
  seed: Uint8Array
  /** An envelope from this node's agent; signed where its type asks for it. */
  envelope: (type: MessageName, payload: unknown, more?: Partial<Envelope>) => Envelope
  address: () => string[]
  stop: () => Promise<void>
}

export async function peerIdOf (seed: Uint8Array): Promise<string> {
  return peerIdFromPrivateKey(await generateKeyPairFromSeed('Ed25519', seed)).toString()
}

export async function startNode (t: TestContext, options: Partial<NetOptions> = {}): Promise<TestNode> {
  const seed = options.seed ?? randomBytes(32)
  const logger = keepingLogger()
  const signer = createSigner({ root: keyOfSeed(randomBytes(32)), peerId: await peerIdOf(seed), clock })
  const net = await createNet({
    seed,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    rendezvous: options.rendezvous ?? folder(),
    credentials: () => [signer.credential()],
    clock,
    logger,
    ...options
  })
  await net.begin()
  const stop = async (): Promise<void> => {
    signer.close()
    await net[Symbol.asyncDispose]()
  }
  t.after(stop)
  return {
    net,
    signer,
    logger,
    seed,
    envelope (type, payload, more = {}) {
      const messageId = newId()
      const plain: Envelope = { version: 1, messageId, correlationId: messageId, from: signer.agentId, timestamp: Date.now(), type, payload, ...more }
      return SIGNED.has(type) ? signEnvelope(plain, signer) : plain
    },
    address: () => net.addresses(),
    stop
  }
}

const SIGNED: ReadonlySet<MessageName> = new Set<MessageName>(['advert', 'task.announce', 'task.bid', 'task.award', 'task.accept', 'task.refuse', 'task.revoke', 'task.result', 'task.receipt', 'task.countersign'])

/** Resolves when `when` holds; looks again after each turn that something happens. */
export async function until (when: () => boolean, what: string, ms = 10_000): Promise<void> {
  const end = Date.now() + ms
  while (!when()) {
    if (Date.now() > end) throw new Error(`never came: ${what}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}

export const opened = (net: Net, peer: string): Promise<void> => new Promise(resolve => {
  if (net.speakers(peer).length > 0) { resolve(); return }
  const stop = net.onPeer(event => {
    if (event.type !== 'opened' || event.peer !== peer) return
    stop()
    resolve()
  })
})
