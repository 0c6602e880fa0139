import { join } from 'node:path'
import type { Console } from '../console.ts'
import { whenHomeIsFree } from '../session.ts'
import { facts } from '../table.ts'
import { homeOf, readNodeRecord } from '../../control/home.ts'
import { connectControl } from '../../control/client.ts'
import { A2aError } from '../../core/errors.ts'
import type { LogCheck, LogRepair } from '../../index.ts'

/** `a2a-node log check`. Exit code 1 when something is wrong. @throws A2aError HOME_IN_USE */
export async function check (console: Console): Promise<number> {
  const file = await logFile(console)
  const { checkLog } = await import('../../index.ts')
  const found = await whenHomeIsFree(console, async () => checkLog(file))
  console.emit(found)
  console.print(facts(console, whatIsThere(found)))
  const isWell = found.damage.length + found.faults.length === 0
  if (found.damage.length > 0) console.note('save what holds: a2a-node log repair')
  return isWell ? 0 : 1
}

/** `a2a-node log repair`. Exit code 1 when something was lost. @throws A2aError HOME_IN_USE, NO_SPACE */
export async function repair (console: Console): Promise<number> {
  const file = await logFile(console)
  const { repairLog } = await import('../../index.ts')
  const done = await whenHomeIsFree(console, async () => repairLog(file))
  const { kept, mended, lostPages, missing, rebuiltTasks } = done
  console.emit(done)
  console.print(facts(console, [
    ...whatIsThere(done),
    ['put right', mended === 0 ? undefined : `${mended} bits that had gone over`],
    ['lost', lostPages + missing.length === 0 ? undefined : `pages: ${lostPages}; events: ${missing.map(([from, to]) => from === to ? `${from}` : `${from} to ${to}`).join(', ') || 'none'}`],
    ['folded anew', rebuiltTasks === 0 ? undefined : `the state of ${rebuiltTasks} tasks`],
    ...kept.map((name, n): [string, string] => [n === 0 ? 'as it was' : '', name])
  ]))
  if (kept.length === 0) console.note('nothing had to be done')
  return lostPages + missing.length + done.faults.length === 0 ? 0 : 1
}

const whatIsThere = ({ file, damage, faults, rows }: LogCheck | LogRepair): Array<[string, string]> => [
  ['log', file],
  ...(damage.length === 0 ? ['none'] : damage.map(({ file: name, what }) => `${name}: ${what}`)).map((text, n): [string, string] => [n === 0 ? 'damage' : '', text]),
  ...faults.map((text, n): [string, string] => [n === 0 ? 'faults' : '', text]),
  ['whole', Object.entries(rows).map(([table, count]) => `${count} ${table}`).join(', ')]
]

async function logFile (console: Console): Promise<string> {
  const home = homeOf(console.home)
  const node = await connectControl(home)
  node?.close()
  if (node !== undefined) throw new A2aError({ code: 'HOME_IN_USE', home, pid: readNodeRecord(home)?.pid })
  return join(home, 'log.db')
}
