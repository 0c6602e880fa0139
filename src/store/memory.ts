/** An event log in memory, which keeps the promises of the one on disk: for the simulator, and for tests. */
import { A2aError, messageOf } from '../core/errors.ts'
import { PATIENCE, type Clock, type EventLog, type LogEvent, type ReceiptEntry, type TaskRow } from '../core/ports.ts'
import { groupCommit } from './group.ts'
import { checkKey, costsOf, DEAREST, durationOf, interactionOf, linkOf, metricsOf, NO_RECEIPT, outcomeOf, present, RECENT } from './projection.ts'
import type { Tally } from './projection.ts'

export interface MemoryLogOptions {
  clock: Clock
  /** How long a commit takes, by the clock, in ms. Default: none passes, but it is never done within the call. */
  commitMs?: number | (() => number)
  /** Runs the writes of a commit. Throws as a disk would that does not take them: then none of them has happened. Default: runs them. */
  transaction?: (writes: () => void) => void
  /** What survives a crash. Give it to the log of the restarted node: the one before then commits nothing more, as if killed. */
  disk?: MemoryDisk
}

/** Rows as they are after the last commit. Only a log writes to it. */
export interface MemoryDisk {
  holder?: symbol
  /** With `data` as JSON text, so that nobody shares objects with the log. */
  events: LogEvent[]
  eventsOf: Map<string, LogEvent[]>
  tasks: Map<string, StoredTask>
  receipts: Map<string, ReceiptEntry[]>
  values: Map<string, Uint8Array>
  /** Of tasks that were taken out. */
  tallies: Array<Tally & { agent: string }>
}

interface StoredTask {
  row: TaskRow
  first: number
  last: number
}

export const createMemoryDisk = (): MemoryDisk =>
  ({ events: [], eventsOf: new Map(), tasks: new Map(), receipts: new Map(), values: new Map(), tallies: [] })

const tallyOf = (row: TaskRow): Tally => ({ role: row.role, outcome: outcomeOf(row), tasks: 1, cost: row.cost ?? 0 })

