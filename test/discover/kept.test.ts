/** What outlives a restart: whom a node knew, and how new its knowledge was. */
import assert from 'node:assert/strict'
import { compileSchema } from '../../src/execute/schema.ts'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { createNode, type HostedNode } from '../../src/index.ts'
import { createDirectory, type Directory } from '../../src/discover/directory.ts'
import { createSequences } from '../../src/discover/sequences.ts'
import { createMemoryLog } from '../../src/store/memory.ts'
import { newId } from '../../src/wire/id.ts'
import { clock, folder, keepingLogger, startNode, until, type TestNode } from '../net/support.ts'
import { someone } from './support.ts'

const agentOf = (node: HostedNode) => node.hosted[0]?.agent as HostedNode['agents'][number]
const start = (home: string, name: string, more: object = {}) => createNode({ name, home, rendezvous: folder(), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, ...more })

/** A directory on a real node, as it is after each start with one file. */
async function directoryOn (t: TestContext, file: string): Promise<{ directory: Directory, node: TestNode, logger: ReturnType<typeof keepingLogger> }> {
  const node = await startNode(t)
  const logger = keepingLogger()
  const directory = createDirectory({ net: node.net, clock, logger, values: createMemoryLog({ clock }).values, protocols: [], compileSchema, file })
  return { directory, node, logger }
}

/** Has a directory hear adverts from a peer that passes them on. */
async function hears (t: TestContext, { node, directory }: { node: TestNode, directory: Directory }, statements: Uint8Array[]): Promise<void> {
  const author = { agentId: node.signer.agentId, newId, now: clock.now }
  await directory.advertise({ author, signer: node.signer, name: 'us', capabilities: () => [], load: () => 0 })
  const teller = await startNode(t)
  const asked = Promise.withResolvers<void>()
  teller.net.handle('advert.query', query => {
    setImmediate(asked.resolve)
    return { ...teller.envelope('advert.list', { adverts: statements.map(bytes => Buffer.from(bytes).toString('base64url')) }), causationId: query.messageId }
  })
  await teller.net.wire.send(node.net.peerId, teller.envelope('ack', {}), { addresses: node.address() })
  await asked.promise
  await directory.joined(2_000)
}

it('a restarted node finds at once whom it knew, also when nobody is around to ask', async t => {
  const home = folder()
  const rendezvous = folder()
  const worker = await start(folder(), 'worker', { rendezvous })
  t.after(() => worker[Symbol.asyncDispose]())
  await agentOf(worker).provide('text.upper', { public: true, run: (text: string) => text.toUpperCase() })
  const first = await start(home, 'asker', { rendezvous })
  assert.equal((await first.find('text.upper')).length, 1)
  await first[Symbol.asyncDispose]()
  assert.equal(statSync(join(home, 'agents.jsonl')).mode & 0o077, 0)

  const again = await start(home, 'asker')
  t.after(() => again[Symbol.asyncDispose]())
  const begun = performance.now()
  const [found] = await again.find('text.upper')
  assert.ok(performance.now() - begun < 100, 'nothing was waited for')
  assert.deepEqual([found?.name, found?.source], ['worker', 'kept'])
  assert.ok((found?.ttlMs ?? Infinity) < 300_000, 'its lifetime began when it was made')
  assert.equal((await agentOf(again).delegate('text.upper', 'a').result).output, 'A')
})

it('nodes that were all restarted come together again by what they knew', async t => {
  const homes = [folder(), folder()]
  const listen = async (rendezvous: string, ports?: string[]) => await Promise.all(homes.map((home, i) => start(home, `node-${i}`, { rendezvous, listen: [`/ip4/127.0.0.1/tcp/${ports?.[i] ?? 0}`] })))
  const before = await listen(folder())
  await Promise.all(before.map((node, i) => agentOf(node).provide(`text.n${i}`, { run: () => 1 })))
  await until(() => before.every(node => node.status().agentsKnown === 2), 'each other')
  assert.deepEqual((await Promise.all(before.map(node => node.find('text.*')))).map(found => found.length), [2, 2])
  // As if killed: what is on disk by then is all there is.
  await until(() => homes.every(home => existsSync(join(home, 'agents.jsonl')) && /"text\.n\d@1"/.test(readFileSync(join(home, 'agents.jsonl'), 'utf8'))), 'what is kept')
  const kept = homes.map(home => readFileSync(join(home, 'agents.jsonl')))
  const ports = before.map(node => /tcp\/(\d+)/.exec(node.addresses()[0] ?? '')?.[1] ?? '')
  await Promise.all(before.map(node => node[Symbol.asyncDispose]()))
  for (const [i, home] of homes.entries()) writeFileSync(join(home, 'agents.jsonl'), kept[i] ?? '')
  const after = await Promise.all(homes.map((home, i) => start(home, `node-${i}`, { listen: [`/ip4/127.0.0.1/tcp/${ports[i]}`] })))
  t.after(() => Promise.all(after.map(node => node[Symbol.asyncDispose]())))
  await until(() => after.every(node => node.peers().length === 1), 'a connection')
})

