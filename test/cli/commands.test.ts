/** The commands as processes, against a node that answers what it is told to. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { event, eventsOf, fakeNode, letter, PROVIDER, result, TASK, waitingTask } from '../control/fake-node.ts'
import { A2aError, type Failure } from '../../src/core/errors.ts'
import type { FanOutEvent } from '../../src/control/api.ts'
import type { FoundAgent } from '../../src/core/found.ts'
import type { FanOutOutcome } from '../../src/patterns/fan-out.ts'

const main = join(import.meta.dirname, '../../src/cli/main.ts')
const nowhere = join(tmpdir(), 'a2a-no-such-home')

function a2a (args: string[], { home = nowhere, input = '' }: { home?: string, input?: string } = {}) {
  const child = spawn(process.execPath, [main, ...args, '--home', home], { stdio: 'pipe', timeout: 20_000 })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const done = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    .then(([stdout, stderr, [code]]) => ({ stdout, stderr, code: code as number | null, lines: () => stdout.trimEnd().split('\n').map(line => JSON.parse(line)) }))
  return Object.assign(done, { child })
}

const found: FoundAgent = {
  agentId: PROVIDER, name: 'evil\u001b[2J', peerId: 'p', endpoints: ['/ip4/127.0.0.1/tcp/1'], protocols: [], capabilities: [{ name: 'text.case.upper', version: 1 }, { name: 'text.case.lower', version: 2 }],
  load: 0.25, sequence: 1, ageMs: 4_000, ttlMs: 1, source: 'gossip'
}

describe('wrong usage', () => {
  for (const [args, message] of [
    [['fnd'], /unknown command 'fnd' \(Did you mean find\?\)/],
    [['top'], /unknown command 'top'/],
    [['task', 'lss'], /unknown command 'lss'/],
    [['find'], /missing required argument 'pattern'/],
    [['find', 'A'], /no capability name/],
    [['run', 'a.b', '--max-duration', '5x'], /500ms, 5s, 2m, 1h or 30d/],
    [['run', 'a.b', '--max-cost', 'much'], /must be a number/],
    [['run', 'a.b', '--policy', 'best'], /"best" is no policy; use value, cheapest, fastest, or sticky:KEY/],
    [['run', 'a.b', '--fan-out', 'most'], /all, first, best-effort or quorum:N/],
    [['run', 'a.b', '--fan-out', 'all', '--detach'], /cannot be used with/],
    [['run', 'a.b', '--input', 'hello'], /--input is no JSON.*quotes of its own/],
    [['run', 'a.b', '--input', '@/no/such/file'], /cannot read the input/],
    [['start', '--exec', 'cat', '--module', 'x'], /cannot be used with/],
    [['run', 'a.b', '--attempts', '2'], /--attempts are for a task in the queue; add --detach/],
    [['run', 'a.b', '--detach', '--expires', 'soon'], /10m or 2h from now, or a date/],
    [['dead', 'drop'], /which one\?; give the id of a dead letter, or --all/],
    [['dead', 'replay', 'x', '--all'], /which one\?/],
    [['start', '--http', 'http://x'], /unknown option '--http'/],
    [['swarm'], /required option '--agents/],
    [['swarm', '--agents', '2', '--processes', '3'], /from 1 to 2/]
  ] as const) {
    it(`${args.join(' ')} is told in one line, exit 2`, async () => {
      const { code, stdout, stderr } = await a2a([...args])
      assert.equal(code, 2)
      assert.equal(stdout, '')
      assert.match(stderr, /^a2a-node: .*\n$/)
      assert.match(stderr, message)
    })
  }

  it('is a JSON line too, when asked for', async () => {
    const { lines, code } = await a2a(['find', 'a.b', '--bogus', '--json'])
    assert.equal(code, 2)
    assert.deepEqual(lines().map(({ event, code }) => [event, code]), [['failed', 'BAD_USAGE']])
  })
})

describe('help', () => {
  for (const args of [[], ['start'], ['run'], ['find'], ['agents'], ['peers'], ['status'], ['task', 'ls'], ['task', 'show'], ['task', 'cancel'], ['task', 'resume'], ['replay'], ['log', 'check'], ['log', 'repair'], ['dead', 'ls'], ['dead', 'show'], ['dead', 'replay'], ['dead', 'drop'], ['contract', 'ls'], ['contract', 'show'], ['id', 'show'], ['id', 'rotate'], ['id', 'export'], ['doctor'], ['swarm']]) {
    it(`of ${args.join(' ') || 'everything'} has an example`, async () => {
      const { stdout, stderr, code } = await a2a([...args, '--help'])
      assert.equal(code, 0)
      assert.equal(stderr, '')
      assert.match(stdout, new RegExp(`Examples?:\\n {2}a2a-node ${args.join(' ')}`))
    })
  }

  it('gives the version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
    assert.equal((await a2a(['--version'])).stdout, `${version}\n`)
  })
})

describe('without a node', () => {
  for (const args of [['status'], ['id', 'rotate'], ['task', 'ls'], ['contract', 'show', 'x'], ['id', 'show'], ['run', 'a.b', '--detach'], ['dead', 'ls'], ['dead', 'drop', '--all']]) {
    it(`${args.join(' ')} says so, exit 6`, async () => {
      const { code, stderr } = await a2a(args)
      assert.equal(code, 6)
      assert.match(stderr, /no node runs with the home .*a2a-node start/)
    })
  }
})

describe('status', () => {
  it('shows slots that are taken, and breakers', async () => {
    await using node = await fakeNode()
    const { stdout, code } = await a2a(['status'], node)
    assert.equal(code, 0)
    assert.match(stdout, /text\.case\.upper \(3 of 16, for 2 callers\)/)
    assert.match(stdout, /^breakers +adapter warehouse open, tried again in 7\.4 s; failures in a row: 5, lastly: fetch failed$/m)
  })
})

describe('find', () => {
  it('lists agents as a table that others cannot break', async () => {
    await using node = await fakeNode({ find: async () => [found] })
    const { stdout, code } = await a2a(['find', 'text.*'], node)
    assert.equal(code, 0)
    assert.equal(stdout, 'AGENT      NAME  CAPABILITIES                        LOAD  HEARD    FROM\n…tcoYynVU  evil  text.case.upper, text.case.lower@2  25 %  4 s ago  gossip\n')
  })

  it('lists them as JSON lines', async () => {
    await using node = await fakeNode({ find: async () => [found, found] })
    const { lines } = await a2a(['--json', 'find', 'text.*'], node)
    assert.equal(lines().length, 2)
    assert.equal(lines()[0].agent_id, PROVIDER)
  })

  it('exits with 3 when there is nobody', async () => {
    await using node = await fakeNode()
    const { stdout, stderr, code } = await a2a(['find', 'text.*'], node)
    assert.deepEqual([stdout, code], ['', 3])
    assert.match(stderr, /nobody offers text\.\*/)
  })
})

