import { shortId, type Console } from '../console.ts'
import { ago } from '../duration.ts'
import { nodeOrHome, runningNode } from '../session.ts'
import { facts, table } from '../table.ts'
import { A2aError, explain } from '../../core/errors.ts'
import type { DeadLetter } from '../../core/queue.ts'
import type { NodeApi } from '../../control/api.ts'

/** `a2a-node dead ls`. */
export async function ls (console: Console): Promise<number> {
  await using session = await nodeOrHome(console)
  const letters = await session.api.deadLetters()
  for (const letter of letters) console.emit(letter)
  if (letters.length === 0) console.note('no dead letters')
  else if (!console.json) console.print(table(console, ['JOB', 'CAPABILITY', 'ATTEMPTS', 'DIED', 'REASON'], letters.map(({ jobId, capability, attempts, diedAt, failure }) =>
    [jobId, capability, String(attempts.length), ago(diedAt), explain(failure)])))
  return 0
}

/** `a2a-node dead show ID`. @throws A2aError REFUSED when it is no dead letter */
export async function show (console: Console, _options: object, id: string): Promise<number> {
  await using session = await nodeOrHome(console)
  const letter = await session.api.deadLetter(id)
  const { jobId, capability, enqueuedAt, diedAt, failure, attempts, input, options } = letter
  console.emit(letter)
  console.print(`${facts(console, [
    ['job', jobId],
    ['capability', capability],
    ['queued', ago(enqueuedAt)],
    ['died', ago(diedAt)],
    ['reason', explain(failure)],
    ['input', JSON.stringify(input)],
    ['options', JSON.stringify(options)]
  ])}\n`)
  console.print(table(console, ['TASK', 'BEGUN', 'PROVIDER', 'FAILED'], attempts.map(({ taskId, startedAt, provider = '', failure: why }) =>
    [taskId, ago(startedAt), console.verbose ? provider : shortId(provider), why === undefined ? '' : explain(why)])))
  return 0
}

interface Which { all?: boolean }

/** `a2a-node dead replay ID`, or `--all`. */
export async function replay (console: Console, options: Which, id?: string): Promise<number> {
  return await each(console, options, id, async (api, jobId) => {
    const replayed = await api.replayDead(jobId)
    console.emit({ event: 'replayed', jobId: replayed })
    console.print(replayed)
    console.note(`follow it with: a2a-node task resume ${replayed}`)
  })
}

/** `a2a-node dead drop ID`, or `--all`. */
export async function drop (console: Console, options: Which, id?: string): Promise<number> {
  return await each(console, options, id, async (api, jobId) => {
    const letter = await api.dropDead(jobId)
    console.emit({ event: 'dropped', ...letter })
    console.print(lineOf(letter))
  })
}

const lineOf = ({ jobId, capability, attempts, failure }: DeadLetter): string =>
  `dropped ${jobId} (${capability}, attempts: ${attempts.length}): ${explain(failure)}`

async function each (console: Console, { all = false }: Which, id: string | undefined, act: (api: NodeApi, jobId: string) => Promise<void>): Promise<number> {
  if (all === (id !== undefined)) throw new A2aError({ code: 'BAD_USAGE', why: 'which one?', hint: 'give the id of a dead letter, or --all; see: a2a-node dead ls' })
  await using session = await runningNode(console)
  const ids = id === undefined ? (await session.api.deadLetters()).map(({ jobId }) => jobId) : [id]
  for (const jobId of ids) await act(session.api, jobId)
  if (ids.length === 0) console.note('no dead letters')
  return 0
}
