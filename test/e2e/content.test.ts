/** Content by command, and in tasks. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Agent, ContentRef, HostedNode } from '../../src/index.ts'
import { createNode } from '../../src/index.ts'
import { digestOf, digestOfFile, fileOf, folderFor, MB } from '../content/support.ts'
import { createMesh, type Mesh, type StartedNode } from '../support/processes.ts'

describe('content by command', () => {
  let mesh: Mesh
  let a: StartedNode
  let b: StartedNode

  before(async () => {
    mesh = createMesh()
    ;[a, b] = await Promise.all([mesh.start('a'), mesh.start('b')])
  })
  after(() => mesh[Symbol.asyncDispose]())

  it('goes from one node to another, and is listed and dropped', async () => {
    const file = join(mesh.folder, 'sales.csv')
    writeFileSync(file, randomBytes(3 * MB))
    const sent = await mesh.a2a(['content', 'send', file, '--type', 'text/csv', '--home', a.home])
    assert.equal(sent.code, 0, sent.stderr)
    const ref = JSON.parse(sent.stdout) as ContentRef
    const out = join(mesh.folder, 'copy.csv')
    const got = await mesh.a2a(['content', 'get', '-', '--out', out, '--home', b.home, '--json'], { input: sent.stdout })
    assert.equal(got.code, 0, got.stderr)
    assert.deepEqual(got.events.at(-1), { event: 'received', file: out, bytes: 3 * MB, resumed_bytes: 0 })
    assert.ok(got.events.some(({ event, total }) => event === 'progress' && total === 3 * MB))
    assert.equal(Buffer.compare(readFileSync(out), readFileSync(file)), 0)
    const listed = await mesh.a2a(['content', 'ls', '--home', a.home, '--json'])
    assert.deepEqual(listed.events.map(({ hash, kind, served_bytes: served }) => [hash, kind, served]), [[ref.hash, 'file', 3 * MB]])
    const dropped = await mesh.a2a(['content', 'drop', ref.hash.slice(0, 8), '--home', a.home, '--json'])
    assert.deepEqual(dropped.events, [{ event: 'dropped', hash: ref.hash }])
    assert.equal((await mesh.a2a(['content', 'drop', ref.hash, '--home', a.home])).code, 1)
  })

  it('that is stopped is kept, and the same command goes on from there', async t => {
    const file = await fileOf(folderFor(t), 400 * MB)
    const sent = await mesh.a2a(['content', 'send', file, '--home', a.home])
    const out = join(mesh.folder, 'large')
    const get = ['content', 'get', '-', '--out', out, '--home', b.home, '--json']
    const first = mesh.stream(get, { input: sent.stdout })
    await first.event(({ event, bytes }) => event === 'progress' && bytes > 4 * MB)
    first.child.kill('SIGINT')
    const { code, events } = await first.finished
    assert.equal(code, 130)
    assert.deepEqual(events.at(-1), { event: 'stopped', file: `${out}.partial` })
    assert.ok(!existsSync(out))
    const again = await mesh.a2a(get, { input: sent.stdout })
    assert.equal(again.code, 0, again.stderr)
    assert.ok(again.events.at(-1).resumed_bytes >= 4 * MB)
    assert.equal(await digestOfFile(out), await digestOfFile(file))
  })

  it('is refused in one line where it cannot be', async () => {
    for (const [args, code, why] of [
      [['send', '/no/such/file'], 2, /cannot read/],
      [['send', mesh.folder], 2, /is no file/],
      [['get', '{}'], 2, /no content ref: hash/],
      [['get', 'x'], 2, /the ref is no JSON/],
      // One letter may be the beginning of a hash that is there.
      [['drop', 'x.'], 1, /has no content x\./],
      [['drop', '-9WxCUhO', '--json'], 1, /has no content -9WxCUhO/],
      [['drop', '--9WxCUhO'], 1, /has no content --9WxCUhO/],
      [['drop', '--jsno', 'x'], 2, /too many arguments/]
    ] as const) {
      const ended = await mesh.a2a(['content', ...args, '--home', a.home])
      assert.equal(ended.code, code, ended.stderr)
      assert.match(ended.stdout + ended.stderr, why)
    }
    assert.equal((await mesh.a2a(['content', 'ls', '--home', mesh.home('nobody')])).code, 6)
  })
})

describe('content in a task', () => {
  it('goes in by its ref and comes out by another', async t => {
    const folder = folderFor(t)
    const start = async (name: string): Promise<HostedNode> => {
      const node = await createNode({ name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })
      t.after(() => node[Symbol.asyncDispose]())
      return node
    }
    const nodes = [await start('asker'), await start('worker')]
    await Promise.all(nodes.map(node => node.joined()))
    const [asker, worker] = nodes.map(node => node.agents[0] as Agent) as [Agent, Agent]
    await worker.provide<ContentRef, ContentRef>('bytes.order.flip', {
      run: async (input, { receive, send }) => await send((async function * () {
        for await (const piece of receive(input)) yield piece.map(byte => byte ^ 0xff)
      })(), { name: 'flipped' })
    })
    const bytes = randomBytes(9 * MB)
    const { output } = await asker.delegate('bytes.order.flip', await asker.send(bytes)).result
    const pieces: Uint8Array[] = []
    for await (const piece of asker.receive(output as ContentRef)) pieces.push(piece)
    assert.equal(digestOf(Buffer.concat(pieces)), digestOf(bytes.map(byte => byte ^ 0xff)))
    assert.equal((output as ContentRef).name, 'flipped')
  })
})
