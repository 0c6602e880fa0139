/** The small parts of the command line: times, exit codes, JSON, names of files, log lines, settings. */
import { describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { event } from '../control/fake-node.ts'
import { artifactFolder, fileName } from '../../src/cli/artifacts.ts'
import { settingsOf } from '../../src/cli/config.ts'
import { createConsole, printable } from '../../src/cli/console.ts'
import { ago, formatDuration, parseDuration, parseWhen } from '../../src/cli/duration.ts'
import { exitCodeOf } from '../../src/cli/exit.ts'
import { eventLine, snakeCase } from '../../src/cli/json.ts'
import { createLogger } from '../../src/cli/log.ts'
import { table } from '../../src/cli/table.ts'
import { A2aError, type Failure, type FailureCode } from '../../src/core/errors.ts'

const EXIT_CODES: Record<FailureCode, number> = {
  BAD_USAGE: 2, INPUT_INVALID: 1, OUTPUT_INVALID: 1, CAPABILITY_INVALID: 2,
  NO_CAPABLE_AGENT: 3, NO_BIDS: 3, ALL_PROVIDERS_FAILED: 1, FAN_OUT_FAILED: 1, OVER_BUDGET: 4,
  DEADLINE_EXCEEDED: 4, CANCELLED: 1, HANDLER_FAILED: 1, HANDLER_LOST: 1, LEASE_EXPIRED: 1, SLA_BREACHED: 1, STALE_EPOCH: 1,
  REFUSED: 5, NOT_ALLOWED: 5, LOOP: 5, CIRCUIT_OPEN: 1, TASK_UNKNOWN: 1, DEAD_LETTER: 1, EXPIRED: 4,
  PEER_UNREACHABLE: 6, NO_REPLY: 6, MESSAGE_MALFORMED: 1, MESSAGE_TOO_LARGE: 1, MESSAGE_UNKNOWN: 1, VERSION_UNSUPPORTED: 1,
  SIGNATURE_INVALID: 1, CREDENTIAL_INVALID: 1, ADVERT_STALE: 1, OVERLOADED: 1,
  CONTENT_UNKNOWN: 1, CONTENT_CHANGED: 1, CONTENT_UNAVAILABLE: 6, NO_SPACE: 6,
  HOME_IN_USE: 6, HOME_UNUSABLE: 6, KEY_INVALID: 6, LOG_DAMAGED: 6, LOG_WRITE_FAILED: 6, LISTEN_FAILED: 6, NODE_NOT_RUNNING: 6, INTERNAL: 1
}

describe('the exit code', () => {
  for (const [code, expected] of Object.entries(EXIT_CODES)) {
    it(`of ${code} is ${expected}`, () => assert.equal(exitCodeOf({ code } as Failure), expected))
  }
})

describe('a time', () => {
  for (const [text, ms] of [['500ms', 500], ['5s', 5_000], ['1.5s', 1_500], ['2m', 120_000], ['1h', 3_600_000]] as const) {
    it(`${text} is ${ms} ms`, () => assert.equal(parseDuration(text), ms))
  }
  for (const text of ['', '5', 's', '-5s', '5 s', '0s', '1e3s', '5x', 'Infinitys']) {
    it(`"${text}" is none`, () => assert.equal(parseDuration(text), undefined))
  }
  for (const [ms, text] of [[0.14, '0.1 ms'], [340, '340 ms'], [4_230, '4.2 s'], [59_900, '1 m'], [200_000, '3 m 20 s'], [86_399_000, '23 h 59 m'], [187_200_000, '2 d 4 h']] as const) {
    it(`of ${ms} ms reads ${text}`, () => assert.equal(formatDuration(ms), text))
  }
  it('can be a moment, from now or as a date with its zone', () => {
    assert.deepEqual(['10m', '2026-11-22T08:00Z', '2026-11-22T08:00+01:00', '2026-11-22T08:00', '2026-11-22', 'soon', ''].map(text => parseWhen(text, 1_000)),
      [601_000, Date.UTC(2026, 10, 22, 8), Date.UTC(2026, 10, 22, 7), undefined, undefined, undefined, undefined])
  })
  it('never lies ahead when clocks differ', () => assert.equal(ago(2_000, 1_000), '0 ms ago'))
})

describe('JSON lines', () => {
  it('have keys in snake_case, but for what users wrote', () => {
    assert.deepEqual(snakeCase({ taskId: 1, list: [{ maxCost: 1 }], output: { camelCase: [{ aB: 1 }] }, data: { aB: 1 } }),
      { task_id: 1, list: [{ max_cost: 1 }], output: { camelCase: [{ aB: 1 }] }, data: { aB: 1 } })
  })

  for (const [mediaType, bytes, fields] of [
    ['text/plain', 'hü', { data: 'hü' }],
    ['application/json', '{"aB":1}', { data: { aB: 1 } }],
    ['application/json', '{"aB', { data_base64: 'eyJhQg==' }],
    ['application/octet-stream', '\u0001', { data_base64: 'AQ==' }]
  ] as const) {
    it(`have an artifact of ${mediaType} ${JSON.stringify(bytes)} as ${JSON.stringify(fields)}`, () => {
      const line = eventLine(event({ event: 'artifact', name: 'n', mediaType, data: new TextEncoder().encode(bytes), append: false, last: true })) as Record<string, unknown>
      assert.deepEqual({ data: line['data'], data_base64: line['data_base64'] }, { data: undefined, data_base64: undefined, ...fields })
    })
  }
})

describe('what others wrote', () => {
  it('cannot steer the terminal', () => {
    assert.equal(printable('a\u001b[31mb\u001b[2J\nc\u0007d\u202ee'), 'ab c d e')
  })
  it('stays in its column, however wide it is', () => {
    const lines = table(createConsole({}), ['A', 'B'], [['日本', 'x'], ['abcd', 'y'], ['a\nb', 'z']]).split('\n')
    assert.deepEqual(lines.slice(1), ['日本  x', 'abcd  y', 'a b   z'])
  })
})

describe('an artifact', () => {
  for (const [name, expected] of [['../../etc/passwd', 'passwd'], ['..', 'artifact'], ['', 'artifact'], ['.bashrc', 'bashrc'], ['C:\\x\\y.txt', 'y.txt'], ['a b\u0000.txt', 'a_b_.txt'], ['dir/', 'artifact']] as const) {
    it(`called ${JSON.stringify(name)} is saved as ${expected}`, () => assert.equal(fileName(name), expected))
  }

  it('is put together from its parts, beside others of the same file name, and never through a link', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'a2a-art-'))
    const outside = join(dir, 'outside')
    const inside = join(dir, 'in')
    try {
      const save = artifactFolder(inside)
      const part = (name: string, data: string, append = false): any => event({ event: 'artifact', name, mediaType: 'text/plain', data: new TextEncoder().encode(data), append, last: true })
      await save(part('first', 'x'))
      writeFileSync(outside, 'untouched')
      symlinkSync(outside, join(inside, 'a'))
      await save(part('a', '1'))
      await save(part('a', '2', true))
      await save(part('b/a', '3'))
      assert.equal(readFileSync(outside, 'utf8'), 'untouched')
      assert.deepEqual(readdirSync(inside).sort(), ['2-a', 'a', 'first'])
      assert.equal(readFileSync(join(inside, 'a'), 'utf8'), '12')
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})

describe('a log line', () => {
  it('has time, level, what, and quoted facts, and only from its level on', () => {
    const lines: string[] = []
    const logger = createLogger('info', line => lines.push(line))
    logger.debug('no')
    logger.info('two words', { plain: 'a/b:1', quoted: 'x y\n', object: { a: 1 }, error: new Error('e f') })
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /^\S+Z info two words plain=a\/b:1 quoted="x y\\n" object="\{\\"a\\":1\}" error="e f"\n$/)
  })
})