describe('run', () => {
  it('prints the result alone, and takes its input from stdin', async () => {
    await using node = await fakeNode({ run: ({ input }) => eventsOf(event({ event: 'progress', fraction: 0.5 }), result(input)) })
    const { stdout, stderr, code } = await a2a(['run', 'a.b', '--input', '-', '--max-duration', '5s', '--max-cost', '3', '--to', PROVIDER, '--policy', 'sticky:k', '--patient'], { ...node, input: '{"aB":[1]}' })
    assert.deepEqual([stdout, stderr, code], ['{"aB":[1]}\n', '', 0])
    const [, request] = node.calls.find(([method]) => method === 'run') ?? []
    assert.deepEqual(request, { capability: 'a.b', input: { aB: [1] }, maxDurationMs: 5_000, maxCostTokens: 3, to: PROVIDER, policy: 'sticky:k', patient: true })
  })

  it('prints every event as JSON, the last one the result', async () => {
    await using node = await fakeNode({ run: () => eventsOf(event({ event: 'awarded', reason: 'r', standby: [] }), result({ aB: 1 })) })
    const { lines, stdout } = await a2a(['run', 'a.b', '--json'], node)
    assert.match(stdout, /^\{"event":"awarded","task_id":/)
    assert.deepEqual(lines().map(({ event, task_id: taskId }) => [event, taskId]), [['awarded', TASK], ['result', TASK]])
    assert.deepEqual(lines()[1].output, { aB: 1 })
  })

  it('ends with the failure, its line and its exit code', async () => {
    await using node = await fakeNode({ run: () => eventsOf(event({ event: 'failed', failure: { code: 'OVER_BUDGET', capability: 'a.b', maxCost: 1, lowest: 2 } })) })
    const { lines, stderr, code } = await a2a(['run', 'a.b', '--json'], node)
    assert.equal(code, 4)
    assert.deepEqual(lines().map(({ event, code, facts }) => [event, code, facts.max_cost]), [['failed', 'OVER_BUDGET', 1]])
    assert.match(stderr, /^a2a-node: the lowest bid.*--max-cost\n$/)
  })

  for (const [signal, expected] of [['SIGINT', 130], ['SIGTERM', 143]] as const) {
    it(`cancels the task at ${signal}, and exits with ${expected}`, async () => {
      const task = waitingTask()
      await using node = await fakeNode(task)
      const running = a2a(['run', 'a.b', '--json'], node)
      await once(running.child.stdout, 'data')
      running.child.kill(signal)
      assert.equal(await task.cancelled, TASK)
      const { code, lines } = await running
      assert.equal(code, expected)
      assert.equal(lines().at(-1).code, 'CANCELLED')
    })
  }

  it('leaves a detached task to the node, and prints its id', async () => {
    await using node = await fakeNode()
    const before = Date.now()
    const { stdout, code } = await a2a(['run', 'a.b', '--detach', '--quiet', '--idempotency-key', 'k', '--not-before', '1m', '--expires', '2030-01-01T00:00Z', '--attempts', '3', '--max-duration', '5s'], node)
    assert.deepEqual([stdout, code], [`${TASK}\n`, 0])
    const [, request] = node.calls.find(([method]) => method === 'enqueue') as [string, { notBefore: number }]
    const { notBefore, ...rest } = request
    assert.ok(notBefore >= before + 60_000 && notBefore <= Date.now() + 60_000)
    assert.deepEqual(rest, { capability: 'a.b', input: null, maxDurationMs: 5_000, idempotencyKey: 'k', expiresAt: Date.UTC(2030, 0, 1), maxAttempts: 3 })
  })

  it('shows dead letters, and tells which it replays and drops', async () => {
    await using node = await fakeNode({ deadLetters: async () => [letter] })
    assert.match((await a2a(['dead', 'ls'], node)).stdout, new RegExp(`JOB .*\\n${TASK}  text.case.upper  1 .* the work on text.case.upper was lost`))
    assert.deepEqual((await a2a(['dead', 'ls', '--json'], node)).lines().map(({ job_id: id, attempts }) => [id, attempts[0].failure.code]), [[TASK, 'HANDLER_LOST']])
    const { stdout } = await a2a(['dead', 'show', '01M7'], node)
    assert.match(stdout, /input +\{"aB":1\}\noptions +\{"maxAttempts":1\}/)
    assert.deepEqual((await a2a(['dead', 'show', '01M7', '--json'], node)).lines()[0].input, { aB: 1 })
    assert.equal((await a2a(['dead', 'replay', '--all', '--quiet'], node)).stdout, `${TASK}\n`)
    assert.match((await a2a(['dead', 'drop', '01M7'], node)).stdout, new RegExp(`^dropped ${TASK} `))
    assert.deepEqual(node.calls.filter(([method]) => method === 'replayDead' || method === 'dropDead'), [['replayDead', TASK], ['dropDead', '01M7']])
  })

  const asking = (answered: Promise<unknown>) => async function * () {
    yield event({ event: 'input-required', prompt: 'Which year?' })
    yield * eventsOf(result(await answered))
  }

  it('answers what the provider asks', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    await using node = await fakeNode({ run: asking(promise), giveInput: async (_, value) => resolve(value) })
    assert.equal((await a2a(['run', 'a.b', '--answer', '{"year":1}'], node)).stdout, '{"year":1}\n')
  })

  it('does not wait for an answer that nobody can give', async () => {
    const task = waitingTask()
    await using node = await fakeNode({
      ...task,
      run: async function * (request) {
        yield event({ event: 'input-required', prompt: 'Which year?' })
        yield * task.run(request)
      }
    })
    const { stderr, code } = await a2a(['run', 'a.b'], node)
    assert.equal(code, 1)
    assert.match(stderr, /asked for input \(Which year\?\).*--answer/)
  })

  it('passes a hedge on', async () => {
    await using node = await fakeNode()
    await a2a(['run', 'a.b', '--hedge', '200ms'], node)
    assert.deepEqual(node.calls.at(-1), ['run', { capability: 'a.b', input: null, hedge: { afterMs: 200 } }])
  })

  it('gives it to many agents, and prints what they said', async () => {
    const outcomes: FanOutOutcome[] = [
      { agent: PROVIDER, taskId: TASK, state: 'completed', output: { aB: 1 }, cost: 1, receipt: {} as never },
      { agent: PROVIDER, taskId: TASK, state: 'failed', failure: { code: 'NO_BIDS', capability: 'a.b', rounds: 3, asked: 1 } },
      { agent: PROVIDER, taskId: TASK, state: 'cancelled' }
    ]
    async function * fanOut (): AsyncGenerator<FanOutEvent> {
      yield result({ aB: 1 })
      yield { event: 'fanned-out', outcomes }
    }
    await using node = await fakeNode({ fanOut })
    const { code, stdout, stderr } = await a2a(['run', 'a.b', '--fan-out', 'quorum:2', '--max-cost', '5', '--input', '1'], node)
    assert.equal(code, 0)
    assert.equal(stdout, '[{"aB":1}]\n')
    assert.match(stderr, /failed: nobody made a bid for a\.b/)
    assert.deepEqual(node.calls.at(-1), ['fanOut', { capability: 'a.b', input: 1, maxCostTokens: 5, policy: { quorum: 2 } }])
    const { lines } = await a2a(['run', 'a.b', '--fan-out', 'all', '--json'], node)
    assert.deepEqual(lines().map(({ event }) => event), ['result', 'fanned-out'])
    assert.deepEqual(lines()[1].outcomes.map(({ state, output }: any) => [state, output]), [['completed', { aB: 1 }], ['failed', undefined], ['cancelled', undefined]])
  })

  it('tells what there is when too few have done it', async () => {
    const failure: Failure = { code: 'FAN_OUT_FAILED', capability: 'a.b', completed: 1, needed: 2, of: 2, last: 'no' }
    await using node = await fakeNode({ fanOut: async function * () { yield { event: 'fanned-out', outcomes: [{ agent: PROVIDER, taskId: TASK, state: 'cancelled' }], failure } } })
    const { code, lines, stderr } = await a2a(['run', 'a.b', '--fan-out', 'all', '--json'], node)
    assert.equal(code, 1)
    assert.match(stderr, /1 of 2 agents and 2 were needed/)
    assert.deepEqual([lines()[0].event, lines()[0].code, lines()[0].outcomes.length], ['fanned-out', 'FAN_OUT_FAILED', 1])
  })

  it('saves artifacts', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'a2a-art-'))
    try {
      await using node = await fakeNode({ run: () => eventsOf(event({ event: 'artifact', name: '../x.txt', mediaType: 'text/plain', data: Buffer.from('hi'), append: false, last: true }), result(1)) })
      const { stdout, stderr } = await a2a(['run', 'a.b', '--artifacts', dir], node)
      assert.equal(stdout, '1\n')
      assert.match(stderr, /saved as .*x\.txt/)
      assert.equal(readFileSync(join(dir, 'x.txt'), 'utf8'), 'hi')
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it('ends quietly when nobody reads on', async () => {
    const many = Array.from({ length: 5_000 }, () => event({ event: 'progress', note: 'x'.repeat(100) }))
    await using node = await fakeNode({ run: () => eventsOf(...many, result(1)) })
    const running = a2a(['run', 'a.b', '--json'], node)
    running.child.stdout.once('data', () => running.child.stdout.destroy())
    const [stderr, [code]] = await Promise.all([text(running.child.stderr), once(running.child, 'close'), running.catch(() => undefined)])
    assert.deepEqual([stderr, code], ['', 0])
  })
})

