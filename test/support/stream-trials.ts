/**
 * Streams of real processes under `kill -9`: a task that streams is followed by two readers while its requester or its provider is killed
 * at a random moment and started again; each reader goes on after the last number that it has. What they read is checked at the end.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectControl } from '../../src/control/client.ts'
import { toJson } from '../../src/control/frames.ts'
import { A2aError } from '../../src/core/errors.ts'
import { streamOf } from '../../src/testing/random.ts'
import { createMesh, type StartedNode } from './processes.ts'
import type { CountOrder } from './streamer.ts'
import type { TaskEvent } from '../../src/core/task.ts'

export interface TrialOptions extends CountOrder {
  times: number
  seed: number
  /** Every so manieth is a job of the queue and not a task. */
  jobsEach: number
  onTrial?: (text: string) => void
}

export interface Tally {
  trials: number
  killed: { requester: number, provider: number }
  /** Kills after which the task was still open. */
  underWay: number
  jobs: number
  /** Told to all readers together, */
  events: number
  artifacts: number
  /** and under contracts that were lost. */
  lost: number
  /** Times that a reader went on after a break. */
  resumed: number
  /** The longest time from one event of a reader to its next, in ms. */
  longestPauseMs: number
  violations: string[]
}

const STREAMER = ['--module', join(import.meta.dirname, 'streamer.ts')]
const COUNT = 'stream.numbers.count'
const TASK_MS = 40_000
const BACK_MS = 50
/** A break that a reader is there for: its node is killed, or is not back yet. */
const BREAKS: ReadonlySet<string> = new Set(['PEER_UNREACHABLE', 'NODE_NOT_RUNNING', 'NO_REPLY'])

export async function streamTrials ({ times, seed, parts, forMs, jobsEach, onTrial }: TrialOptions): Promise<Tally> {
  await using mesh = createMesh()
  const random = streamOf(seed, 'streams')
  const tally: Tally = { trials: 0, killed: { requester: 0, provider: 0 }, underWay: 0, jobs: 0, events: 0, artifacts: 0, lost: 0, resumed: 0, longestPauseMs: 0, violations: [] }
  const nodes = new Map<string, StartedNode>()
  const start = async (name: string): Promise<void> => { nodes.set(name, await mesh.start(name, name === 'asker' ? [] : STREAMER)) }
  await Promise.all(['one', 'two', 'asker'].map(start))
  const home = mesh.home('asker')

  const kill = async (name: string): Promise<void> => {
    const node = nodes.get(name) as StartedNode
    node.signal('SIGKILL')
    await node.process.finished
    await start(name)
  }

  /** Puts it to the node, and has its id when it is on disk there. */
  async function begin (asJob: boolean): Promise<string> {
    const client = await connectControl(home)
    if (client === undefined) throw new Error('the requester is not there')
    const request = { capability: COUNT, input: { parts, forMs } satisfies CountOrder, maxDurationMs: TASK_MS, leaseMs: 3_000 }
    if (asJob) {
      const id = await client.enqueue(request)
      client.close()
      return id
    }
    const events = client.run({ ...request, patient: true })[Symbol.asyncIterator]()
    const { value } = await events.next()
    // Leaving would cancel it: it is read to its end, or to the break.
    void (async () => { while ((await events.next()).done !== true); })().catch(() => {}).finally(() => { client.close() })
    return value.taskId
  }

  /** Reads on over breaks, from the first event to the last. */
  async function follow (taskId: string, onEvent: (event: TaskEvent) => void = () => {}): Promise<TaskEvent[]> {
    const read: TaskEvent[] = []
    const until = performance.now() + TASK_MS + 10_000
    let at: number | undefined
    for (let times = 0; performance.now() < until; times++) {
      const client = await connectControl(home).catch(() => undefined)
      try {
        for await (const event of client?.resume(taskId, { after: read.at(-1)?.seq }) ?? []) {
          const now = performance.now()
          tally.longestPauseMs = Math.max(tally.longestPauseMs, Math.round(now - (at ?? now)))
          at = now
          read.push(event)
          onEvent(event)
        }
        if (client !== undefined) return read
      } catch (error) {
        if (!(error instanceof A2aError) || !BREAKS.has(error.code)) throw error
        tally.resumed++
      } finally {
        client?.close()
      }
      await sleep(BACK_MS)
    }
    return read
  }

  for (let trial = 1; trial <= times; trial++) {
    const asJob = trial % jobsEach === 0
    const victim = random.chance(0.5) ? 'requester' : 'provider'
    const afterMs = random.next() * forMs * 1.05
    const lateMs = random.next() * forMs
    const taskId = await begin(asJob)
    const held = Promise.withResolvers<string>()
    let ended = false
    const first = follow(taskId, event => {
      if (event.event === 'accepted') held.resolve(event.provider)
      if (event.event === 'result' || event.event === 'failed') {
        ended = true
        held.resolve('')
      }
    })
    const second = sleep(lateMs).then(() => follow(taskId))
    const holder = await held.promise
    await sleep(afterMs)
    if (!ended) tally.underWay++
    const [name = 'asker'] = victim === 'requester' ? ['asker'] : [...nodes].flatMap(([name, { agentId }]) => agentId === holder ? [name] : [])
    tally.killed[victim]++
    const [readers] = await Promise.all([Promise.all([first, second]), kill(name)])
    const whole = await follow(taskId)
    tally.trials++
    if (asJob) tally.jobs++
    const faults = faultsOf([...readers, whole], parts)
    tally.events += readers.reduce((sum, events) => sum + events.length, 0)
    const artifacts = whole.filter(({ event }) => event === 'artifact').length
    tally.artifacts += artifacts
    tally.lost += Math.max(0, artifacts - parts)
    for (const fault of faults) tally.violations.push(`trial ${trial}, the ${victim} killed after ${Math.round(afterMs)} ms, ${taskId}: ${fault}`)
    onTrial?.(`${trial}: the ${victim} killed ${Math.round(afterMs)} ms after it was accepted, ${whole.length} events${faults.length === 0 ? '' : `, ${faults.join('; ')}`}`)
  }
  return tally
}

/** What is wrong with what several readers read of one task. */
function faultsOf (readers: TaskEvent[][], parts: number): string[] {
  const faults: string[] = []
  const [reference = []] = readers
  for (const [reader, events] of readers.entries()) {
    const gap = events.findIndex(({ seq }, place) => seq !== place + 1)
    if (gap !== -1) faults.push(`reader ${reader} was told number ${events[gap]?.seq} in place ${gap + 1}`)
    const other = events.findIndex((event, place) => JSON.stringify(toJson(event)) !== JSON.stringify(toJson(reference[place] ?? event)))
    if (other !== -1) faults.push(`reader ${reader} was told another ${events[other]?.event} as number ${other + 1}`)
    if (events.length !== reference.length) faults.push(`reader ${reader} was told ${events.length} events, the first one ${reference.length}`)
    if (events.at(-1)?.event !== 'result') faults.push(`reader ${reader} was told ${JSON.stringify(events.at(-1))?.slice(0, 300)} in the end`)
  }
  // Those of each contract, the last of which is the one that counts.
  let numbers: number[] = []
  for (const event of reference) {
    if (event.event === 'awarded') numbers = []
    if (event.event !== 'artifact') continue
    numbers.push(Number(Buffer.from(event.data).toString()))
    if (numbers.at(-1) !== numbers.length) {
      faults.push(`artifact ${numbers.at(-1)} came in place ${numbers.length} of its contract`)
      break
    }
  }
  if (numbers.length !== parts) faults.push(`the last contract has ${numbers.length} artifacts of ${parts}`)
  return faults
}
