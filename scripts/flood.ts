/**
 * `node scripts/flood.ts [--for 60] [--rate 10000] [--identities 20] [--json]`
 *
 * A node is sent so many provider records and values of Kademlia a second, by strangers with identities of their own, over
 * many streams. Says what an honest peer waits for its answers before, while another node is flooded (for the machine has as
 * much to do then), and meanwhile; and what the node's memory does.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, setPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { multiaddr } from '@multiformats/multiaddr'
import { numberOf } from './numbers.ts'
import { createNode } from '../src/index.ts'
import { createHost, DHT_PROTOCOL, type Host } from '../src/net/libp2p.ts'

const { values } = parseArgs({ allowPositionals: true, options: {
  for: { type: 'string', default: '60' },
  rate: { type: 'string', default: '10000' },
  identities: { type: 'string', default: '20' },
  json: { type: 'boolean', default: false }
} })
const LISTEN = ['/ip4/127.0.0.1/tcp/0']
const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }

async function measure (): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-flood-'))
  const children: ChildProcess[] = []
  const start = async (role: string, argument: string): Promise<{ child: ChildProcess, told: any }> => {
    const child = fork(import.meta.filename, [...process.argv.slice(2), role, argument])
    children.push(child)
    const [told] = await once(child, 'message')
    return { child, told }
  }
  try {
    const victim = await start('victim', folder)
    const honest = await createNode({ home: join(folder, 'honest'), rendezvous: join(folder, 'r-honest'), listen: LISTEN, mdns: false, bootstrap: [victim.told.address], logger: silent })
    await honest.joined(10_000)
    const [found] = await honest.find('flood.echo', { timeoutMs: 10_000 })
    if (found === undefined) throw new Error('the node was not found')
    const ask = async (ms: number): Promise<number[]> => {
      const took: number[] = []
      for (const until = performance.now() + ms; performance.now() < until; await wait(20)) {
        const begun = performance.now()
        await honest.agents[0]?.request(found.agentId, 'flood.ask', 'x')
        took.push(performance.now() - begun)
      }
      return took.sort((a, b) => a - b)
    }
    const size = async (): Promise<any> => {
      victim.child.send('size')
      const [told] = await once(victim.child, 'message')
      return told
    }
    const ms = numberOf('for', values.for) * 1_000
    const flood = async (address: string): Promise<{ took: number[], sent: number, refused: number }> => {
      const { child } = await start('attacker', address)
      const took = await ask(ms)
      child.send('end')
      const [{ sent, refused }] = await once(child, 'message')
      return { took, sent, refused }
    }
    const before = await ask(Math.min(10_000, ms))
    const { took: beside } = await flood((await start('victim', join(folder, 'other'))).told.address)
    const small = await size()
    const { took: during, sent, refused } = await flood(victim.told.address)
    const large = await size()
    const at = (took: number[], share: number): number => Math.round((took[Math.floor(took.length * share)] ?? 0) * 100) / 100
    const report = {
      seconds: ms / 1_000, sent, refused, perSecond: Math.round(sent / ms * 1_000),
      before: { p50: at(before, 0.5), p99: at(before, 0.99) }, beside: { p50: at(beside, 0.5), p99: at(beside, 0.99) }, during: { p50: at(during, 0.5), p99: at(during, 0.99) },
      rssBefore: small.rss, rssAfter: large.rss, heapBefore: small.heap, heapAfter: large.heap, cpuShare: Math.round((large.cpuMs - small.cpuMs) / ms * 100) / 100
    }
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : `${Object.entries(report).map(([name, value]) => `${name.padEnd(12)}${JSON.stringify(value)}`).join('\n')}\n`)
    await honest[Symbol.asyncDispose]()
  } finally {
    for (const child of children) {
      child.disconnect()
      if (child.exitCode === null) await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

async function beVictim (folder: string): Promise<void> {
  const node = await createNode({ home: join(folder, 'victim'), rendezvous: join(folder, 'r-victim'), listen: LISTEN, mdns: false, logger: silent })
  const [agent] = node.agents
  agent?.onRequest('flood.ask', (body: unknown) => body, { public: true })
  await agent?.provide('flood.echo', { public: true, run: input => input })
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed, cpuMs: (user + system) / 1_000 })
  })
  process.send?.({ address: node.addresses()[0] })
}

/** Records of random keys, each by who sends it, and values; a stream that is reset is opened again. */
async function attack (address: string): Promise<void> {
  // It takes what the others leave of this machine, as if it had one of its own.
  setPriority(constants.priority.PRIORITY_LOW)
  let sent = 0
  let refused = 0
  const end = new AbortController()
  const hosts = await Promise.all(Array.from({ length: numberOf('identities', values.identities) }, () => createHost(randomBytes(32), LISTEN, { isServer: false }, () => 0)))
  const rate = numberOf('rate', values.rate) / hosts.length
  process.on('message', () => {
    end.abort()
    process.send?.({ sent, refused })
  })
  process.send?.({})
  await Promise.all(hosts.map(host => flood(host)))

  async function flood (host: Host): Promise<void> {
    while (!end.signal.aborted) {
      try {
        const connection = await host.dial(multiaddr(address), { signal: AbortSignal.timeout(5_000) })
        const stream = await connection.newStream(DHT_PROTOCOL, { signal: AbortSignal.timeout(5_000) })
        for (let debt = 0, at = performance.now(); !end.signal.aborted && stream.status === 'open'; await wait(5)) {
          debt = Math.min(1_000, debt + (performance.now() - at) * rate / 1_000)
          at = performance.now()
          for (; debt >= 1; debt--, sent++) {
            const message = sent % 10 === 9 ? putValue() : addProvider(host)
            if (!stream.send(bytes(size(message.length), message))) await new Promise(resolve => { for (const event of ['drain', 'close']) stream.addEventListener(event as 'drain', resolve, { once: true }) })
          }
        }
      } catch {
        refused++
        await wait(10)
      }
    }
  }
}

/** Fields of Kademlia's Message: type 1, key 2, record 3, providers 9. A peer: id 1, addresses 2. A record: key 1, value 2. */
const addProvider = (host: Host): Uint8Array => bytes(varint(1, 2), field(2, bytes([0x12, 0x20], randomBytes(32))), varint(10, 1), field(9, bytes(field(1, host.peerId.toMultihash().bytes), field(2, multiaddr('/ip4/127.0.0.1/tcp/4001').bytes))))
function putValue (): Uint8Array {
  const key = bytes(new TextEncoder().encode('/pk/'), randomBytes(34))
  return bytes(varint(1, 0), field(2, key), varint(10, 1), field(3, bytes(field(1, key), field(2, randomBytes(1_024)))))
}

const bytes = (...parts: ArrayLike<number>[]): Uint8Array => Uint8Array.from(parts.flatMap(part => Array.from(part)))
const varint = (number: number, value: number): number[] => [number << 3, ...size(value)]
const field = (number: number, value: Uint8Array): Uint8Array => bytes([number << 3 | 2], size(value.length), value)
const size = (value: number): number[] => value < 128 ? [value] : [value & 127 | 128, ...size(value >>> 7)]

if (process.send === undefined) await measure()
else {
  process.on('disconnect', () => process.exit(0))
  const [role = '', argument = ''] = process.argv.slice(-2)
  await (role === 'victim' ? beVictim(argument) : attack(argument))
}
