/** What the logs of a run's processes say when all have ended, held to the promises of the simulator. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { stepRequester } from '../../src/core/requester.ts'
import { replayTask } from '../../src/negotiate/replay.ts'
import { readJob } from '../../src/queue/letters.ts'
import { openEventLog } from '../../src/store/event-log.ts'
import { check, evidenceOf, type Broken, type Observation, type TaskOutcome, type Witness } from '../../src/testing/index.ts'
import { wasAwarded } from '../../src/testing/outcomes.ts'
import { readingsOf, type Readings } from './readings.ts'
import type { Job } from '../../src/core/job.ts'

/** A handler began to work under a contract, or did what it was asked to. */
export interface Effect { at: number, host: string, taskId: string, epoch: number }

/** What the leader saw beside the logs. Times in ms. */
export interface Seen {
  observations: Observation[]
  begun: Effect[]
  /** When the network was not whole. */
  breaks: Array<{ from: number, to: number }>
  /** Parts of the run, each until the next begins. */
  parts: Array<{ name: string, from: number }>
  /** What was put into queues, and by whom. */
  jobs: Array<{ host: string, jobId: string }>
}

export interface Outcome extends Readings {
  broken: Broken[]
}

export async function judge (members: ReadonlyArray<{ host: string, home: string, effects: string }>, seen: Seen, { faults, setsClocks = false }: { faults: number, setsClocks?: boolean }): Promise<Outcome> {
  const logs = await Promise.all(members.map(async ({ host, home }): Promise<Witness> => ({ host, log: await openEventLog({ file: join(home, 'log.db'), clock: systemClock }) })))
  try {
    const { observations, remains } = evidenceOf(logs)
    const all = [...observations, ...seen.observations].sort((a, b) => a.at - b.at)
    const jobs = seen.jobs.map(({ host, jobId }): Job | undefined => {
      const { log } = logs.find(witness => witness.host === host) ?? {}
      return log === undefined ? undefined : readJob(log, jobId)?.job
    })
    const effects = members.flatMap(member => linesOf(member.effects))
    return {
      ...readingsOf({ observations: all, tasks: remains.flatMap(({ tasks }) => tasks), effects, begun: seen.begun, breaks: seen.breaks, parts: seen.parts, jobs, fenced: logs.flatMap(lateResults).length, faults }),
      // Requesters are waited for, and providers only for a moment.
      broken: [...check(all, remains, { quiet: false }).filter(each => !(setsClocks && isOfClocks(each))), ...strangers(remains.flatMap(({ tasks }) => tasks))]
    }
  } finally {
    await Promise.all(logs.map(({ log }) => log.close()))
  }
}

/** Results that were refused for they came under an award that was over, also after the end of the task, as long as its requester keeps it. */
function lateResults ({ host, log }: Witness): string[] {
  const agent = `did:key:z${host}`
  return log.tasks({ agent, role: 'requester' }).flatMap(({ taskId }) => {
    const events = log.eventsOf('requester', taskId).filter(event => event.agent === agent)
    return (replayTask(taskId, events, stepRequester)?.events ?? []).flatMap(event => event.event === 'fenced' && event.what === 'result' ? [taskId] : [])
  })
}

/** Who has a wrong clock is refused for it, and who is right is refused by those. */
const isOfClocks = ({ promise, why }: Broken): boolean => promise === 'fair' && why.includes('check the clocks of both machines')

/** Results that were not made by whoever holds the contract. */
function strangers (tasks: readonly TaskOutcome[]): Broken[] {
  return tasks.flatMap(({ taskId, events, output }): Broken[] => {
    const end = events.at(-1)
    if (end?.event !== 'result') return []
    const { by, epoch } = output as { by?: string, epoch?: number }
    return `did:key:z${by}` === end.provider && wasAwarded(events, end.provider, epoch) ? [] : [{ promise: 'own', why: `${taskId}: the result says it was made by ${by} in epoch ${epoch}, the holder is ${end.provider} in ${end.epoch}` }]
  })
}

/** A line that a killed process did not finish is none. */
function linesOf (file: string): Effect[] {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(0, -1).map(line => JSON.parse(line) as Effect)
  } catch {
    return []
  }
}