describe('the other commands', () => {
  it('show empty lists with advice, exit 0', async () => {
    await using node = await fakeNode()
    for (const args of [['agents'], ['peers'], ['task', 'ls'], ['contract', 'ls']]) {
      const { stdout, stderr, code } = await a2a(args, node)
      assert.deepEqual([stdout, code], ['', 0], args.join(' '))
      assert.match(stderr, /a2a-node/)
    }
  })

  it('show the node', async () => {
    await using node = await fakeNode()
    const { stdout } = await a2a(['status'], node)
    assert.match(stdout, /^up +1 m 1 s$/m)
  })

  it('show a task of which the beginning was given, and say when there is none', async () => {
    await using node = await fakeNode({ task: async taskId => { throw new A2aError({ code: 'TASK_UNKNOWN', taskId }) } })
    const { stderr, code } = await a2a(['task', 'show', '01X'], node)
    assert.equal(code, 1)
    assert.match(stderr, /no task 01X here/)
  })

  it('exit with 1 when a signature does not hold', async () => {
    const view = { taskId: TASK, epoch: 1, role: 'requester' as const, capability: 'a.b', requester: PROVIDER, provider: PROVIDER, terms: {}, contractHash: 'h', awardHolds: false, acceptanceHolds: true }
    await using node = await fakeNode({ contract: async () => [view] })
    const { stdout, code } = await a2a(['contract', 'show', TASK], node)
    assert.equal(code, 1)
    assert.match(stdout, /DOES NOT HOLD/)
  })

  it('exit with 1 when doctor finds a failure', async () => {
    await using node = await fakeNode({ doctor: async () => [{ name: 'keys', state: 'failed', found: 'x', advice: 'chmod' }] })
    const { stdout, code } = await a2a(['doctor'], node)
    assert.equal(code, 1)
    assert.match(stdout, /FAILED +keys +x\n +→ chmod/)
  })

  it('export an identity without any secret', async () => {
    await using node = await fakeNode({ identity: async () => [{ agentId: PROVIDER, name: 'n', peerId: 'p', keyFile: '/secret/agent.pem' }] })
    const { stdout } = await a2a(['id', 'export'], node)
    assert.equal(JSON.parse(stdout).did_document.id, PROVIDER)
    assert.doesNotMatch(stdout, /secret/)
  })
})
