/** Real `a2a-node` processes for tests: each with its own home, all in one mesh that nobody else is in. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../..')
const BIN = join(root, 'dist/cli/main.js')
/** No step of a test takes longer, in ms. */
const PATIENCE_MS = 20_000
/** Keeps to this machine. What the flags about the network are without them is tested in a namespace of its own. */
export const LOOPBACK = ['--listen', '/ip4/127.0.0.1/tcp/0', '--no-mdns']

export interface Mesh extends AsyncDisposable {
  /** A folder for this mesh alone; removed at the end. */
  readonly folder: string
  /** Runs a command to its end. */
  a2a: (args: string[], options?: RunOptions) => Promise<Finished>
  /** Starts a command that goes on; its stdout as JSON lines. */
  stream: (args: string[], options?: RunOptions) => Streaming
  /** Starts a node, and waits until it is ready. */
  start: (name: string, args?: string[], options?: RunOptions) => Promise<StartedNode>
  home: (name: string) => string
}

export interface RunOptions {
  env?: Record<string, string>
  input?: string
  /** Command and arguments to put in front: `ip netns exec …`. */
  within?: string[]
  /** Leave out what keeps it to this machine. */
  noFlags?: boolean
  /** Another build's command line (previous.ts). Default: this one's. */
  bin?: string
  timeoutMs?: number
}

export interface Finished {
  code: number | null
  stdout: string
  stderr: string
  /** stdout as JSON lines, when that is what it is. */
  events: any[]
  ms: number
}

export interface Streaming {
  readonly child: ChildProcess
  /** The next event that fits, from the beginning. Rejects when the process ends before it. */
  event: (fits: (event: any) => boolean) => Promise<any>
  readonly events: any[]
  /** stdout so far. */
  output: () => string
  readonly finished: Promise<Finished>
}

export interface StartedNode {
  readonly name: string
  readonly home: string
  readonly pid: number
  readonly agentId: string
  readonly peerId: string
  readonly addresses: string[]
  readonly process: Streaming
  /** The moment it was ready, of performance.now(). */
  readonly readyAt: number
  signal: (signal: NodeJS.Signals) => void
  /** SIGTERM, and waits for its end. */
  stop: () => Promise<Finished>
}

export function createMesh (): Mesh {
  const folder = mkdtempSync(join(tmpdir(), 'a2a-test-'))
  const running = new Set<ChildProcess>()
  if (!existsSync(BIN)) throw new Error('dist/ is not there: run npm run build first')

  const stream: Mesh['stream'] = (args, { env = {}, input, within = [], bin = BIN, timeoutMs = 60_000 } = {}) => {
    const [command = '', ...rest] = [...within, process.execPath, bin, ...args]
    const begun = performance.now()
    const child = spawn(command, rest, { cwd: root, env: { PATH: process.env.PATH, HOME: folder, XDG_RUNTIME_DIR: join(folder, 'run'), ...env }, stdio: ['pipe', 'pipe', 'pipe'] })
    running.add(child)
    const events: any[] = []
    const waiting = new Set<() => void>()
    let stdout = ''
    let stderr = ''
    let ended = false
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
    child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
    createInterface({ input: child.stdout }).on('line', line => {
      stdout += `${line}\n`
      try {
        events.push(JSON.parse(line))
      } catch {
        // Not a JSON line: the test looks at stdout.
      }
      for (const look of waiting) look()
    })
    const timer = setTimeout(() => { child.kill('SIGKILL') }, timeoutMs)
    const finished = once(child, 'close').then(([code]: Array<number | null>): Finished => {
      clearTimeout(timer)
      running.delete(child)
      ended = true
      for (const look of waiting) look()
      return { code: code ?? null, stdout, stderr, events, ms: performance.now() - begun }
    })
    return {
      child, events, finished,
      output: () => stdout,
      event: fits => new Promise((resolve, reject) => {
        const patience = setTimeout(() => { reject(new Error(`no such event within ${PATIENCE_MS} ms of ${args.join(' ')}; saw ${JSON.stringify(events).slice(0, 2_000)}\n${stderr}`)) }, PATIENCE_MS)
        const look = (): void => {
          const found = events.find(fits)
          if (found === undefined && !ended) return
          clearTimeout(patience)
          waiting.delete(look)
          if (found === undefined) reject(new Error(`${args.join(' ')} ended without it: ${stderr}`))
          else resolve(found)
        }
        waiting.add(look)
        look()
      })
    }
  }

  const home = (name: string): string => join(folder, 'homes', name)
  const mesh: Mesh = {
    folder, home, stream,
    a2a: (args, options) => stream(args, options).finished,
    start: async (name, args = [], options = {}) => {
      const process = stream(['start', '--json', '--home', home(name), '--name', name, ...(options.noFlags === true ? [] : LOOPBACK), ...args], { timeoutMs: 600_000, ...options })
      const ready = await process.event(({ event }) => event === 'ready')
      const readyAt = performance.now()
      return {
        name, process, readyAt,
        home: home(name), pid: ready.pid, agentId: ready.agent_id, peerId: ready.peer_id, addresses: ready.addresses,
        signal: signal => { globalThis.process.kill(ready.pid, signal) },
        stop: () => {
          process.child.kill('SIGTERM')
          return process.finished
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      const ends = [...running].map(async child => {
        child.kill('SIGCONT')
        child.kill('SIGKILL')
        if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      })
      await Promise.all(ends)
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    }
  }
  return mesh
}
