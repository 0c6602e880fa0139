/** The control socket, from both ends. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { event, eventsOf, fakeNode, letter, result, TASK, waitingTask } from './fake-node.ts'
import { connectControl, type ControlClient } from '../../src/control/client.ts'
import { CONTROL_PROTOCOL, lineReader, MAX_LINE_BYTES } from '../../src/control/frames.ts'
import { homeOf, runtimeDir, socketPathOf, writeNodeRecord } from '../../src/control/home.ts'
import { serveControl } from '../../src/control/server.ts'
import { A2aError } from '../../src/core/errors.ts'
import type { NodeApi } from '../../src/control/api.ts'
import type { TaskEvent } from '../../src/core/task.ts'

async function client (home: string): Promise<ControlClient & Disposable> {
  const connected = await connectControl(home)
  assert.ok(connected, 'a node answers')
  return { ...connected, [Symbol.dispose]: connected.close }
}

const failsWith = (code: string) => (error: unknown) => error instanceof A2aError && error.code === code

describe('a control client', () => {
  it('asks what the node answers, with every parameter', async () => {
    await using node = await fakeNode({ find: async pattern => [{ agentId: pattern } as any] })
    using api = await client(node.home)
    assert.deepEqual(await api.find('data.*', { limit: 3 }), [{ agentId: 'data.*' }])
    assert.equal((await api.status()).uptimeMs, 61_000)
    assert.deepEqual(node.calls.slice(-2), [['find', 'data.*', { limit: 3 }], ['status']])
  })

  it('leaves out what it was not given', async () => {
    await using node = await fakeNode()
    using api = await client(node.home)
    await api.find('*')
    await api.tasks()
    assert.deepEqual(node.calls.slice(-2), [['find', '*'], ['tasks']])
  })

  it('gets the failure that the node threw, with its facts', async () => {
    await using node = await fakeNode({ task: async taskId => { throw new A2aError({ code: 'TASK_UNKNOWN', taskId }) } })
    using api = await client(node.home)
    await assert.rejects(api.task('x'), (error: any) => error.code === 'TASK_UNKNOWN' && error.failure.taskId === 'x')
  })

  it('gets the events of a task in order, artifacts byte by byte, and output as it is', async () => {
    const data = Uint8Array.from({ length: 256 }, (_, i) => i)
    const output = { $bytes: 'AAAA', taskId: [1, null] }
    await using node = await fakeNode({ run: () => eventsOf(event({ event: 'artifact', name: 'a', mediaType: 'x/y', data, append: false, last: true }), result(output)) })
    using api = await client(node.home)
    const events: TaskEvent[] = []
    for await (const next of api.run({ capability: 'a.b', input: 1 })) events.push(next)
    const [artifact, last] = events
    assert.deepEqual(artifact?.event === 'artifact' && artifact.data, data)
    assert.deepEqual(last?.event === 'result' && last.output, output)
  })

  it('gets a thousand events through without loss, however slowly it reads', async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => event({ event: 'progress', fraction: i / 1_000, note: 'x'.repeat(1_000) }))
    await using node = await fakeNode({ resume: () => eventsOf(...many) })
    using api = await client(node.home)
    const seen: number[] = []
    for await (const next of api.resume(TASK)) {
      await new Promise(setImmediate)
      if (next.event === 'progress') seen.push(next.fraction ?? -1)
    }
    assert.deepEqual(seen, many.map((_, i) => i / 1_000))
  })

  it('cancels its task by leaving', async () => {
    const task = waitingTask()
    await using node = await fakeNode(task)
    using api = await client(node.home)
    for await (const _ of api.run({ capability: 'a.b', input: 1 })) break
    assert.equal(await task.cancelled, TASK)
  })

  it('asks about the queue', async () => {
    await using node = await fakeNode({ deadLetters: async () => [letter] })
    using api = await client(node.home)
    const request = { capability: 'a.b', input: 1, idempotencyKey: 'k', maxAttempts: 2 }
    assert.equal(await api.enqueue(request), TASK)
    assert.deepEqual(await api.deadLetters(), [letter])
    assert.deepEqual([await api.deadLetter('01'), await api.replayDead('01'), await api.dropDead('01')], [letter, '01', letter])
    assert.deepEqual(node.calls.filter(([method]) => method !== 'status'), [['enqueue', request], ['deadLetters'], ['deadLetter', '01'], ['replayDead', '01'], ['dropDead', '01']])
  })

  it('shares the node with others', async () => {
    await using node = await fakeNode({ find: async pattern => [{ agentId: pattern } as any] })
    using a = await client(node.home)
    using b = await client(node.home)
    const found = await Promise.all([a.find('a.*'), b.find('b.*'), a.find('c.*')])
    assert.deepEqual(found.map(([agent]) => agent?.agentId), ['a.*', 'b.*', 'c.*'])
  })

  it('is told when the node stops in the middle', async () => {
    const node = await fakeNode({ find: () => new Promise(() => undefined) })
    using api = await client(node.home)
    const asked = api.find('*')
    await Promise.all([assert.rejects(asked, failsWith('PEER_UNREACHABLE')), node[Symbol.asyncDispose]()])
  })

  it('finds no node where none is, nor where one has died', async () => {
    const home = mkdtempSync(join(tmpdir(), 'a2a-home-'))
    try {
      assert.equal(await connectControl(home), undefined)
      writeNodeRecord(home, { pid: 1, socket: join(home, 'gone.sock'), peerId: '', startedAt: 1, version: '0.1.0' })
      assert.equal(await connectControl(home), undefined)
      writeFileSync(join(home, 'node.json'), '{ half')
      assert.equal(await connectControl(home), undefined)
    } finally {
      rmSync(home, { recursive: true })
    }
  })

  it('refuses a node that speaks another major version', async () => {
    const home = mkdtempSync(join(tmpdir(), 'a2a-home-'))
    const socket = join(home, 's')
    const server = createServer(peer => peer.end(`${JSON.stringify({ hello: { protocol: CONTROL_PROTOCOL + 1, version: '9.0.0' } })}\n`)).listen(socket)
    await once(server, 'listening')
    try {
      writeNodeRecord(home, { pid: 1, socket, peerId: '', startedAt: 1, version: '9.0.0' })
      await assert.rejects(connectControl(home), failsWith('VERSION_UNSUPPORTED'))
    } finally {
      server.close()
      rmSync(home, { recursive: true })
    }
  })
})

describe('a control server', () => {
  it('is for its owner alone', async () => {
    await using node = await fakeNode()
    assert.equal(statSync(node.socket).mode & 0o777, 0o600)
    assert.equal(lstatSync(dirname(node.socket)).mode & 0o777, 0o700)
    assert.ok(node.socket.length < 104)
  })

  it('takes its traces away when it ends', async () => {
    const node = await fakeNode()
    const record = JSON.parse(readFileSync(join(node.home, 'node.json'), 'utf8'))
    assert.equal(record.socket, node.socket)
    await node[Symbol.asyncDispose]()
    assert.ok(!existsSync(node.socket))
    assert.ok(!existsSync(join(node.home, 'node.json')))
  })

  it('does not take the place of one that answers', async () => {
    await using node = await fakeNode()
    await assert.rejects(serveControl({ status: async () => ({}) } as unknown as NodeApi, { home: node.home }), failsWith('HOME_IN_USE'))
    using api = await client(node.home)
    assert.ok(await api.status())
  })

  it('replaces a socket that nobody answers on', async () => {
    const home = mkdtempSync(join(tmpdir(), 'a2a-home-'))
    writeFileSync(socketPathOf(home), '')
    try {
      await using _server = await serveControl({ status: async () => ({ pid: process.pid }) } as unknown as NodeApi, { home })
      using api = await client(home)
      assert.ok(await api.status())
    } finally {
      rmSync(home, { recursive: true })
    }
  })

  for (const [what, sent, code] of [
    ['what is no JSON', 'hello\n', 'MESSAGE_MALFORMED'],
    ['a line without an id', '{"method":"status"}\n', 'MESSAGE_MALFORMED'],
    ['null', 'null\n', 'MESSAGE_MALFORMED'],
    ['an unknown method', '{"id":1,"method":"toString"}\n', 'MESSAGE_UNKNOWN'],
    ['a line without end', 'x'.repeat(MAX_LINE_BYTES + 2), 'MESSAGE_TOO_LARGE']
  ] as const) {
    it(`answers ${what} with ${code}, and goes on for others`, async () => {
      await using node = await fakeNode()
      const socket = connect(node.socket)
      socket.on('error', () => undefined)
      const lines: any[] = []
      const answered = new Promise<void>(resolve => {
        const feed = lineReader(line => {
          lines.push(JSON.parse(line))
          if (lines.length === 2) resolve()
        })
        socket.on('data', feed)
      })
      socket.write(sent)
      await answered
      socket.destroy()
      assert.equal(lines[1].error.code, code)
      using api = await client(node.home)
      assert.ok(await api.status())
    })
  }

  it('answers a result that is too large with the failure, not with silence', async () => {
    await using node = await fakeNode({ tasks: async () => 'x'.repeat(MAX_LINE_BYTES) as any })
    using api = await client(node.home)
    await assert.rejects(api.tasks(), failsWith('MESSAGE_TOO_LARGE'))
  })

  it('takes a request back', async () => {
    const task = waitingTask()
    await using node = await fakeNode(task)
    const socket = connect(node.socket)
    const ended = new Promise<any>(resolve => {
      socket.on('data', lineReader(line => {
        const frame = JSON.parse(line)
        if (frame.event?.event === 'announced') socket.write('{"id":7,"cancel":true}\n')
        if ('result' in frame) resolve(frame)
      }))
    })
    socket.write('{"id":7,"method":"run","params":[{"capability":"a.b"}]}\n')
    assert.equal(await task.cancelled, TASK)
    assert.deepEqual(await ended, { id: 7, result: null })
    socket.destroy()
  })
})

describe('lines', () => {
  it('are cut the same wherever the chunks end', () => {
    const whole = Buffer.from('{"a":"ü"}\n\n[1]\nx')
    for (let size = 1; size <= whole.length; size++) {
      const lines: string[] = []
      const feed = lineReader(line => lines.push(line))
      for (let at = 0; at < whole.length; at += size) assert.ok(feed(whole.subarray(at, at + size)))
      assert.deepEqual(lines, ['{"a":"ü"}', '[1]'])
    }
  })

  it('are bounded, also when the end comes at last', () => {
    const feed = lineReader(() => assert.fail('no line'), 3)
    assert.ok(feed(Buffer.from('abc')))
    assert.equal(feed(Buffer.from('d\n')), false)
  })
})

describe('the home', () => {
  for (const [what, asked, env, platform, expected] of [
    ['what was asked for', '/x', { A2A_HOME: '/y', HOME: '/u' }, 'linux', '/x'],
    ['A2A_HOME', undefined, { A2A_HOME: '/y', HOME: '/u' }, 'linux', '/y'],
    ['XDG_STATE_HOME', undefined, { XDG_STATE_HOME: '/s', HOME: '/u' }, 'linux', '/s/a2a-node'],
    ['the state folder when XDG_STATE_HOME is relative', undefined, { XDG_STATE_HOME: 's', HOME: '/u' }, 'linux', '/u/.local/state/a2a-node'],
    ['the library on macOS', undefined, { HOME: '/u' }, 'darwin', '/u/Library/Application Support/a2a-node']
  ] as const) {
    it(`is ${what}`, () => assert.equal(homeOf(asked, env, platform), expected))
  }

  it('has its sockets in a folder that was open to others only until we looked', () => {
    const folder = mkdtempSync(join(tmpdir(), 'a2a-run-'))
    try {
      const dir = runtimeDir({ XDG_RUNTIME_DIR: folder })
      assert.equal(dir, join(folder, 'a2a-node'))
      assert.equal(statSync(dir).mode & 0o777, 0o700)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('does with the temporary folder when the session has none, or one too long for a socket', () => {
    assert.match(runtimeDir({}), /a2a-node-\d+$/)
    assert.match(runtimeDir({ XDG_RUNTIME_DIR: `/tmp/${'x'.repeat(90)}` }), /a2a-node-\d+$/)
  })
})
