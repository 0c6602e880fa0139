/**
 * A node of the simulator: the real ends of negotiation and the real ledger, on a virtual clock, a log in memory and a
 * simulated network. It can crash (its memory is lost, its disk stays), restart, and freeze (nothing is processed, then
 * everything late).
 */
import { announcementIntake, createAnnouncer } from '../announce/announcer.ts'
import { compileSchema } from '../execute/schema.ts'
import { createSteadyClock } from '../core/clock.ts'
import { createFaultyDisk, type FaultyDisk } from './disk.ts'
import { createLedger, type Ledger } from '../settle/ledger.ts'
import { createFeed } from '../negotiate/work.ts'
import { createProviderEnd, providerMachine, type ProviderEnd, type Service } from '../negotiate/provider.ts'
import { createRequesterEnd, requesterMachine, type RequesterEnd } from '../negotiate/requester.ts'
import { createSeal, verifySeal } from './seals.ts'
import { decodeEnvelope } from '../wire/envelope.ts'
import { DEFAULT_DURATION_MS } from '../core/deadline.ts'
import { hedge } from '../patterns/hedge.ts'
import { hostSimulated, type BuildAgent } from './agents.ts'
import { openReceipt } from '../settle/receipt.ts'
import { streamOf, type Random } from './random.ts'
import type { Delegate } from '../negotiate/accounts.ts'
import type { Candidate } from '../negotiate/calls.ts'
import type { Author } from '../wire/compose.ts'
import type { Clock, EnvelopeHandler, EventLog, Logger } from '../core/ports.ts'
import type { DelegateOptions, TaskContext, Work } from '../core/agent.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Guard } from './guard.ts'
import type { History, Observation } from './history.ts'
import type { Machine } from '../negotiate/book.ts'
import type { Network, Plug } from './network.ts'
import type { ProviderEffect, ProviderEvent, ProviderTask } from '../core/provider.ts'
import type { RequesterEffect, RequesterEvent, RequesterTask } from '../core/requester.ts'
import type { TaskEvent } from '../core/task.ts'
import type { Timeline } from './timeline.ts'

/** Parts to be replaced by worse ones, to see that the checker finds what they do. */
export interface Plants {
  requester?: Machine<RequesterTask, RequesterEvent, RequesterEffect>
  provider?: Machine<ProviderTask, ProviderEvent, ProviderEffect>
  log?: (log: EventLog) => EventLog
  ledger?: (ledger: Ledger) => Ledger
  /** What tasks go by, made of the wall clock. */
  clock?: (wall: Clock) => Clock
}

/** Somebody whom a requester may find: what it ever offered is known of it. */
export interface Known extends Candidate {
  offers: (capability: string) => boolean
}

export interface World {
  seed: number
  timeline: Timeline
  history: History
  network: Network
  guard: Guard
  plants: Plants
  /** Whom a requester finds when it looks. */
  known: Known[]
  /** What goes wrong with a handler that begins now. */
  mishap: (random: Random) => 'throws' | 'hangs' | 'is slow' | undefined
  /** An agent could not be made: the run is worth nothing. */
  unbuilt: (name: string, error: unknown) => void
}

export interface Host extends Known {
  readonly name: string
  readonly disk: FaultyDisk
  boot: () => void
  crash: () => void
  freeze: () => void
  thaw: () => void
  /** Sets its wall clock forward, in ms. */
  setClock: (ms: number) => void
  /** `undefined`: it is down or frozen. */
  delegate: (capability: string, input: unknown, options: DelegateOptions, must?: boolean) => Work | undefined
  cancel: (taskId: string) => void
  peerGone: (peer: string) => void
  /** Everything that the owner of a task was told, as the log has it. */
  eventsOf: (taskId: string) => Promise<TaskEvent[]>
}

export const agentIdOf = (name: string): string => `did:key:z${name}`
export const peerIdOf = (name: string): string => `peer-of-${name}`
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/** One process of a host. */
interface Life {
  number: number
  alive: boolean
  requester: RequesterEnd
  provider: ProviderEnd
  /** Announcements: each once. */
  consider: EnvelopeHandler
  delegate: (must: boolean, ...given: Parameters<Delegate>) => Work
}
type Facts = Observation extends infer O ? O extends Observation ? Omit<O, 'at' | 'host'> : never : never

