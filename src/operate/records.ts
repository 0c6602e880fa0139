/** What the event log says about tasks and contracts, for people: the same with a running node and without. */
import { A2aError } from '../core/errors.ts'
import { checkContract } from '../settle/contract.ts'
import { checkReceipt } from '../settle/receipt.ts'
import { openOffer, stepProvider, type ProviderEvent } from '../core/provider.ts'
import type { ContractView, NodeApi, TaskHistory } from '../control/api.ts'
import { deadLetters, deadMessage } from '../queue/letters.ts'
import type { EventLog, LogEvent, TaskRow } from '../core/ports.ts'

export type Records = Pick<NodeApi, 'tasks' | 'task' | 'contracts' | 'contract' | 'deadLetters' | 'deadLetter'>

const SIDES = ['requester', 'provider'] as const
const ROLES = ['job', ...SIDES] as const
/** Delegations of one task that are shown: the last ones. */
const SHOWN = 1_000
/** Rows looked through for a prefix of a task id. */
const SEARCHED = 10_000

export const recordsOf = (log: EventLog): Records => ({
  tasks: async (query = {}) => log.tasks(query),
  task: async text => {
    const taskId = resolveTask(log, text)
    return ROLES.flatMap((role): TaskHistory[] => {
      const row = log.task(role, taskId)
      if (row === undefined) return []
      const delegated = role === 'provider' ? log.tasks({ agent: row.agent, role: 'requester', parent: taskId, limit: SHOWN }).toReversed() : []
      return [{ row, history: eventsOf(log, row).map(({ at, type, data }) => ({ at, type, data })), delegated }]
    })
  },
  deadLetters: async () => deadLetters(log),
  deadLetter: async text => deadMessage(log, resolveTask(log, text)),
  contracts: async ({ limit = 100 } = {}) => log.tasks({ limit: SEARCHED }).filter(({ epoch = 0 }) => epoch > 0).slice(0, limit),
  contract: async text => {
    const taskId = resolveTask(log, text)
    const views = await Promise.all(SIDES.map(async role => {
      const row = log.task(role, taskId)
      return row === undefined ? [] : await Promise.all(signedContracts(role, eventsOf(log, row)).map(signed => viewOf(log, role, row, signed)))
    }))
    return views.flat()
  }
})

/** Several agents of one node may have bid on one task. */
const eventsOf = (log: EventLog, { role, taskId, agent }: TaskRow): LogEvent[] =>
  log.eventsOf(role, taskId).filter(event => event.agent === agent)

/** Award and acceptance of each contract that came about, oldest first. */
function signedContracts (role: 'requester' | 'provider', events: LogEvent[]): Array<{ award: Buffer, acceptance: Buffer }> {
  return events
    .filter((event, i) => event.type === (role === 'requester' ? 'accepted' : 'awarded') && (role === 'requester' || wasTaken(events, i)))
    .map(({ data }) => {
      const { award, acceptance } = data as { award: string, acceptance: string }
      return { award: Buffer.from(award, 'base64'), acceptance: Buffer.from(acceptance, 'base64') }
    })
}

/** Whether the provider's state machine accepted the award of event `i`, and did not refuse it. */
function wasTaken (events: LogEvent[], i: number): boolean {
  const [first, ...rest] = events.slice(0, i + 1).map(({ type, at, data }) => ({ type, at, ...data as object }) as ProviderEvent)
  if (first?.type !== 'offered') return false
  let { task, effects } = openOffer(first)
  for (const event of rest) ({ task, effects } = stepProvider(task, event))
  return effects.some(({ type }) => type === 'accept')
}

async function viewOf (log: EventLog, role: ContractView['role'], { taskId, agent }: TaskRow, { award, acceptance }: { award: Buffer, acceptance: Buffer }): Promise<ContractView> {
  const contract = checkContract(award, acceptance)
  const entries = log.chain.list(agent, { taskId }).filter(({ epoch }) => epoch === contract.epoch)
  // An agent that works for itself has both sides' entries: the one with both signatures says more.
  const entry = entries.find(({ countersignature }) => countersignature !== undefined) ?? entries[0]
  return { role, ...contract, receipt: entry === undefined ? undefined : checkReceipt(entry) }
}

/** The task that a whole id or the beginning of one means. */
export function resolveTask (log: EventLog, text: string): string {
  if (ROLES.some(role => log.task(role, text) !== undefined)) return text
  const found = text.length < 4 ? [] : [...new Set(log.tasks({ limit: SEARCHED }).map(row => row.taskId).filter(taskId => taskId.startsWith(text.toUpperCase())))]
  if (found.length > 1) throw new A2aError({ code: 'BAD_USAGE', why: `${found.length} tasks begin with ${text}`, hint: 'give more of the id' })
  const [taskId] = found
  if (taskId === undefined) throw new A2aError({ code: 'TASK_UNKNOWN', taskId: text })
  return taskId
}
