/** A process of the bench, called by name. It ends with its owner, whatever happens. */
import { fork, type ChildProcess } from 'node:child_process'
import type { Answer } from './messages.ts'
import { fileOf } from '../package.ts'
import { ended } from '../swarm/ended.ts'

export interface Measured extends AsyncDisposable {
  readonly pid: number
  /** @throws Error what it answered with, that it ended, or that it did not answer in time */
  call: <T>(name: string, args?: unknown, timeoutMs?: number) => Promise<T>
}

const CALL_MS = 120_000
const END_MS = 3_000

/** Starts a process and has it play a part of actors.ts. */
export async function startProcess (part: string, args: unknown, { execArgv = [], env = {}, signal }: { execArgv?: string[], env?: Record<string, string>, signal?: AbortSignal } = {}): Promise<Measured> {
  signal?.throwIfAborted()
  const child = fork(fileOf('bench/child'), [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv, env: { ...process.env, ...env }, serialization: 'json'
  })
  const waiting = new Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>()
  let calls = 0
  let stderr = ''
  let ended: Error | undefined
  const end = (why: string): void => {
    ended ??= new Error(`${part} ended ${why} ${stderr.trim()}`.trim())
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => { stderr = (stderr + text).slice(-2_000) })
  child.on('error', error => { end(error.message) })
  child.on('exit', (code, killedBy) => { end(killedBy === null ? `with status ${code}` : `by ${killedBy}`) })
  child.on('message', (answer: Answer) => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ('error' in answer) call?.reject(new Error(answer.error))
    else call?.resolve(answer.value)
  })
  const kill = (): void => { child.kill('SIGKILL') }
  signal?.addEventListener('abort', kill, { once: true })

  const measured: Measured = {
    pid: child.pid ?? 0,
    call: (name, args, timeoutMs = CALL_MS) => new Promise((resolve, reject) => {
      if (ended !== undefined) { reject(ended); return }
      const id = ++calls
      const late = setTimeout(() => {
        waiting.delete(id)
        reject(new Error(`${part} did not ${name} within ${timeoutMs} ms`))
      }, timeoutMs)
      const settle = <T>(then: (value: T) => void) => (value: T): void => {
        clearTimeout(late)
        then(value)
      }
      waiting.set(id, { resolve: settle(resolve), reject: settle(reject) })
      child.send({ id, call: name, args }, error => { if (error !== null) waiting.get(id)?.reject(error) })
    }),
    [Symbol.asyncDispose]: async () => {
      signal?.removeEventListener('abort', kill)
      await gone(child)
    }
  }
  try {
    await measured.call('play', { part, args })
    return measured
  } catch (error) {
    await measured[Symbol.asyncDispose]()
    throw error
  }
}

/** A measured process has nothing to save: its part ends with the connection to us, or by force. */
async function gone (child: ChildProcess): Promise<void> {
  const end = ended(child, END_MS)
  if (child.connected) child.disconnect()
  else child.kill('SIGKILL')
  await end
}
