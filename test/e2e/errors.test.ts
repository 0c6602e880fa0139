/** What goes wrong says so in one line, with the exit code that scripts rely on, and destroys nothing. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { createMesh, LOOPBACK, type Finished, type Mesh } from '../support/processes.ts'

const WORKER = ['--module', join(import.meta.dirname, '../support/worker.ts')]

describe('a command that fails', () => {
  let mesh: Mesh
  let next = 0

  const asker = (): string[] => ['--home', mesh.home(`asker-${next++}`), ...LOOPBACK]
  const run = (...args: string[]): Promise<Finished> => mesh.a2a(['run', ...args, ...asker()])
  /** One clear line, nothing else, and the code. */
  const fails = ({ code, stderr, stdout }: Finished, expected: number, says: RegExp): void => {
    assert.equal(code, expected, stderr)
    assert.match(stderr, says)
    assert.match(stderr, /^a2a-node: [^\n]+\n$/, 'one line')
    assert.doesNotMatch(stderr, /\n\s+at |bug of a2a-node/)
    assert.equal(stdout, '')
  }

  before(async () => {
    mesh = createMesh()
    await mesh.start('worker', WORKER, { env: { WORKER_COST: '5' } })
  })
  after(() => mesh[Symbol.asyncDispose]())

  it('3: nobody can do it', async () => {
    fails(await run('no.such.thing', '--input', '1'), 3, /nobody offers no\.such\.thing/)
  })

  it('3: nobody is there at all', async () => {
    await using empty = createMesh()
    fails(await empty.a2a(['run', 'no.such.thing', '--input', '1', '--home', empty.home('alone'), ...LOOPBACK]), 3, /nobody offers/)
  })

  it('4: out of time', async () => {
    const finished = await run('work.steps.do', '--input', '{"steps":50,"stepMs":100}', '--max-duration', '1s')
    fails(finished, 4, /was not done after 1\d\d\d ms; raise --max-duration/)
  })

  it('4: out of budget', async () => {
    fails(await run('work.steps.do', '--input', '{}', '--max-cost', '2'), 4, /costs 5, more than the 2 allowed/)
  })

  it('1: the input does not fit the schema, without trying others', async () => {
    fails(await run('work.steps.do', '--input', '{"steps":"many"}'), 1, /does not fit work\.steps\.do.*steps/)
  })

  it('tells programs the same in the last line of --json', async () => {
    const { code, events } = await run('no.such.thing', '--input', '1', '--json')
    assert.equal(code, 3)
    assert.equal(events.at(-1).event, 'failed')
    assert.equal(events.at(-1).code, 'NO_CAPABLE_AGENT')
  })

  for (const [what, args, says] of [
    ['an unknown flag', ['find', 'x', '--nonsense'], /nonsense/],
    ['an unknown command', ['strat'], /start/],
    ['input that is no JSON', ['run', 'a.b', '--input', '{bad'], /JSON/],
    ['a file that is not there', ['run', 'a.b', '--input', '@/no/such/file'], /no\/such\/file/],
    ['a name that is no capability', ['run', 'Not A Name', '--input', '1'], /no capability name/],
    ['a duration that is none', ['run', 'a.b', '--input', '1', '--max-duration', 'soon'], /soon/],
    ['a listen address that is none', ['start', '--listen', 'localhost:80'], /localhost:80/],
    ['a configuration that is not there', ['start', '--config', '/no/such/config.json'], /config\.json/]
  ] as const) {
    it(`2: ${what}`, async () => {
      const finished = await mesh.a2a([...args, '--home', mesh.home('usage')])
      assert.ok(finished.code === 2 || (what.includes('listen') && finished.code === 6), `exit ${finished.code}: ${finished.stderr}`)
      assert.match(finished.stderr, says)
      assert.doesNotMatch(finished.stderr, /\n\s+at /)
    })
  }

  it('6: a port that is used', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    fails(await mesh.a2a(['start', '--home', mesh.home('port'), '--no-mdns', '--listen', `/ip4/127.0.0.1/tcp/${port}`]), 6, /another process uses this port/)
    server.close()
  })

  it('6: a home that cannot be one', async () => {
    const file = join(mesh.folder, 'file')
    writeFileSync(file, 'mine')
    fails(await mesh.a2a(['start', '--home', file, ...LOOPBACK]), 6, /cannot use the home/)
    assert.equal(readFileSync(file, 'utf8'), 'mine')
  })

  it('6: a home in use', async () => {
    const node = await mesh.start('busy')
    fails(await mesh.a2a(['start', '--home', node.home, ...LOOPBACK]), 6, /is in use by process \d+/)
    await node.stop()
  })

  it('6: an event log that is damaged, which is left as it is', async () => {
    const home = mesh.home('damaged')
    mkdirSync(home, { recursive: true })
    const rubbish = Buffer.alloc(8_192, 'not a database ')
    writeFileSync(join(home, 'log.db'), rubbish)
    fails(await mesh.a2a(['start', '--home', home, ...LOOPBACK]), 6, /log\.db cannot be read.*nothing was overwritten/)
    assert.deepEqual(readFileSync(join(home, 'log.db')), rubbish)
  })

  it('6: a key that others can read, or that is none', async () => {
    const node = await mesh.start('keys')
    await node.stop()
    const file = join(node.home, 'keys', 'agent.pem')
    chmodSync(file, 0o644)
    fails(await mesh.a2a(['start', '--home', node.home, ...LOOPBACK]), 6, /agent\.pem cannot be used.*chmod 600/)
    chmodSync(file, 0o600)
    writeFileSync(file, 'rubbish')
    fails(await mesh.a2a(['start', '--home', node.home, ...LOOPBACK]), 6, /agent\.pem cannot be used/)
    assert.equal(readFileSync(file, 'utf8'), 'rubbish')
  })

  it('6: a command that needs a node, and none runs', async () => {
    fails(await mesh.a2a(['status', '--home', mesh.home('none')]), 6, /no node runs with the home/)
  })
})
