import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { execHandler } from '../../src/execute/exec.ts'
import { contextOf } from './context.ts'

const failed = (...whys: RegExp[]) => (error: any) => {
  assert.equal(error.code, 'HANDLER_FAILED', error.stack)
  assert.equal(error.failure.retryable, true)
  assert.equal(error.message.includes('\n'), false)
  for (const why of whys) assert.match(error.message, why)
  return true
}

/** A zombie that nobody has reaped yet is gone, too: it runs nothing. */
async function isGone (pid: number): Promise<boolean> {
  const ps = spawn('ps', ['-o', 'stat=', '-p', String(pid)], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [out] = await Promise.all([ps.stdout.setEncoding('utf8').toArray(), once(ps, 'close')])
  const state = out.join('').trim()
  return state === '' || state.startsWith('Z')
}

/** Runs `command`, which tells pids as notes of its progress; aborts when it has told `count`. */
async function abortAfterPids (command: string, count: number, killAfterMs: number, env: Record<string, string> = {}): Promise<number[]> {
  const pids: number[] = []
  const { context, abort } = contextOf({ progress: (_fraction, note) => { if (pids.push(Number(note)) === count) abort(new Error('enough')) } })
  await assert.rejects(async () => execHandler(command, { killAfterMs, env })(null, context), /enough/)
  assert.equal(pids.length, count)
  return pids
}

const tell = (variable: string): string => `echo '{"note":"'"$${variable}"'"}' >&2`

describe('execHandler', () => {
  test('gives the input on stdin and takes the result from stdout', async () => {
    const input = { text: 'grüße, "Welt"\n', list: [1, null] }
    assert.deepEqual(await execHandler('cat')(input, contextOf().context), input)
    assert.equal(await execHandler('cat')(undefined, contextOf().context), null)
  })

  test('passes a 3 MiB value through, and takes no more than allowed', async () => {
    const input = 'ü'.repeat(1_500_000)
    assert.equal(await execHandler('cat')(input, contextOf().context), input)
    await assert.rejects(async () => execHandler('cat', { maxOutputBytes: 1_000 })(input, contextOf().context), failed(/more than 1000 bytes/))
  })

  test('does not mind a program that never reads its input', async () => {
    const input = 'x'.repeat(1024 * 1024)
    assert.equal(await execHandler('echo 1')(input, contextOf().context), 1)
    assert.equal(await execHandler('exec <&-; echo 2')(input, contextOf().context), 2)
  })

  test('ends a program that writes without end', async () => {
    await assert.rejects(async () => execHandler('yes', { maxOutputBytes: 100_000 })(null, contextOf().context), failed(/"yes" wrote more than 100000 bytes/))
  })

  test('takes lines of progress from stderr, and leaves the others for the failure', async () => {
    const { context, progress } = contextOf()
    const script = `echo '{"progress":0.4,"note":"half"}' >&2; echo warning >&2; printf '{"progress":7}\\n{"note":"only"}\\n{"other":1}\\n{broken\\n' >&2; exit 3`
    await assert.rejects(async () => execHandler(script)(null, context), failed(/exited with status 3: warning \| \{"other":1\} \| \{broken$/))
    assert.deepEqual(progress, [[0.4, 'half'], [1, undefined], [undefined, 'only']])
  })

  test('keeps only the end of a long stderr, without escape sequences', async () => {
    const script = `yes begin | head -n 5000 >&2; printf '\\033[31mthe \\033[0mend\\007\\n' >&2; exit 1`
    await assert.rejects(async () => execHandler(script)(null, contextOf().context), (error: any) => {
      assert.ok(error.message.endsWith('| the end'), error.message.slice(-60))
      assert.ok(error.message.length < 4_500)
      return failed()(error)
    })
    await assert.rejects(async () => execHandler(`head -c 100000 /dev/zero | tr '\\0' x >&2; echo last >&2; exit 1`)(null, contextOf().context), failed(/xlast$/))
  })

  test('says what stdout begins with when it is no JSON', async () => {
    await assert.rejects(async () => execHandler('echo Hello world; echo hint >&2')(null, contextOf().context), failed(/no JSON on stdout, it begins with: Hello world: hint$/))
    await assert.rejects(async () => execHandler('true')(null, contextOf().context), failed(/wrote nothing on stdout/))
  })

  test('says that a command does not exist, or cannot start where it should', async () => {
    await assert.rejects(async () => execHandler('no-such-command-here')(null, contextOf().context), failed(/no such command.*no-such-command-here.*not found/))
    await assert.rejects(async () => execHandler('true', { cwd: '/no/such/folder' })(null, contextOf().context), failed(/cannot start "true" in \/no\/such\/folder/))
    await assert.rejects(async () => execHandler('kill -9 $$')(null, contextOf().context), failed(/was ended by SIGKILL/))
  })

  test('takes exit status 65 for a wrong input, which nobody else need try', async () => {
    const retryable = async (script: string): Promise<boolean> => {
      const error: any = await Promise.resolve(execHandler(script)(null, contextOf().context)).catch((thrown: unknown) => thrown)
      return error.failure.retryable
    }
    assert.deepEqual([await retryable('exit 65'), await retryable('exit 64')], [false, true])
  })

  test('runs under the circuit breaker of its command', async () => {
    const names: string[] = []
    const { context } = contextOf({
      guard: (name, call) => {
        names.push(name)
        return call(new AbortController().signal)
      }
    })
    await execHandler('echo 1')(null, context)
    assert.deepEqual(names, ['echo 1'])
  })

  test('tells the program about its task', async () => {
    const script = 'echo "[\\"$A2A_TASK_ID\\",\\"$A2A_CAPABILITY\\",\\"$A2A_REQUESTER\\",$A2A_EPOCH,$A2A_REMAINING_MS,\\"$OWN\\",\\"$PWD\\"]"'
    const said = await execHandler(script, { env: { OWN: 'x', A2A_TASK_ID: 'forged' }, cwd: '/' })(null, contextOf().context)
    assert.deepEqual(said, ['01JTASK', 'text.words.count', 'did:key:z6MkRequester', 2, 1234, 'x', '/'])
  })

  test('ends the whole tree at abort', async () => {
    const child = `sleep 300 & ${tell('!')}; wait`
    for (const pid of await abortAfterPids(`sh -c "$CHILD" & ${tell('!')}; ${tell('$')}; wait`, 3, 2_000, { CHILD: child })) assert.ok(await isGone(pid), `${pid} is still there`)
  })

  test('kills a tree that does not heed SIGTERM, after its time for that', async () => {
    const began = performance.now()
    const pids = await abortAfterPids(`trap '' TERM; sleep 300 & ${tell('!')}; ${tell('$')}; while :; do wait; done`, 2, 200)
    assert.ok(performance.now() - began < 5_000)
    for (const pid of pids) assert.ok(await isGone(pid), `${pid} is still there`)
  })

  test('leaves a child its time to end after its shell has gone', async () => {
    const said: string[] = []
    const { context, abort } = contextOf({
      progress: (_fraction, note = '') => {
        said.push(note)
        if (note === 'ready') abort(new Error('enough'))
      }
    })
    const child = `trap 'sleep 0.1; echo "{\\"note\\":\\"tidied\\"}" >&2; exit' TERM; echo '{"note":"ready"}' >&2; while :; do sleep 0.02; done`
    await assert.rejects(async () => execHandler('sh -c "$CHILD"; echo not reached', { env: { CHILD: child } })(null, context), /enough/)
    assert.deepEqual(said, ['ready', 'tidied'])
  })

  test('starts nothing when it is aborted before', async () => {
    const { context, abort } = contextOf()
    abort(new Error('before'))
    await assert.rejects(async () => execHandler('echo 1')(null, context), /before/)
  })

  test('takes away what a program leaves in the background', async () => {
    const pid = await execHandler('sleep 300 & echo $!')(null, contextOf().context)
    assert.ok(await isGone(pid as number))
  })

  test('does not wait for one that left the group and holds its pipes', async () => {
    const pid = await execHandler(`{ setsid sh -c 'echo $$; exec sleep 300' & } | { read -r pid; echo "$pid"; }`)(null, contextOf().context) as number
    assert.equal(await isGone(pid), false)
    process.kill(pid, 'SIGKILL')
  })

  test('takes running programs with it when the process exits in a hurry', async () => {
    const script = `
      import { execHandler } from ${JSON.stringify(new URL('../../src/execute/exec.ts', import.meta.url).href)}
      const progress = (_fraction, note) => { process.stdout.write(note, () => process.exit(0)) }
      await execHandler(${JSON.stringify(`${tell('$')}; sleep 300`)})(null, { signal: new AbortController().signal, progress, remainingMs: () => 1, taskId: 't', capability: 'c', requester: 'r', epoch: 1, terms: { cost: 0 }, guard: (_name, call) => call() })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [out] = await Promise.all([child.stdout.setEncoding('utf8').toArray(), once(child, 'close')])
    const pid = Number(out.join(''))
    assert.ok(pid > 0)
    // SIGKILL is sent before the process exits, and takes effect on its own.
    while (!await isGone(pid));
  })
})