it('a damaged file is set aside with a warning, and the node starts', async t => {
  const file = join(folder(), 'agents.jsonl')
  const stranger = someone(t, 'QmStranger11')
  const first = await directoryOn(t, file)
  await hears(t, first, [stranger.statement()])
  assert.equal((await first.directory.find('data.x')).length, 1)
  await first.directory.close()
  const good = readFileSync(file)
  for (const bad of [good.subarray(0, good.length / 2), Buffer.concat([good, Buffer.from('x')]), Buffer.from(good.toString().replace('"version":1', '"version":2')), Buffer.alloc(0), Buffer.from('{}\n')]) {
    writeFileSync(file, bad)
    const { directory, logger } = await directoryOn(t, file)
    assert.equal(directory.size(), 0)
    assert.deepEqual(logger.lines.filter(({ level }) => level === 'warn').map(({ what }) => what), ['what was known of other agents is damaged and was set aside; they are looked for anew'])
    assert.deepEqual(readFileSync(`${file}.damaged`), bad)
    await directory.close()
  }
})

it('what is kept is believed no more than a stranger: only what its agent signed gets in again', async t => {
  const file = join(folder(), 'agents.jsonl')
  const [honest, victim] = [someone(t, 'QmHonest1111'), someone(t, 'QmVictim1111')]
  const first = await directoryOn(t, file)
  await hears(t, first, [honest.statement(), victim.statement()])
  await first.directory.close()
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(0, -1)
    .map(line => line.includes(victim.id) ? line.replace(/("advert":".{400})./, (_, before: string) => `${before}_`) : line)
  const body = `${lines.join('\n')}\n`
  writeFileSync(file, `${body}${JSON.stringify({ sha256: createHash('sha256').update(body).digest('base64url') })}\n`)
  const { directory } = await directoryOn(t, file)
  assert.deepEqual((await directory.find('data.x', { timeoutMs: 50 })).map(({ agentId }) => agentId), [honest.id])
  await directory.close()
})

it('an advert from before a farewell is refused after a restart too', async t => {
  const file = join(folder(), 'agents.jsonl')
  const stranger = someone(t, 'QmStranger11')
  const now = Date.now()
  const first = await directoryOn(t, file)
  await hears(t, first, [stranger.statement({}, now - 3_000), stranger.statement({ ttl: 300, sequence: now - 2_000 }, now - 2_000)])
  assert.equal((await first.directory.find('data.x')).length, 1)
  await first.directory.close()
  const second = await directoryOn(t, file)
  await hears(t, second, [stranger.statement({ capabilities: [{ name: 'data.x', version: 7 }] }, now - 2_500)])
  assert.deepEqual((await second.directory.find('data.x')).map(({ capabilities }) => capabilities[0]?.version), [1])
  await second.directory.close()
})

it('a node whose clock was set back does not go below its own sequence numbers', async () => {
  let now = 1_000_000_000
  const { values } = createMemoryLog({ clock: { ...clock, now: () => now } })
  const begin = () => createSequences({ values, clock: { ...clock, now: () => now }, logger: keepingLogger(), heard: () => -1 })
  const first = begin()
  await first.ready('a')
  const used = first.next('a')
  now += 5_000
  await first.ready('a')
  const last = first.next('a')
  assert.ok(last > used)
  // Killed, and the clock is a day behind.
  now -= 86_400_000
  const second = begin()
  await second.ready('a')
  const after = second.next('a')
  assert.ok(after > last, `${after} after ${last}`)
  await second.close()
  const third = begin()
  await third.ready('a')
  assert.equal(third.next('a'), after + 1, 'an orderly end leaves no gap')
})