export function createHost (name: string, build: BuildAgent, world: World): Host {
  const { seed, timeline, history, network, guard, plants } = world
  const [agentId, peer] = [agentIdOf(name), peerIdOf(name)]
  const offered = new Set<string>()
  let [ids, runs, lives, setMs] = [0, 0, 0, 0]
  let life: Life | undefined
  /** What waits for a frozen process. */
  let backlog: Array<() => void> | undefined

  const see = (facts: Facts): void => { history.observe({ at: timeline.now(), host: name, ...facts } as Observation) }
  const row = (role: 'requester' | 'provider', taskId: string) => disk.rows.tasks.get(`${agentId} ${role} ${taskId}`)?.row
  const random = streamOf(seed, name)
  const traces = streamOf(seed, `traces of ${name}`)
  const hex = (digits: number): string => Array.from({ length: digits }, () => traces.between(0, 15).toString(16)).join('')
  const disk = createFaultyDisk({
    committed: events => {
      for (const { role, taskId, type } of events) {
        if (role === 'requester' && type === 'opened') see({ what: 'acknowledged', taskId })
        if (role === 'requester' && row(role, taskId)?.ended === true && !ended.has(taskId)) {
          ended.add(taskId)
          see({ what: 'ended', taskId })
        }
      }
    },
    die: forMs => {
      crash()
      timeline.after(forMs, boot)
    }
  })
  const ended = new Set<string>()

  function boot (): void {
    if (life !== undefined) return
    const mine: Life = life = { number: ++lives, alive: true } as Life
    const whenAwake = (run: () => void): void => {
      if (!mine.alive) return
      if (backlog === undefined) run()
      else backlog.push(() => { if (mine.alive) run() })
    }
    const wall: Clock = {
      now: () => timeline.now() + setMs,
      after: (ms, run) => {
        let cancelled = false
        const stop = timeline.after(ms, () => { whenAwake(() => { if (!cancelled) run() }) })
        return () => { cancelled = true; stop() }
      }
    }
    const newest = Math.max(0, ...[...disk.rows.tasks.values()].filter(({ row }) => !row.ended).map(({ row }) => row.updatedAt))
    const clock = plants.clock?.(wall) ?? createSteadyClock(wall, newest, timeline.now)
    const plain = disk.open(wall, () => mine.alive)
    const log = plants.log?.(plain) ?? plain
    const signer = createSeal(agentId)
    const newId = (): string => `${name}-${String(++ids).padStart(6, '0')}`
    const author: Author = { agentId, newId, now: wall.now }
    const honest = createLedger({ chain: log.chain, signer, clock: wall, newId, verify: verifySeal })
    const ledger = plants.ledger?.(honest) ?? honest
    const plug: Plug = { peerId: peer, agentId, clock: wall, whenAwake, alive: () => mine.alive, handle: (envelope, origin) => receive(mine, envelope, origin) }
    const { wire, publish } = network.plug(plug)
    mine.consider = announcementIntake((envelope, origin) => mine.provider.receive(envelope, origin))
    const gossip = { publish: async (_topic: string, envelope: Envelope) => { publish(envelope) } }
    const announcer = createAnnouncer({ net: { wire, gossip } as unknown as Parameters<typeof createAnnouncer>[0]['net'], clock, logger: SILENT })
    const common = { author, signer, log, clock, logger: SILENT }
    mine.delegate = (must, capability, input, { hedge: hedged, ...options }, lineage, allowance) => {
      // In place of ids that are really random.
      const from = { ...lineage, traceparent: `00-${lineage.traceparent?.slice(3, 35) ?? hex(32)}-${hex(16)}-01` }
      const start = (attempt: DelegateOptions): Work => {
        const work = mine.requester.delegate(capability, input, attempt, from, allowance)
        see({ what: 'asked', taskId: work.taskId, must, forMs: attempt.maxDurationMs ?? DEFAULT_DURATION_MS })
        void follow(mine, work.taskId)
        return work
      }
      return hedged === undefined ? start(options) : hedge({ clock, start, feed: createFeed() }, hedged, options)
    }
    const hosted = hostSimulated({ name, agentId, clock: wall, random, guard, delegate: (...given) => mine.delegate(false, ...given), provided: capability => { offered.add(capability) } })

    mine.requester = createRequesterEnd({
      ...common,
      wire: { ...wire, request: async (to, envelope, options) => { observeAward(mine, envelope); return await wire.request(to, envelope, options) } },
      addresses: () => [],
      candidates: async (capability, { to }) => world.known.filter(({ agentId: id, offers }) => id !== agentId && (to === undefined || to === id) && offers(capability)),
      announce: (envelope, to, { gossip, unreachable }) => { announcer.announce(envelope, to, { gossip: gossip && { topic: 'sim', ...gossip }, unreachable }) },
      checkOutput: async (schema, output) => (await compileSchema(schema))(output),
      openReceipt: statement => openReceipt(statement, undefined, verifySeal),
      settle: ledger.settleAsRequester,
      rttMs: () => undefined
    }, plants.requester ?? requesterMachine)

    mine.provider = createProviderEnd({
      ...common,
      wire: { ...wire, request: async (to, envelope, options) => { observeResult(mine, envelope); return await wire.request(to, envelope, options) } },
      service: (capability, version) => {
        const found = hosted.service(capability, version)
        return found && { ...found, run: watched(mine, found, clock) }
      },
      trusts: async () => true,
      load: () => Math.min(1, (mine.provider.running() + mine.provider.queued()) / 4),
      delegate: (...given) => mine.delegate(false, ...given),
      settle: ledger.settleAsProvider,
      countersigned: (taskId, countersignature) => {
        const kept = ledger.attachCountersignature(taskId, countersignature)
        return { done: kept.done.then(() => { if (mine.alive) see({ what: 'settled', taskId }) }) }
      }
    }, plants.provider ?? providerMachine)

    see({ what: 'up', skewMs: clock.now() - timeline.now() })
    guard.within(name, async () => { await build(hosted.agent, hosted.surroundings) }).catch(error => { world.unbuilt(name, error) })
    mine.provider.recover()
    mine.requester.recover()
    for (const { row: { taskId, role, ended } } of disk.rows.tasks.values()) if (role === 'requester' && !ended) void follow(mine, taskId)
  }

  async function receive (to: Life, envelope: Envelope, origin: { peer: string }): Promise<Envelope | undefined> {
    const end = TO_REQUESTER.has(envelope.type) ? to.requester : to.provider
    const reply = envelope.type === 'task.announce' ? await to.consider(envelope, origin) : await end.receive(envelope, origin)
    if (to.alive && reply?.type === 'task.settled') observeAnswer(envelope, reply)
    return reply
  }

  function observeAward (mine: Life, { type, correlationId: taskId, to, epoch = 0 }: Envelope): void {
    if (!mine.alive || type !== 'task.award') return
    see({ what: 'awarding', taskId, epoch, provider: to ?? '', persisted: (row('requester', taskId)?.epoch ?? 0) >= epoch })
  }

  function observeResult (mine: Life, { type, correlationId: taskId, epoch = 0 }: Envelope): void {
    if (!mine.alive || type !== 'task.result') return
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

  /** A handler as the checker sees it, and what goes wrong with it. */
  const watched = (mine: Life, service: Service, clock: Clock): Service['run'] => async (input, context) => {
    if (!mine.alive) return await new Promise(() => {})
    const [run, { taskId, epoch }] = [++runs, context]
    see({ what: 'began', taskId, epoch, run, persisted: (row('provider', taskId)?.epoch ?? 0) >= epoch })
    try {
      await strike(context, clock)
      return await service.run(input, context)
    } finally {
      if (mine.alive) see({ what: 'stopped', taskId, epoch, run })
    }
  }

  async function strike ({ signal }: TaskContext, clock: Clock): Promise<void> {
    const mishap = world.mishap(random)
    if (mishap === 'throws') throw new Error('the simulator had it throw')
    if (mishap === 'hangs') await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true }) })
    if (mishap === 'is slow') await new Promise<void>(resolve => { clock.after(random.between(200, 3_000), resolve) })
  }

  async function follow (mine: Life, taskId: string): Promise<void> {
    for await (const event of mine.requester.attach(taskId) ?? []) if (mine.alive) see({ what: 'told', taskId, life: mine.number, event })
  }

  function crash (): void {
    if (life === undefined) return
    life.alive = false
    life = undefined
    backlog = undefined
    see({ what: 'down' })
  }

  return {
    name, agentId, peer, addresses: [], disk, boot, crash,
    offers: capability => offered.has(capability.split('@')[0] ?? ''),
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
    setClock: ms => { setMs += ms },
    delegate: (capability, input, options, must = false) => {
      if (life === undefined || backlog !== undefined) return undefined
      return life.delegate(must, capability, input, options, { depth: 0, visited: [agentId] })
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
