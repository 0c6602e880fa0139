/** Any program as a handler: the input as JSON on its stdin, the result as JSON on its stdout. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HandlerContext, Provision } from '../core/agent.ts'
import { A2aError, messageOf } from '../core/errors.ts'
import { signalGroup, tie, untie } from './process-group.ts'
import { oneLine, readStderr } from './stderr.ts'

export interface ExecOptions {
  /** Where it runs. Default: where this process runs. */
  cwd?: string
  /** On top of this process's own environment. */
  env?: Record<string, string>
  /** More than that on stdout ends the program. Default 4 MiB. */
  maxOutputBytes?: number
  /** From SIGTERM to SIGKILL, in ms. Default 2,000. */
  killAfterMs?: number
}

/** What a program that has ended may keep its pipes open through others for, in ms. */
const PIPES_CLOSE_WITHIN_MS = 2_000
/** EX_DATAERR: what was given to it is wrong, not the program. */
const BAD_INPUT = 65

/**
 * A handler that runs `command` with `/bin/sh -c`, in a process group of its own, which ends with it.
 *
 * 1. stdin has the input as JSON; a program need not read it.
 * 2. Lines `{"progress":0.4,"note":"…"}` on stderr are progress; the end of anything else there explains a failure.
 * 3. stdout must be one JSON value, and the exit status 0. With 65 (EX_DATAERR of sysexits.h) the input is at fault: nobody else is to try it.
 * 4. At abort the group gets SIGTERM, and SIGKILL `killAfterMs` later.
 * 5. It runs under the circuit breaker of its command: `dependsOn: [command]` beside it makes no bids while that is open.
 *
 * The environment has A2A_TASK_ID, A2A_CAPABILITY, A2A_REQUESTER, A2A_EPOCH and A2A_REMAINING_MS; where there are any, A2A_IDEMPOTENCY_KEY
 * and A2A_PROGRESS_EVERY_MS.
 *
 * @throws A2aError CIRCUIT_OPEN; HANDLER_FAILED, from the handler: another exit status, no JSON, too much output, cannot be started
 */
export function execHandler (command: string, options: ExecOptions = {}): Provision['run'] {
  const { cwd, env, maxOutputBytes = 4 * 1024 * 1024, killAfterMs = 2_000 } = options

  const run = async (input: unknown, context: HandlerContext): Promise<unknown> => {
    const { capability, signal } = context
    const failed = (why: string, cause?: unknown, retryable = true): A2aError => new A2aError({ code: 'HANDLER_FAILED', capability, why, retryable }, { cause })
    signal.throwIfAborted()

    const child = spawn('/bin/sh', ['-c', command], { cwd, env: { ...process.env, ...env, ...contextEnv(context) }, detached: true, stdio: 'pipe' })
    await once(child, 'spawn').catch(error => { throw failed(`cannot start "${command}"${cwd === undefined ? '' : ` in ${cwd}`}: ${messageOf(error)}`, error) })
    const pid = child.pid as number
    tie(pid)

    let grace: Promise<void> | undefined
    const end = (): void => {
      if (grace !== undefined) return
      signalGroup(pid, 'SIGTERM')
      grace = sleep(killAfterMs, undefined, { signal: gone.signal }).then(() => signalGroup(pid, 'SIGKILL'), () => {})
    }
    const gone = new AbortController()
    signal.addEventListener('abort', end, { once: true })
    if (signal.aborted) end()
    try {
      const stderr = readStderr(context.progress)
      child.stderr.on('data', stderr.write)
      const stdout = collect(child, maxOutputBytes, end)
      // A program may end without having read its input: EPIPE. How it ended tells the rest.
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => {})
      child.stdin.end(JSON.stringify(input ?? null))

      const [status, killedBy] = await ended(child, () => grace)
      signal.throwIfAborted()
      if (stdout.bytes() > maxOutputBytes) throw failed(`"${command}" wrote more than ${maxOutputBytes} bytes on stdout and was ended`)
      if (status !== 0) throw failed(withTail(`"${command}" ${howItEnded(status, killedBy)}`, stderr.tail()), undefined, status !== BAD_INPUT)
      return parseOutput(stdout.text(), why => failed(withTail(`"${command}" ${why}`, stderr.tail())))
    } finally {
      signal.removeEventListener('abort', end)
      gone.abort()
      untie(pid)
    }
  }
  return (input, context) => context.guard(command, () => run(input, context))
}

const contextEnv = ({ taskId, capability, requester, epoch, idempotencyKey, terms: { progressEveryMs }, remainingMs }: HandlerContext): Record<string, string> => ({
  A2A_TASK_ID: taskId,
  A2A_CAPABILITY: capability,
  A2A_REQUESTER: requester,
  A2A_EPOCH: String(epoch),
  ...(idempotencyKey === undefined ? {} : { A2A_IDEMPOTENCY_KEY: idempotencyKey }),
  ...(progressEveryMs === undefined ? {} : { A2A_PROGRESS_EVERY_MS: String(progressEveryMs) }),
  A2A_REMAINING_MS: String(Math.max(0, Math.floor(remainingMs())))
})

function collect (child: ChildProcessWithoutNullStreams, limit: number, tooMuch: () => void): { bytes: () => number, text: () => string } {
  const chunks: Buffer[] = []
  let bytes = 0
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= limit) chunks.push(chunk)
    else tooMuch()
  })
  return { bytes: () => bytes, text: () => Buffer.concat(chunks).toString('utf8') }
}

/** The exit status and signal, once the group is gone and the pipes are read to their end. */
async function ended (child: ChildProcessWithoutNullStreams, grace: () => Promise<void> | undefined): Promise<[number | null, NodeJS.Signals | null]> {
  const closed = once(child, 'close')
  const [status, killedBy] = await once(child, 'exit') as [number | null, NodeJS.Signals | null]
  // Those told to end have their time for it, and closed pipes show that they are gone. What a program leaves in the background has no time.
  const ending = grace()
  if (ending !== undefined) await Promise.race([closed, ending])
  signalGroup(child.pid as number, 'SIGKILL')
  // Somebody who left the group may hold the pipes for ever.
  const waited = new AbortController()
  await Promise.race([closed, sleep(PIPES_CLOSE_WITHIN_MS, undefined, { signal: waited.signal }).catch(() => {})])
  waited.abort()
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy()
  return [status, killedBy]
}

function howItEnded (status: number | null, killedBy: NodeJS.Signals | null): string {
  if (status === null) return `was ended by ${killedBy}`
  if (status === BAD_INPUT) return 'exited with status 65 (the input is wrong)'
  if (status === 127) return 'exited with status 127 (no such command)'
  if (status === 126) return 'exited with status 126 (not executable)'
  return `exited with status ${status}`
}

const withTail = (what: string, tail: string): string => tail === '' ? what : `${what}: ${tail}`

function parseOutput (text: string, failed: (why: string) => A2aError): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw failed(text.trim() === '' ? 'wrote nothing on stdout, not JSON' : `wrote no JSON on stdout, it begins with: ${oneLine(text.slice(0, 80))}`)
  }
}
