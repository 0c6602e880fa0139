/**
 * A node of the simulator: the real ends of negotiation on a virtual clock, a log in memory and a simulated network. It can
 * crash (its memory is lost, its disk stays), restart, and freeze (nothing is processed, then everything late).
 */
import { announcementIntake, createAnnouncer } from '../announce/announcer.ts'
import { createMemoryDisk, createMemoryLog, type MemoryDisk } from '../store/memory.ts'
import { createProviderEnd, providerMachine, type ProviderEnd, type Service } from '../negotiate/provider.ts'
import { createRequesterEnd, requesterMachine, type RequesterEnd } from '../negotiate/requester.ts'
import { createSeal, createSealedLedger, openSealed } from './seals.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import type { Machine } from '../negotiate/book.ts'
import type { Candidate } from '../negotiate/calls.ts'
import type { DelegateOptions, TaskContext } from '../core/agent.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, EventLog, Logger } from '../core/ports.ts'
import type { ProviderEffect, ProviderEvent, ProviderTask } from '../core/provider.ts'
import type { RequesterEffect, RequesterEvent, RequesterTask } from '../core/requester.ts'
import type { TaskEvent } from '../core/task.ts'
import type { Author } from '../wire/compose.ts'
import type { History, Observation } from './history.ts'
import type { Network, Plug } from './network.ts'
import type { Random } from './random.ts'
import type { Timeline } from './timeline.ts'

/** Parts to be replaced by worse ones, to see that the checker finds what they do. */
export interface Plants {
  requester?: Machine<RequesterTask, RequesterEvent, RequesterEffect>
  provider?: Machine<ProviderTask, ProviderEvent, ProviderEffect>
  log?: (log: EventLog) => EventLog
}

export interface World {
  timeline: Timeline
  random: Random
  history: History
  network: Network
  plants: Plants
  /** Whom a requester finds when it looks. */
  candidates: () => Candidate[]
  /** Chance that a process dies right after an event was persisted, before anything follows from it. */
  fatalWrites: () => number
  /** What handlers do. Resolves to the output. */
  work: (host: string, input: unknown, context: TaskContext, clock: Clock) => Promise<unknown>
}

export interface Host extends Candidate {
  readonly name: string
  /** Its clock is ahead of true time by this much, in ms. */
  readonly skewMs: number
  readonly disk: MemoryDisk
  up: () => boolean
  boot: () => void
  crash: () => void
  freeze: () => void
  thaw: () => void
  delegate: (capability: string, input: unknown, options: DelegateOptions, must: boolean) => void
  cancel: (taskId: string) => void
  peerGone: (peer: string) => void
  /** Everything that the owner of a task was told, as the log has it. */
  eventsOf: (taskId: string) => Promise<TaskEvent[]>
}

export const CAPABILITY = 'sim.work'
export const agentIdOf = (name: string): string => `did:key:z${name}`
export const peerIdOf = (name: string): string => `peer-of-${name}`
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const COMMIT_MS = 3

/** One process of a host. */
interface Life { alive: boolean, requester: RequesterEnd, provider: ProviderEnd }

