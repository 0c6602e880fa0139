/** The disk of a host: a log in memory that may refuse, be slow, and be there for a process that dies with a commit. */
import { createMemoryDisk, createMemoryLog, type MemoryDisk } from '../store/memory.ts'
import type { Clock, EventLog, LogEvent } from '../core/ports.ts'
import type { Fault } from './faults.ts'

export type DiskFault = Extract<Fault, { kind: 'disk-fails' | 'disk-slow' | 'crash-at-commit' }>

export interface FaultyDisk {
  /** What is on it. */
  readonly rows: MemoryDisk
  /** Lets a fault begin. The returned function ends it. */
  begin: (fault: DiskFault) => () => void
  /** Whether it refuses commits now. */
  fails: () => boolean
  /** The log of one process. What it waits for when it dies never comes. */
  open: (clock: Clock, alive: () => boolean) => EventLog
}

export interface DiskParts {
  /** What a commit has written. */
  committed: (events: LogEvent[]) => void
  /** The process dies now, for so long. */
  die: (forMs: number) => void
}

/** What a commit takes when all is well, in ms. */
const COMMIT_MS = 3

export function createFaultyDisk ({ committed, die }: DiskParts): FaultyDisk {
  const rows = createMemoryDisk()
  const faults = new Set<DiskFault>()
  const fails = (): boolean => [...faults].some(({ kind }) => kind === 'disk-fails')
  const doomOf = (): Extract<DiskFault, { kind: 'crash-at-commit' }> | undefined => [...faults].find(fault => fault.kind === 'crash-at-commit')

  function transaction (writes: () => void): void {
    if (fails()) throw new Error('the disk takes no more')
    const doom = doomOf()
    if (doom !== undefined) faults.delete(doom)
    if (doom?.when === 'before') {
      die(doom.forMs)
      throw new Error('it was killed')
    }
    const known = rows.events.length
    writes()
    committed(rows.events.slice(known))
    if (doom !== undefined) die(doom.forMs)
  }

  return {
    rows, fails,
    begin: fault => {
      faults.add(fault)
      return () => { faults.delete(fault) }
    },
    open: (clock, alive) => {
      const commitMs = (): number => [...faults].reduce((longest, fault) => Math.max(longest, fault.kind === 'disk-slow' ? fault.ms : 0), COMMIT_MS)
      const log = createMemoryLog({ clock, commitMs, transaction, disk: rows })
      const whileAlive = async <T>(write: () => Promise<T>): Promise<T> => {
        if (!alive()) return await never()
        const kept = await write().catch(async error => alive() ? await Promise.reject(error) : await never<T>())
        return alive() ? kept : await never()
      }
      return {
        ...log,
        append: async (...given) => await whileAlive(() => log.append(...given)),
        chain: { ...log.chain, append: async (...given) => { await whileAlive(() => log.chain.append(...given)) } },
        values: { ...log.values, set: async (...given) => { await whileAlive(() => log.values.set(...given)) }, delete: async key => { await whileAlive(() => log.values.delete(key)) } }
      }
    }
  }
}

const never = async <T>(): Promise<T> => await new Promise<never>(() => {})
