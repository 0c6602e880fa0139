import { taskTable } from './task.ts'
import type { Console } from '../console.ts'
import { nodeOrHome } from '../session.ts'
import { facts } from '../table.ts'

/** `a2a-node contract ls`. */
export async function ls (console: Console, { limit }: { limit: number }): Promise<number> {
  await using session = await nodeOrHome(console)
  const rows = await session.api.contracts({ limit })
  for (const row of rows) console.emit(row)
  if (rows.length === 0) console.note('no contract yet: one is made when a provider accepts an award (see: a2a-node run --help)')
  else if (!console.json) console.print(taskTable(console, rows))
  return 0
}

/** `a2a-node contract show ID`. Exit code 1 when a signature does not hold. */
export async function show (console: Console, _options: object, id: string): Promise<number> {
  await using session = await nodeOrHome(console)
  const contracts = await session.api.contract(id)
  for (const contract of contracts) {
    const { receipt } = contract
    console.emit(contract)
    console.print(`${facts(console, [
      ['task', contract.taskId],
      ['as', contract.role],
      ['capability', contract.capability],
      ['requester', contract.requester],
      ['provider', contract.provider],
      ['epoch', String(contract.epoch)],
      ['terms', JSON.stringify(contract.terms)],
      ['contract', contract.contractHash],
      ['award', signature(contract.awardHolds)],
      ['acceptance', signature(contract.acceptanceHolds)],
      ['receipt', receipt === undefined ? 'none yet' : `${receipt.hash} ${signature(receipt.verified)}`],
      ['late', receipt?.penalty === undefined ? undefined : `${receipt.penalty} taken off the cost`],
      ['input', receipt?.inputHash],
      ['output', receipt?.outputHash]
    ])}\n`)
  }
  if (contracts.length === 0) console.note(`task ${id} led to no contract; see: a2a-node task show ${id}`)
  return contracts.every(({ awardHolds, acceptanceHolds, receipt }) => awardHolds && acceptanceHolds && receipt?.verified !== false) ? 0 : 1
}

const signature = (holds: boolean): string => holds ? 'signed, holds' : 'DOES NOT HOLD'
