/** Agents in processes of their own, which end with the one that started them. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Processes extends AsyncDisposable {
  /** Where the homes of all of them are, and the folder by which they meet. Gone when they have ended. */
  readonly folder: string
  /** Resolves when the agent is ready. @throws Error when it ends before */
  start: (script: string, ...args: string[]) => Promise<void>
  /** Each agent's id in the text replaced by the name of its script. */
  name: (text: string) => string
}

/** Milliseconds an agent gets to say goodbye before it is killed. */
const GOODBYE_MS = 3_000

/** Aborts when somebody wants this process to end, so that its agents end with it. */
export function interruption (): AbortSignal {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`stopped by ${signal}`)))
  return interrupted.signal
}

export async function createProcesses (signal: AbortSignal): Promise<Processes> {
  const folder = await mkdtemp(join(tmpdir(), 'a2a-example-'))
  const children: ChildProcess[] = []
  const names = new Map<string, string>()
  return {
    folder,
    start: async (script, ...args) => {
      signal.throwIfAborted()
      const name = basename(script, '.ts')
      const child = spawn(process.execPath, [script, folder, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
      children.push(child)
      const died = once(child, 'exit').then(([code]) => { throw new Error(`the ${name} ended with status ${code} before it was ready`) })
      const [line] = await Promise.race([once(createInterface(child.stdout), 'line', { signal }), died])
      names.set(JSON.parse(line).agentId, name)
    },
    name: text => text.replace(/did:key:\w+/g, did => names.get(did) ?? did),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(children.map(end))
      await rm(folder, { recursive: true, force: true })
    }
  }
}

async function end (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.stdin?.end()
  const late = setTimeout(() => child.kill('SIGKILL'), GOODBYE_MS)
  await once(child, 'exit')
  clearTimeout(late)
}
