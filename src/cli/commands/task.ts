import { shortId, type Console } from '../console.ts'
import { ago } from '../duration.ts'
import { follow } from '../follow.ts'
import { anyNode, nodeOrHome, type NetworkOptions } from '../session.ts'
import { leftOr, onStop } from '../signals.ts'
import { facts, table } from '../table.ts'
import type { TaskRow } from '../../core/ports.ts'

/** `a2a-node task ls`. */
export async function ls (console: Console, { limit }: { limit: number }): Promise<number> {
  await using session = await nodeOrHome(console)
  const rows = await session.api.tasks({ limit })
  for (const row of rows) console.emit(row)
  if (rows.length === 0) console.note('no task yet; ask for one: a2a-node run CAPABILITY --input JSON')
  else if (!console.json) console.print(taskTable(console, rows))
  return 0
}

/** Tasks or contracts, one a line. */
export const taskTable = (console: Console, rows: TaskRow[]): string =>
  table(console, ['TASK', 'ROLE', 'CAPABILITY', 'STAGE', 'WITH', 'EPOCH', 'COST', 'UPDATED'], rows.map(row => [
    row.taskId, row.role, row.capability,
    row.failure === undefined ? row.stage : `${row.stage} (${row.failure})`,
    row.counterpart === undefined ? '' : console.verbose ? row.counterpart : shortId(row.counterpart),
    row.epoch === undefined ? '' : String(row.epoch),
    row.cost === undefined ? '' : String(row.cost),
    ago(row.updatedAt)
  ]))

/** `a2a-node task show ID`: both sides of it, when both are on this node. */
export async function show (console: Console, _options: object, id: string): Promise<number> {
  await using session = await nodeOrHome(console)
  for (const { row, history, delegated } of await session.api.task(id)) {
    console.emit({ row, history, delegated })
    console.print(facts(console, [
      ['task', row.taskId],
      ['as', `${row.role} ${console.verbose ? row.agent : shortId(row.agent)}`],
      ['capability', row.capability],
      ['stage', row.failure === undefined ? row.stage : `${row.stage} (${row.failure})`],
      ['with', row.counterpart],
      ['epoch', row.epoch?.toString()],
      ['cost', costLine(row)],
      ['part of', row.parent],
      ['begun', ago(row.createdAt)]
    ]))
    if (delegated.length > 0) console.print(`${taskTable(console, delegated)}\n`)
    const begun = history[0]?.at ?? 0
    const room = console.verbose ? Infinity : roomBeside(history.map(({ at }) => `+${at - begun}`), history.map(({ type }) => type))
    console.print(`${table(console, ['MS', 'WHAT', ''], history.map(({ at, type, data }) => [`+${at - begun}`, type, brief(data, room)]))}\n`)
  }
  return 0
}

/** The provider's own cost, and what its delegations came to. */
function costLine ({ cost, spent = 0 }: TaskRow): string | undefined {
  if (spent === 0) return cost?.toString()
  return `${cost ?? 0} and ${spent} for what was delegated: ${(cost ?? 0) + spent}`
}

/** `a2a-node task cancel ID`. @throws A2aError REFUSED when it has ended already */
export async function cancel (console: Console, options: NetworkOptions, id: string): Promise<number> {
  await using session = await anyNode(console, options)
  const taskId = await session.api.cancel(id)
  console.emit({ event: 'cancelled', taskId })
  console.note(`cancelled ${taskId}`)
  return 0
}

/** `a2a-node task resume ID`: follows it like `run` does; leaving leaves the task alone. */
export async function resume (console: Console, { after, ...options }: NetworkOptions & { after?: number }, id: string): Promise<number> {
  using stop = onStop()
  await using session = await anyNode(console, options, stop.signal).catch(leftOr(stop))
  if (session === undefined || stop.signal.aborted) return stop.exitCode()
  return await follow(console, session.api, session.api.resume(id, { after }), { stop, owned: false, after })
}

/** What these columns of a table leave of the terminal's width. Without a terminal: as if it were 120 wide. */
const roomBeside = (...columns: string[][]): number =>
  Math.max(20, (process.stdout.columns ?? 120) - columns.reduce((width, cells) => width + Math.max(...cells.map(({ length }) => length)) + 2, 0))

function brief (data: unknown, room: number): string {
  const { type: _, ...rest } = (typeof data === 'object' ? data ?? {} : { data }) as Record<string, unknown>
  const text = JSON.stringify(rest)
  if (text === '{}') return ''
  return text.length <= room ? text : `${text.slice(0, room - 1)}…`
}