describe('settings', () => {
  const withFile = (content: unknown, check: (file: string) => void): void => {
    const dir = mkdtempSync(join(tmpdir(), 'a2a-conf-'))
    try {
      const file = join(dir, 'c.json')
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
      check(file)
    } finally {
      rmSync(dir, { recursive: true })
    }
  }
  const whole = { name: 'n', region: undefined, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: true, capabilities: [{ name: 'a.b', exec: 'cat', bid: { cost: 1, confidence: 0.5 } }] }

  it('come from the file', () => withFile(whole, config => assert.deepEqual(settingsOf({ config, mdns: true }), { ...whole, region: undefined, bootstrap: undefined, keepTasksMs: undefined })))
  it('come from the flags first', () => withFile(whole, config => {
    const settings = settingsOf({ config, name: 'flag', capability: ['c.d'], exec: 'tr', mdns: false })
    assert.deepEqual([settings.name, settings.mdns, settings.capabilities], ['flag', false, [{ name: 'c.d', exec: 'tr' }]])
  }))

  for (const [what, content, message] of [
    ['an unknown key', { nmae: 'x' }, /"nmae"/],
    ['an unknown key inside', { capabilities: [{ name: 'a.b', exec: 'x', cost: 1 }] }, /capabilities\.0.*"cost"/],
    ['a wrong type', { mdns: 'yes' }, /mdns/],
    ['what is no JSON', '{', /cannot read/],
    ['neither exec nor module', { capabilities: [{ name: 'a.b' }] }, /either exec or module/],
    ['a bid that is none', { capabilities: [{ name: 'a.b', exec: 'x', bid: { cost: -1, confidence: 2 } }] }, /capabilities\.0\.bid/]
  ] as const) {
    it(`with ${what} are refused, and it is named`, () => withFile(content, config => assert.throws(() => settingsOf({ config }), (error: unknown) => error instanceof A2aError && error.code === 'BAD_USAGE' && message.test(error.message))))
  }
  for (const options of [{ capability: ['a.b'] }, { exec: 'cat' }]) {
    it(`of only ${Object.keys(options).join()} are half of it`, () => assert.throws(() => settingsOf(options), { code: 'BAD_USAGE' }))
  }
})