export function createMemoryLog ({ clock, commitMs, transaction, disk = createMemoryDisk() }: MemoryLogOptions): EventLog {
  const self = disk.holder = Symbol('log')
  let open = true

  const unlessKilled = (commit: () => void) => () => { if (disk.holder === self) commit() }
  const { add: write, close } = groupCommit({
    defer: commit => {
      if (commitMs === undefined) queueMicrotask(unlessKilled(commit))
      else clock.after(typeof commitMs === 'number' ? commitMs : commitMs(), unlessKilled(commit))
    },
    later: (ms, commit) => clock.after(ms, unlessKilled(commit)),
    transaction: transaction ?? (writes => writes()),
    isOwnFault: () => transaction === undefined,
    failed: error => new A2aError({ code: 'LOG_WRITE_FAILED', file: ':memory:', why: messageOf(error) }, { cause: error })
  })
  const read = (): MemoryDisk => {
    if (open) return disk
    throw new A2aError({ code: 'INTERNAL', why: 'the event log :memory: is closed' })
  }
  const headOf = (agent: string) => disk.receipts.get(agent)?.at(-1)?.hash ?? NO_RECEIPT
  const tasksOf = (agent: string) => [...read().tasks.values()].filter(({ row }) => row.agent === agent)
  const endedOf = (agent: string) => tasksOf(agent).filter(({ row }) => row.ended).sort((a, b) => b.last - a.last).map(({ row }) => row)
  const recent = (agent: string) => endedOf(agent).filter(({ role }) => role !== 'job')

  return {
    append: async (event, summary, options) => {
      const stored = { ...event, data: JSON.stringify(event.data) ?? 'null' }
      const { capability, stage, ended, counterpart, epoch, failure, cost, spent, parent } = summary
      return write(() => {
        const position = disk.events.length + 1
        const { at, agent, role, taskId } = stored
        const row = { ...stored, position }
        disk.events.push(row)
        const history = disk.eventsOf.get(`${role} ${taskId}`)
        if (history === undefined) disk.eventsOf.set(`${role} ${taskId}`, [row])
        else history.push(row)
        const key = `${agent} ${role} ${taskId}`
        const { first, row: { createdAt } } = disk.tasks.get(key) ?? { first: position, row: { createdAt: at } }
        disk.tasks.set(key, { first, last: position, row: present<TaskRow>({ taskId, agent, role, createdAt, updatedAt: at, capability, stage, ended, counterpart, epoch, failure, cost, spent, parent }) })
        return { ...event, position }
      }, options)
    },
    eventsOf: (role, taskId, { after = 0, limit } = {}) => {
      const events = read().eventsOf.get(`${role} ${taskId}`) ?? []
      return (after > 0 ? events.filter(({ position }) => position > after) : events).slice(0, limit).map(event => ({ ...event, data: JSON.parse(event.data as string) }))
    },
    tasks: ({ agent, role, ended, parent, limit } = {}) => [...read().tasks.values()]
      .filter(({ row }) => (agent ?? row.agent) === row.agent && (role ?? row.role) === row.role && (ended ?? row.ended) === row.ended && (parent ?? row.parent) === row.parent)
      .sort((a, b) => b.first - a.first).slice(0, limit).map(({ row }) => ({ ...row })),
    task: (role, taskId) => {
      const newest = read().eventsOf.get(`${role} ${taskId}`)?.at(-1)
      const found = newest && disk.tasks.get(`${newest.agent} ${role} ${taskId}`)
      return found && { ...found.row }
    },
    interactions: (agent, limit = RECENT) => recent(agent).slice(0, limit).map(interactionOf),
    costs: (agent, limit = DEAREST) => costsOf(tasksOf(agent).map(({ row }) => row), limit),
    metrics: agent => metricsOf(
      [...tasksOf(agent).map(({ row }) => tallyOf(row)), ...disk.tallies.filter(tally => tally.agent === agent)],
      role => recent(agent).filter(row => row.role === role).slice(0, RECENT).map(durationOf)),
    prune: async (agent, endedBefore) => write(() => {
      const old = (['requester', 'provider', 'job'] as const).flatMap(role => endedOf(agent).filter(row => row.role === role).slice(RECENT)).filter(row => row.updatedAt < endedBefore)
      for (const row of old) {
        disk.tallies.push({ agent, ...tallyOf(row) })
        disk.tasks.delete(`${agent} ${row.role} ${row.taskId}`)
        disk.eventsOf.set(`${row.role} ${row.taskId}`, (disk.eventsOf.get(`${row.role} ${row.taskId}`) ?? []).filter(event => event.agent !== agent))
      }
      return old.length
    }, { patienceMs: PATIENCE.briefMs }),
    size: () => ({ bytes: 0, usedBytes: 0 }),
    chain: {
      head: agent => (read(), headOf(agent).slice()),
      append: async (given, options) => {
        const entry = present<ReceiptEntry>(structuredClone(given))
        return write(() => {
          const receipts = disk.receipts.get(entry.agent) ?? []
          const known = receipts.find(({ hash }) => Buffer.compare(hash, entry.hash) === 0)
          if (linkOf(entry, headOf(entry.agent), known !== undefined) === 'next') disk.receipts.set(entry.agent, [...receipts, entry])
          else if (known && entry.countersignature) known.countersignature = entry.countersignature
        }, options)
      },
      list: (agent, { taskId, limit } = {}) =>
        structuredClone((read().receipts.get(agent) ?? []).filter(entry => (taskId ?? entry.taskId) === entry.taskId).slice(0, limit))
    },
    values: {
      get: key => read().values.get(key)?.slice(),
      set: async (key, value) => {
        const row = [checkKey(key), value.slice()] as const
        return write(() => { disk.values.set(...row) })
      },
      list: prefix => [...read().values].filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))).map(([key, value]) => [key, value.slice()]),
      delete: async key => write(() => { disk.values.delete(key) })
    },
    close: async () => {
      if (!open) return
      if (disk.holder === self) close()
      open = false
    }
  }
}
