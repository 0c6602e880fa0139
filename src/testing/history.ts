/** What happened in a run, as seen from outside: for the checker, and for people. */
import { createHash } from 'node:crypto'
import type { TaskEvent } from '../core/task.ts'

/** `at` is true time; the clocks of the hosts may differ from it. */
export type Observation = { at: number, host: string } & (
  /** `skewMs`: the clock that its tasks go by is so much ahead of true time, for as long as this process lives. */
  | { what: 'up', skewMs: number }
  /** While a disk fails, nothing can be kept there and so nothing ends. */
  | { what: 'down' | 'frozen' | 'thawed' | 'disk failing' | 'disk well' }
  /** `must`: it was asked when all was well again, so it has to end with a result. `forMs`: how long it may take. */
  | { what: 'asked', taskId: string, must: boolean, forMs: number }
  /** The task is known to be kept: its owner may rely on it. */
  | { what: 'acknowledged', taskId: string }
  /** Its end is on its owner's disk. */
  | { what: 'ended', taskId: string }
  /** `persisted`: what it follows from was on disk by then. */
  | { what: 'awarding', taskId: string, epoch: number, provider: string, persisted: boolean }
  /** A receipt is countersigned. `taken`: as that of the result, not as that of a failure. */
  | { what: 'countersigned', taskId: string, epoch: number, provider: string, taken: boolean, persisted: boolean }
  /** A provider holds the countersignature. */
  | { what: 'settled', taskId: string }
  | { what: 'delivering', taskId: string, epoch: number, persisted: boolean }
  /** A handler begins to work under a contract, and stops. */
  | { what: 'began', taskId: string, epoch: number, run: number, persisted: boolean }
  | { what: 'stopped', taskId: string, epoch: number, run: number }
  /** `life`: which of the host's processes its owner heard it from; each tells the story from its beginning. Absent: only ends are noted. */
  | { what: 'told', taskId: string, life?: number, event: TaskEvent }
)

export type ObservationOf<W extends Observation['what']> = Extract<Observation, { what: W }>

export interface History {
  readonly observations: Observation[]
  observe: (observation: Observation) => void
  /** Something for people only, such as a message under way. */
  note: (host: string, text: string) => void
  /** The whole run, a line each: milliseconds since its start, host, what. */
  lines: () => string[]
  /** SHA-256 of the lines: equal for runs that were equal. */
  hash: () => string
}

export function createHistory (now: () => number): History {
  const start = now()
  const observations: Observation[] = []
  const lines: string[] = []
  const note = (host: string, text: string): void => { lines.push(`${String(now() - start).padStart(6)} ${host} ${text}`) }
  return {
    observations,
    observe: observation => {
      observations.push(observation)
      const { at: _at, host, what, ...facts } = observation
      note(host, `${what}${Object.keys(facts).length === 0 ? '' : ` ${JSON.stringify(facts)}`}`)
    },
    note,
    lines: () => lines,
    hash: () => createHash('sha256').update(lines.join('\n')).digest('hex')
  }
}
