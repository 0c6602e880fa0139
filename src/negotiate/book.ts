/**
 * Drives one state machine for all tasks of an agent: an event is stepped, persisted, and only then acted on. Events of a
 * task keep their order; the log's group commit keeps them cheap.
 */
import { messageOf } from '../core/errors.ts'
import type { Clock, EventLog, Logger, Role, TaskSummary } from '../core/ports.ts'

export interface Machine<T, E extends { type: string, at: number }, F> {
  role: Role
  step: (task: T, event: E) => { task: T, effects: F[] }
  wakeAt: (task: T) => number | undefined
  tick: (at: number, task: T) => E
  summarise: (task: T) => TaskSummary
  /** Events that are not worth a write: they can be lost with the process. `changed`: whether the task is another after it. */
  passing: (event: E, changed: boolean, effects: F[]) => boolean
  /** How long an event may wait for others to be kept with: 0 unless it leads to nothing but itself. See PATIENCE. */
  patienceMs: (event: E) => number
}

export interface BookParts<T, E, F> {
  agentId: string
  log: EventLog
  clock: Clock
  logger: Logger
  /** Acts on an effect, once its event is on disk. `at`: when that happened, in ms since the epoch. */
  perform: (taskId: string, effect: F, task: T, at: number) => void
  /**
   * An effect that is only a decision of our own, as the event that it comes to. That event is not performed but stepped at
   * once: both are written in one commit, and what follows from them is acted on after it.
   */
  decide?: (taskId: string, effect: F, task: T) => E | undefined
  /** Told of each state a task enters, at once. */
  entered?: (taskId: string, task: T) => void
  /**
   * A write has failed, and something was built on it since, or was being written: has the task taken up again as the log has
   * it, as after a restart.
   */
  takeUp: (taskId: string) => void
  /** A task has ended, and its end is kept: what was needed for it beside the book can go. It may be told more than once. */
  onEnd?: (taskId: string) => void
}

export interface Book<T, E, F> {
  get: (taskId: string) => T | undefined
  /** Enters a task with its first event. Rejects with LOG_WRITE_FAILED, and then the task is not there. */
  open: (taskId: string, first: { task: T, effects: F[] }, event: E) => Promise<F[]>
  /** What follows from an event, at once; `done` resolves when it is persisted and acted on. */
  apply: (taskId: string, event: E) => { effects: F[], done: Promise<void> }
  /** Enters a task that was folded from the log. */
  restore: (taskId: string, task: T, effects: F[]) => void
  /** Tasks that have not ended. */
  active: () => Array<[taskId: string, task: T]>
  close: () => void
}

/** Ended tasks kept in memory, so that late messages meet their end state without a look into the log: about 1 KB each. */
const KEEP_ENDED = 1_000
/** When the disk refused a timer's event, it is tried again after this. */
const RETRY_MS = 500

