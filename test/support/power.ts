/**
 * Power failures, out of what a process has really asked of the system: its writes and syncs are recorded (strace), and for
 * any moment the files are made as a disk may have them then. What was synced is there. Of what was not, each sector is
 * there or not, in any order, and so is each change of a file's length: worse than any file system in use.
 */
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { createInterface } from 'node:readline'

/** A disk writes one of these whole, or not at all. */
const SECTOR = 512

export type Call =
  | { type: 'write', file: string, at: number | 'end', bytes: Buffer }
  | { type: 'truncate', file: string, length: number }
  | { type: 'sync', file: string }

/** Arguments of strace before the command whose calls on `paths` are to be recorded into `trace`. */
export const recording = (trace: string, paths: string[]): string[] =>
  ['-y', '-qq', '-xx', '-s', '67108864', '-e', 'trace=write,pwrite64,fsync,fdatasync,ftruncate', ...paths.flatMap(path => ['-P', path]), '-o', trace]

/** The calls of a recording that have succeeded, in their order; files without their folder. */
export async function callsOf (trace: string): Promise<Call[]> {
  const calls: Call[] = []
  for await (const line of createInterface({ input: createReadStream(trace), crlfDelay: Infinity })) {
    const [, name = '', path = '', rest = '', result = ''] = /^(\w+)\(\d+<(.*?)>(?:, )?(.*)\)\s+= (-?\d+)/.exec(line) ?? []
    if (Number(result) < 0 || name === '') continue
    const file = basename(Buffer.from(path.replaceAll('\\x', ''), 'hex').toString() || path)
    if (name === 'fsync' || name === 'fdatasync') calls.push({ type: 'sync', file })
    else if (name === 'ftruncate') calls.push({ type: 'truncate', file, length: Number(rest) })
    else {
      const [, hex = '', , at] = /^"([^"]*)", (\d+)(?:, (\d+))?$/.exec(rest) ?? []
      const bytes = Buffer.from(hex.replaceAll('\\x', ''), 'hex')
      if (bytes.length !== Number(result)) throw new Error(`a write of ${result} bytes was recorded with ${bytes.length}: ${line.slice(0, 200)}`)
      calls.push({ type: 'write', file, at: at === undefined ? 'end' : Number(at), bytes })
    }
  }
  return calls
}

export interface Disk {
  /** Does what the process did next. */
  play: (call: Call) => void
  /** The files as they may be when the power fails now. `kept`: the share of unsynced sectors that were written all the same. */
  fail: (kept: number) => Map<string, Buffer>
}

/** A disk with these files on it, safely. */
export function createDisk (files: Record<string, Buffer>): Disk {
  const safe = new Map(Object.entries(files).map(([name, bytes]) => [name, createFile(bytes)]))
  const pending = new Map<string, Call[]>()
  return {
    play: call => {
      const unsynced = pending.get(call.file) ?? []
      pending.set(call.file, unsynced)
      if (call.type !== 'sync') return unsynced.push(call)
      const file = safe.get(call.file) ?? createFile()
      safe.set(call.file, file)
      for (const done of unsynced.splice(0)) file.apply(done)
    },
    fail: kept => new Map([...new Set([...safe.keys(), ...pending.keys()])].map(name => {
      const file = createFile(safe.get(name)?.content())
      for (const call of (pending.get(name) ?? []).flatMap(sectorsOf)) if (Math.random() < kept) file.apply(call)
      return [name, file.content()]
    }))
  }
}

function sectorsOf (call: Call): Call[] {
  if (call.type !== 'write' || call.at === 'end') return [call]
  const parts: Call[] = []
  for (let at = call.at; at < call.at + call.bytes.length;) {
    const end = Math.min(call.at + call.bytes.length, (Math.floor(at / SECTOR) + 1) * SECTOR)
    parts.push({ ...call, at, bytes: call.bytes.subarray(at - call.at, end - call.at) })
    at = end
  }
  return parts
}

function createFile (given: Uint8Array = new Uint8Array()): { apply: (call: Call) => void, content: () => Buffer } {
  let bytes = Buffer.from(given)
  let length = bytes.length
  const resize = (to: number): void => {
    if (to > bytes.length) bytes = Buffer.concat([bytes.subarray(0, length), Buffer.alloc(2 * to - length)])
    // What is cut off does not come back.
    if (to < length) bytes.fill(0, to, length)
    length = to
  }
  return {
    apply: call => {
      if (call.type === 'truncate') resize(call.length)
      if (call.type !== 'write') return
      const at = call.at === 'end' ? length : call.at
      resize(Math.max(length, at + call.bytes.length))
      bytes.set(call.bytes, at)
    },
    content: () => bytes.subarray(0, length)
  }
}
