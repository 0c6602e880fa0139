/** What the kernel has sent for a process: TCP payload that was acknowledged, and the CPU time of any program. Linux only. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

/** User and system time in µs; 10 ms is its grain. Undefined where there is no /proc. */
export function cpuOf (pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10_000
  } catch {
    return undefined
  }
}

/** Resident memory in bytes. Undefined where there is no /proc. */
function rssOf (pid: number): number | undefined {
  try {
    const [, kib = ''] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kib) * 1_024
  } catch {
    return undefined
  }
}

/** Looks at the memory of processes until it is disposed of. */
export function watchRss (pids: readonly number[]): { peaks: () => Array<number | undefined> } & Disposable {
  const peaks = pids.map(rssOf)
  const look = (): void => {
    for (const [i, pid] of pids.entries()) peaks[i] = Math.max(peaks[i] ?? 0, rssOf(pid) ?? 0) || undefined
  }
  const timer = setInterval(look, LOOK_MS)
  return {
    peaks: () => {
      look()
      return peaks
    },
    [Symbol.dispose]: () => { clearInterval(timer) }
  }
}

const LOOK_MS = 20

/** Bytes acknowledged to these processes on their open TCP connections, headers not counted. Undefined where `ss` does not tell. */
export async function sentBy (pids: readonly number[]): Promise<number | undefined> {
  try {
    const { stdout } = await promisify(execFile)('ss', ['-tinpHO', 'state', 'established'], { maxBuffer: 64 * 1_048_576 })
    return sumAcked(stdout, pids)
  } catch {
    return undefined
  }
}

/** Adds up `bytes_acked` of the lines of `ss -tinpHO` that belong to one of the processes. Undefined when none does. */
export function sumAcked (text: string, pids: readonly number[]): number | undefined {
  const lines = text.split('\n').filter(line => pids.some(pid => line.includes(`pid=${pid},`)))
  if (lines.length === 0) return undefined
  return lines.reduce((sum, line) => sum + Number(/\bbytes_acked:(\d+)/.exec(line)?.[1] ?? 0), 0)
}