export function createBook<T, E extends { type: string, at: number }, F> (machine: Machine<T, E, F>, { agentId, log, clock, logger, perform, decide, entered, takeUp, onEnd }: BookParts<T, E, F>): Book<T, E, F> {
  const tasks = new Map<string, T>()
  const ended: string[] = []
  const timers = new Map<string, () => void>()
  /** Writes of each task under way, how many there were at once, and why one of them failed. */
  const writing = new Map<string, { count: number, most: number, failed?: unknown }>()
  let closed = false

  /** Waits for writes of a task. Throws when one of them failed, or one before them that is not dealt with yet. */
  const written = async (taskId: string, writes: Array<Promise<unknown>>): Promise<void> => {
    const way = writing.get(taskId) ?? { count: 0, most: 0 }
    writing.set(taskId, way)
    way.count++
    way.most = Math.max(way.most, way.count)
    const failed = (await Promise.allSettled(writes)).find(outcome => outcome.status === 'rejected')
    way.count--
    if (failed !== undefined) way.failed ??= failed.reason
    if (way.failed !== undefined) throw way.failed
    if (way.count === 0) writing.delete(taskId)
  }

  /** After a failed write: what is not on disk has not happened. */
  const undo = (taskId: string, task: T, before: T): void => {
    const way = writing.get(taskId)
    if (way === undefined || way.count > 0) return
    writing.delete(taskId)
    if (way.most === 1 && tasks.get(taskId) === task) {
      if (task !== before) enter(taskId, before)
    } else takeUp(taskId)
  }

  /** One event, and where it led. */
  interface Stepped { event: E, task: T, effects: F[], changed: boolean }

  const persist = async (taskId: string, steps: Stepped[]): Promise<void> => {
    const patienceMs = Math.min(...steps.map(({ event }) => machine.patienceMs(event)))
    const writes = steps.filter(({ event, changed, effects }) => !machine.passing(event, changed, effects)).map(({ event, task }) => {
      const { type, at, ...data } = event
      return log.append({ at, agent: agentId, role: machine.role, taskId, type, data }, machine.summarise(task), { patienceMs })
    })
    if (writes.length > 0) await written(taskId, writes)
    const now = tasks.get(taskId) ?? steps.at(-1)?.task
    if (now !== undefined && machine.wakeAt(now) === undefined) onEnd?.(taskId)
    if (closed) return
    for (const { event, effects, task } of steps) for (const effect of effects) perform(taskId, effect, task, event.at)
  }

  /** An event, and the decisions that it leads to. */
  const stepAll = (taskId: string, before: T, first: E): Stepped[] => {
    const steps: Stepped[] = []
    let task = before
    for (const events = [first]; events.length > 0;) {
      const event = events.shift() as E
      const next = machine.step(task, event)
      const changed = next.task !== task
      if (!changed && next.effects.length === 0) continue
      task = next.task
      const effects = next.effects.filter(effect => {
        const decision = decide?.(taskId, effect, task)
        if (decision !== undefined) events.push(decision)
        return decision === undefined
      })
      steps.push({ event, task, effects, changed })
    }
    return steps
  }

  const enter = (taskId: string, task: T): void => {
    const before = tasks.get(taskId)
    const hadEnded = before !== undefined && machine.wakeAt(before) === undefined
    tasks.set(taskId, task)
    entered?.(taskId, task)
    timers.get(taskId)?.()
    timers.delete(taskId)
    const at = machine.wakeAt(task)
    if (at === undefined) return hadEnded ? undefined : forgetLater(taskId)
    if (!closed) timers.set(taskId, clock.after(Math.max(0, at - clock.now()), () => { wake(taskId) }))
  }

  const wake = (taskId: string): void => {
    timers.delete(taskId)
    const task = tasks.get(taskId)
    if (closed || task === undefined) return
    const at = machine.wakeAt(task)
    if (at === undefined) return
    // Timers may fire a little early.
    if (at > clock.now()) return enter(taskId, task)
    apply(taskId, machine.tick(clock.now(), task)).done.catch(error => {
      logger.error('could not keep a task going', { taskId, why: messageOf(error) })
      if (!closed) timers.set(taskId, clock.after(RETRY_MS, () => { wake(taskId) }))
    })
  }

  const forgetLater = (taskId: string): void => {
    ended.push(taskId)
    while (ended.length > KEEP_ENDED) {
      const oldest = ended.shift()
      const task = oldest === undefined ? undefined : tasks.get(oldest)
      if (oldest !== undefined && task !== undefined && machine.wakeAt(task) === undefined) tasks.delete(oldest)
    }
  }

  const apply = (taskId: string, event: E): { effects: F[], done: Promise<void> } => {
    const before = tasks.get(taskId)
    if (before === undefined || closed) return { effects: [], done: Promise.resolve() }
    const failed = writing.get(taskId)?.failed
    // It stands on what was not written: nothing is built on that.
    if (failed !== undefined) return { effects: [], done: Promise.reject(failed) }
    const steps = stepAll(taskId, before, event)
    const task = steps.at(-1)?.task ?? before
    // An ended task that answers once more has not ended once more.
    if (task !== before) enter(taskId, task)
    return {
      effects: steps.flatMap(({ effects }) => effects),
      done: steps.length === 0 ? Promise.resolve() : persist(taskId, steps).catch(error => {
        undo(taskId, task, before)
        throw error
      })
    }
  }

  return {
    get: taskId => tasks.get(taskId),
    open: async (taskId, { task, effects }, event) => {
      enter(taskId, task)
      try {
        await persist(taskId, [{ event, task, effects, changed: true }])
      } catch (error) {
        writing.delete(taskId)
        timers.get(taskId)?.()
        timers.delete(taskId)
        tasks.delete(taskId)
        throw error
      }
      return effects
    },
    apply,
    restore: (taskId, task, effects) => {
      enter(taskId, task)
      for (const effect of effects) perform(taskId, effect, task, clock.now())
    },
    active: () => [...tasks].filter(([, task]) => machine.wakeAt(task) !== undefined),
    close: () => {
      closed = true
      for (const cancel of timers.values()) cancel()
      timers.clear()
    }
  }
}
