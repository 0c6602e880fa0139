/**
 * Content between two processes of this machine: `node scripts/measure-bulk.ts [--mb 847] [--rounds 3] [--to stream|file] [--dir DIR]`.
 * Prints rate, CPU of both ends, and the receiver's memory. Each round has new processes; the file is hashed before the clock starts,
 * as it is when it was sent. Put `--dir` on a disk that keeps up, or in memory.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createAgent, type ContentRef } from 'a2a-node'
import { numberOf } from './numbers.ts'

const { values } = parseArgs({ options: { mb: { type: 'string', default: '847' }, rounds: { type: 'string', default: '3' }, to: { type: 'string', default: 'stream' }, dir: { type: 'string', default: tmpdir() }, role: { type: 'string' }, folder: { type: 'string', default: '' } } })

interface Result { ms: number, cpuMs: number, peakMb: number, beforeMb: number, hash?: string }

const cpuMs = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1_000
}

async function agentIn (folder: string, name: string): ReturnType<typeof createAgent> {
  return await createAgent({ name, home: join(folder, name), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, rendezvous: join(folder, 'rendezvous') })
}

async function sender (folder: string): Promise<void> {
  const agent = await agentIn(folder, 'sender')
  const ref = await agent.send(join(folder, 'data'))
  const before = process.cpuUsage()
  process.on('message', () => { process.send?.({ cpuMs: cpuMs(before), peakMb: process.resourceUsage().maxRSS / 1_024 }) })
  process.send?.({ ref })
}

async function receiver (folder: string): Promise<void> {
  const agent = await agentIn(folder, 'receiver')
  process.send?.({ ready: true })
  process.once('message', async (ref: ContentRef) => {
    const beforeMb = process.memoryUsage.rss() / 1e6
    let peak = 0
    const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage.rss()) }, 20)
    const before = process.cpuUsage()
    const begun = performance.now()
    let bytes = 0
    if (values.to === 'file') bytes = (await agent.receive(ref, { file: join(folder, 'received') })).bytes
    else for await (const chunk of agent.receive(ref, { lend: true })) bytes += chunk.length
    const ms = performance.now() - begun
    clearInterval(timer)
    if (bytes !== ref.bytes) throw new Error(`${bytes} bytes came of ${ref.bytes}`)
    process.send?.({ ms, cpuMs: cpuMs(before), peakMb: peak / 1e6, beforeMb } satisfies Result)
  })
}

const heard = <T>(child: ChildProcess): Promise<T> => new Promise((resolve, reject) => {
  child.once('message', message => { resolve(message as T) })
  child.once('exit', code => { reject(new Error(`a process ended with ${code}`)) })
})

async function measure (): Promise<void> {
  const bytes = numberOf('mb', values.mb) * 1e6
  const folder = mkdtempSync(join(values.dir, 'a2a-bulk-'))
  try {
    const piece = randomBytes(1_000_000)
    const hash = createHash('sha256')
    const file = openSync(join(folder, 'data'), 'w')
    for (let written = 0; written < bytes; written += piece.length) {
      piece.writeDoubleLE(written, 8)
      const part = piece.subarray(0, bytes - written)
      hash.update(part)
      writeSync(file, part)
    }
    closeSync(file)
    for (let round = 1; round <= numberOf('rounds', values.rounds); round++) {
      const start = (role: string): ChildProcess => fork(import.meta.filename, ['--role', role, '--folder', folder, '--to', values.to], { execArgv: process.execArgv })
      const [from, to] = [start('sender'), start('receiver')]
      try {
        const [{ ref }] = await Promise.all([heard<{ ref: ContentRef }>(from), heard(to)])
        const result = heard<Result>(to)
        to.send(ref)
        const { ms, cpuMs: cpu, peakMb, beforeMb } = await result
        const sent = heard<{ cpuMs: number, peakMb: number }>(from)
        from.send('cpu')
        const { cpuMs: senderCpu, peakMb: senderPeak } = await sent
        console.log(`round ${round}: ${(bytes / 1e3 / ms).toFixed(0)} MB/s, ${(ms / 1e3).toFixed(2)} s; sender ${(senderCpu / 1e3).toFixed(2)} s CPU, ${senderPeak.toFixed(0)} MB at most; receiver ${(cpu / 1e3).toFixed(2)} s CPU, ${peakMb.toFixed(0)} MB at most (${beforeMb.toFixed(0)} before)`)
      } finally {
        for (const child of [from, to]) {
          child.removeAllListeners('exit')
          child.kill('SIGKILL')
        }
        rmSync(join(folder, 'received'), { force: true })
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (values.role === undefined) await measure()
else await (values.role === 'sender' ? sender : receiver)(values.folder)
