import { shortId, type Console } from '../console.ts'
import { nodeOrHome } from '../session.ts'
import { facts, table } from '../table.ts'
import { foldHistory, type Moment } from '../../core/history.ts'

/** `a2a-node replay ID`: both sides of a task, when both are on this node, or a job of the queue. Exit code 1 when the log does not tell all of it. */
export async function replay (console: Console, _options: object, id: string): Promise<number> {
  await using session = await nodeOrHome(console)
  let isWhole = true
  for (const { row, history } of await session.api.task(id)) {
    const { taskId, role, agent } = row
    const moments = [...foldHistory(history.map((event, n) => ({ ...event, position: n + 1, agent, role, taskId })))]
    for (const [n, { event: { at, type, data }, task, summary, effects }] of moments.entries()) {
      console.emit({ event: 'step', taskId, role, agent, step: n + 1, at, type, data, state: task, summary, effects })
    }
    console.print(facts(console, [[role === 'job' ? 'job' : 'task', taskId], ['as', `${role} ${console.verbose ? agent : shortId(agent)}`], ['capability', row.capability]]))
    const begun = history[0]?.at ?? 0
    console.print(`${table(console, ['STEP', 'MS', 'EVENT', 'STATE', 'THEN'], moments.map((moment, n) => [
      String(n + 1), `+${moment.event.at - begun}`, moment.event.type, stateOf(moment), moment.effects.map(effectOf).join(', ')
    ]))}\n`)
    if (console.verbose) for (const [n, { task }] of moments.entries()) console.print(`${n + 1} ${JSON.stringify(task)}`)
    isWhole &&= moments.length === history.length && row.stage === moments.at(-1)?.summary.stage
    if (moments.length < history.length) console.note(`step ${moments.length + 1}, ${history[moments.length]?.type}, cannot be followed: what was before it is missing, or a newer release has written it`)
  }
  return isWhole ? 0 : 1
}

function stateOf ({ summary: { stage, epoch = 0, failure, counterpart } }: Moment): string {
  return [
    failure === undefined ? stage : `${stage} (${failure})`,
    ...(epoch === 0 ? [] : [`epoch ${epoch}`]),
    ...(counterpart === undefined ? [] : [`with ${shortId(counterpart)}`])
  ].join(', ')
}

function effectOf (effect: Moment['effects'][number]): string {
  if (effect.type === 'publish') return `tell its owner: ${effect.event.event}`
  if ('bid' in effect) return `${effect.type} ${shortId(effect.bid.provider)}`
  if ('provider' in effect) return `${effect.type} ${shortId(effect.provider)}`
  if (effect.type === 'changed') return 'tell its owner'
  if ('taskId' in effect) return `${effect.type} ${effect.taskId}`
  return effect.type
}