export function createHost (name: string, skewMs: number, world: World): Host {
  const { timeline, random, history, network } = world
  const [agentId, peer] = [agentIdOf(name), peerIdOf(name)]
  const disk = createMemoryDisk()
  let ids = 0
  let runs = 0
  let life: Life | undefined
  /** What waits for a frozen process. */
  let backlog: Array<() => void> | undefined

  const see = (observation: Observation extends infer O ? O extends Observation ? Omit<O, 'at' | 'host'> : never : never): void => {
    history.observe({ at: timeline.now(), host: name, ...observation } as Observation)
  }
  const row = (role: 'requester' | 'provider', taskId: string) => disk.tasks.get(`${agentId} ${role} ${taskId}`)?.row

  function boot (): void {
    if (life !== undefined) return
    const mine: Life = life = { alive: true } as Life
    const whenAwake = (run: () => void): void => {
      if (!mine.alive) return
      if (backlog === undefined) run()
      else backlog.push(() => { if (mine.alive) run() })
    }
    const clock: Clock = {
      now: () => timeline.now() + skewMs,
      after: (ms, run) => {
        let cancelled = false
        const stop = timeline.after(ms, () => { whenAwake(() => { if (!cancelled) run() }) })
        return () => { cancelled = true; stop() }
      }
    }
    const log = keep(createMemoryLog({ clock, commitMs: COMMIT_MS, disk }), mine)
    const signer = createSeal(agentId)
    const author: Author = { agentId, newId: () => `${name}-${String(++ids).padStart(6, '0')}`, now: clock.now }
    const ledger = createSealedLedger(log, author, signer)
    const plug: Plug = { peerId: peer, agentId, clock, whenAwake, alive: () => mine.alive, handle: (envelope, origin) => receive(mine, envelope, origin) }
    const { wire, publish } = network.plug(plug)
    const consider = announcementIntake((envelope, origin) => mine.provider.receive(envelope, origin))
    const gossip = { publish: async (_topic: string, envelope: Envelope) => { publish(envelope) } }
    const announcer = createAnnouncer({ net: { wire, gossip } as unknown as Parameters<typeof createAnnouncer>[0]['net'], clock, logger: SILENT })
    const common = { author, signer, log, clock, logger: SILENT }

    mine.requester = createRequesterEnd({
      ...common,
      wire: { ...wire, request: async (to, envelope, options) => { observeAward(envelope); return await wire.request(to, envelope, options) } },
      addresses: () => [],
      candidates: async (_capability, { to }) => world.candidates().filter(({ agentId: id }) => id !== agentId && (to === undefined || to === id)),
      announce: (envelope, to, { gossip, unreachable }) => { announcer.announce(envelope, to, { gossip: gossip && { topic: 'sim', ...gossip }, unreachable }) },
      checkOutput: async (_schema, output) => (output as { right?: boolean }).right === true ? undefined : 'it is wrong',
      openReceipt: openSealed,
      settle: ledger.settleAsRequester,
      rttMs: () => undefined
    }, world.plants.requester ?? requesterMachine)

    mine.provider = createProviderEnd({
      ...common,
      wire: { ...wire, request: async (to, envelope, options) => { observeResult(envelope); return await wire.request(to, envelope, options) } },
      service: capability => capability === CAPABILITY ? service(mine, clock) : undefined,
      trusts: async () => true,
      load: () => Math.min(1, mine.provider.running() / 4),
      delegate: (...given) => mine.requester.delegate(...given),
      settle: ledger.settleAsProvider,
      countersigned: taskId => {
        see({ what: 'settled', taskId })
        return { done: Promise.resolve() }
      }
    }, world.plants.provider ?? providerMachine)

    see({ what: 'up' })
    async function receive (to: Life, envelope: Envelope, origin: { peer: string }): Promise<Envelope | undefined> {
      const reply = envelope.type === 'task.announce' ? await consider(envelope, origin)
        : await (TO_REQUESTER.has(envelope.type) ? to.requester : to.provider).receive(envelope, origin)
      if (to.alive && reply?.type === 'task.settled') observeAnswer(envelope, reply)
      return reply
    }
    mine.provider.recover()
    mine.requester.recover()
    for (const { row: { taskId, role, ended } } of disk.tasks.values()) if (role === 'requester' && !ended) void follow(mine, taskId)
  }

  /** The log, and the chance to die right after a write. */
  function keep (log: EventLog, mine: Life): EventLog {
    const { plants: { log: worse }, fatalWrites } = world
    const plain: EventLog = {
      ...log,
      append: async (event, summary, options) => {
        if (!mine.alive) return await new Promise<never>(() => {})
        const kept = await log.append(event, summary, options)
        if (event.type === 'opened' && mine.alive) see({ what: 'acknowledged', taskId: event.taskId })
        if (mine.alive && random.chance(fatalWrites())) {
          crash()
          timeline.after(random.between(50, 1_500), boot)
        }
        return kept
      }
    }
    return worse?.(plain) ?? plain
  }

  function observeAward ({ type, correlationId: taskId, to, epoch = 0 }: Envelope): void {
    if (life === undefined || type !== 'task.award') return
    see({ what: 'awarding', taskId, epoch, provider: to ?? '', persisted: (row('requester', taskId)?.epoch ?? 0) >= epoch })
  }

  function observeResult ({ type, correlationId: taskId, epoch = 0 }: Envelope): void {
    if (life === undefined || type !== 'task.result') return
    const kept = row('provider', taskId)
    see({ what: 'delivering', taskId, epoch, persisted: kept?.stage !== 'working' || (kept.epoch ?? 0) > epoch })
  }

  function observeAnswer (result: Envelope, { payload }: Envelope): void {
    const { from: provider, correlationId: taskId, epoch = 0 } = result
    const { payload: answer } = decodeEnvelope(Buffer.from((payload as { countersignature: string }).countersignature, 'base64url'))
    const taken = (answer as { accepted: boolean }).accepted && (result.payload as { outcome: string }).outcome === 'completed'
    const kept = row('requester', taskId)
    see({ what: 'countersigned', taskId, epoch, provider, taken, persisted: !taken || (kept?.stage === 'settled' && kept.epoch === epoch) })
  }

  const service = (mine: Life, clock: Clock): Service => ({
    capability: CAPABILITY, version: 1, public: true, maxConcurrent: 4,
    bid: async () => ({ cost: random.between(1, 12), durationMs: random.chance(0.5) ? random.between(50, 800) : undefined, confidence: 0.5 }),
    run: async (input, context) => {
      if (!mine.alive) return await new Promise(() => {})
      const [run, { taskId, epoch }] = [++runs, context]
      see({ what: 'began', taskId, epoch, run, persisted: (row('provider', taskId)?.epoch ?? 0) >= epoch })
      try {
        return await world.work(name, input, context, clock)
      } finally {
        if (mine.alive) see({ what: 'stopped', taskId, epoch, run })
      }
    }
  })

  async function follow (mine: Life, taskId: string): Promise<void> {
    for await (const event of mine.requester.attach(taskId) ?? []) if (mine.alive) see({ what: 'told', taskId, event })
  }

  function crash (): void {
    if (life === undefined) return
    life.alive = false
    life = undefined
    backlog = undefined
    see({ what: 'down' })
  }

  return {
    name, agentId, peer, addresses: [], skewMs, disk, boot, crash,
    up: () => life !== undefined && backlog === undefined,
    freeze: () => {
      if (life === undefined || backlog !== undefined) return
      backlog = []
      see({ what: 'frozen' })
    },
    thaw: () => {
      const late = backlog
      if (late === undefined) return
      backlog = undefined
      see({ what: 'thawed' })
      for (const run of late) timeline.after(0, run)
    },
    delegate: (capability, input, options, must) => {
      if (life === undefined || backlog !== undefined) return
      const { taskId } = life.requester.delegate(capability, input, options, { depth: 0, visited: [agentId] })
      see({ what: 'asked', taskId, must })
      void follow(life, taskId)
    },
    cancel: taskId => { if (backlog === undefined) life?.requester.cancel(taskId, 'its owner changed its mind').catch(() => {}) },
    peerGone: gone => { if (backlog === undefined) life?.requester.peerGone(gone, 'connection refused') },
    eventsOf: async taskId => {
      const events: TaskEvent[] = []
      const feed = life?.requester.attach(taskId)
      if (feed === undefined) return events
      void (async () => { for await (const event of feed) events.push(event) })()
      await new Promise(resolve => { setImmediate(resolve) })
      return events
    }
  }
}

const TO_REQUESTER: ReadonlySet<string> = new Set(['task.bid', 'task.pass', 'task.heartbeat', 'task.progress', 'task.artifact', 'task.input-required', 'task.result'])
