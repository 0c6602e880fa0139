/**
 * One peer we have channels with: who speaks there, its bounds, and the way of each frame from the stream to its handler.
 */
import type { PeerId, Stream } from '@libp2p/interface'
import { A2aError, messageOf, type Failure } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Logger, Speaker } from '../core/ports.ts'
import type { MessageName, Payload } from '../wire/messages.ts'
import { createBudget } from './budget.ts'
import { createChannel, type Channel, type Queued, type Sending } from './channel.ts'
import { didOfPeer, fitting, helloPayload, morePayload, nodeEnvelope } from './hello.ts'
import { checkDirect, type Refused } from './intake.ts'
import { CHANNEL, OFFENCES, TOLLS, TRIM } from './limits.ts'
import { keepAlive } from './liveness.ts'
import type { Replies } from './replies.ts'
import type { Router } from './router.ts'
import { createSpeakers, type Speakers } from './speakers.ts'
import { createSlice } from './slice.ts'
import type { UserProof } from './user-key.ts'

/** What all peers share. */
export interface PeerParts {
  /** Our own peer id, and the did:key that it is. */
  self: string
  selfDid: string
  credentials: () => Uint8Array[]
  userProof: UserProof
  router: Router
  replies: Replies
  clock: Clock
  wall: Clock
  logger: Logger
  /** Counts a refused message. */
  count: (code: string) => void
  /** How many peers there are. */
  peers: () => number
}

export interface PeerEvents {
  /** Its first hello has arrived. */
  onGreeted: () => void
  /** Other agents speak there than before. */
  onChanged: () => void
  /** Its last channel is gone. `parted`: one side did not need it any more. */
  onGone: (why: string, parted: boolean) => void
  /** It does too much harm. */
  onUnwanted: (why: string) => void
}

export interface Peer {
  readonly id: string
  /** The same as libp2p has it, who need not read it from the text each time. */
  readonly peerId: PeerId
  /** `onDead`: it does not answer there any more. */
  add: (stream: Stream, onDead: (why: string) => void) => void
  /** Whether there is a channel to write to. */
  ready: () => boolean
  /** Like Channel.send. */
  send: (envelope: Envelope, options: Sending) => Queued | undefined
  /** Like Channel.takeBack. */
  takeBack: (message: Queued) => boolean
  greet: () => void
  greeted: () => boolean
  speakers: () => readonly Speaker[]
  sameUser: () => boolean
  rttMs: () => number | undefined
  /** Something may be read that could not be before. */
  readOn: () => void
  /** When something was last said that is not about the channel itself, in ms since the epoch. */
  usedAt: () => number
  close: (why: string) => void
  /** Ends it with a farewell. */
  part: (signal: AbortSignal) => Promise<void>
}

/** Messages that only keep a channel. */
const IDLE_TALK: ReadonlySet<string> = new Set<MessageName>(['hello', 'hello.more', 'ping', 'ack'])

/** One of its streams. */
interface Line {
  channel: Channel
  greeted: boolean
  /** Who speaks there. */
  speakers: Speakers
  /** It takes news, without all it knows already. */
  takesMore: boolean
  /** The credentials it has been told, the very arrays. */
  told: ReadonlySet<Uint8Array>
  stop: () => void
}

/** Questions whose answers are work, and large. */
const QUERIES: ReadonlySet<string> = new Set<MessageName>(['advert.query', 'advert.survey', 'advert.sync'])
/** Refusals that say nothing against the sender: it may be newer, or we were slow. */
const NO_OFFENCE: ReadonlySet<string> = new Set<Failure['code']>(['MESSAGE_UNKNOWN', 'NO_REPLY', 'OVERLOADED'])

export function createPeer (peerId: PeerId, parts: PeerParts, events: PeerEvents): Peer {
  const id = peerId.toString()
  const { self, selfDid, router, replies, clock, wall, logger } = parts
  const did = didOfPeer(id)
  const frames = createBudget(CHANNEL.framesPerSecond, CHANNEL.frameBurst, clock.now)
  const answers = createBudget(OFFENCES.answersPerSecond, OFFENCES.answersPerSecond, clock.now)
  const lines = new Set<Line>()
  let sameUser = false
  let greeted = false
  let rttMs: number | undefined
  let working = 0
  const parked: Array<{ envelope: Envelope, line: Line, bytes: number, places: number }> = []
  let parkedBytes = 0
  let unparking = false
  let overdrawn = false
  let usedAt = clock.now()
  const slice = createSlice(CHANNEL.sliceMs, readOn)
  let offences = { count: 0, since: 0 }

  const speakers = (): readonly Speaker[] => {
    const [first, ...others] = [...lines].map(line => line.speakers.all())
    return others.length === 0 ? first ?? [] : [...new Map([first ?? [], ...others].flat().map(speaker => [speaker.agentId, speaker])).values()]
  }

  function speaks (agent: string, type: string): boolean {
    if (agent === did) return !type.startsWith('task.')
    for (const line of lines) if (line.speakers.speaks(agent)) return true
    return false
  }

  /**
   * Reading stops while too many handlers work for this peer. But when we wait for replies from it, they must get
   * through: a handler may be what waits for them. What comes before them then waits here.
   */
  const mayRead = (): boolean => !overdrawn && slice.left() && (working < CHANNEL.handlers || (replies.waiting(id) > 0 && parkedBytes < CHANNEL.parkedBytes))

  function readOn (): void {
    for (const { channel } of lines) channel.readOn()
  }

  function add (stream: Stream, onDead: (why: string) => void): void {
    const openedAt = performance.now()
    const line: Line = {
      greeted: false,
      speakers: createSpeakers({ peer: id, clock: wall, refuse: error => { refuse({ error, isReply: true }, line) } }),
      takesMore: false,
      told: new Set(),
      stop: () => {},
      channel: createChannel({
        stream,
        peer: id,
        mayRead: () => mayRead() && !line.speakers.checking(),
        onFrame: bytes => { take(bytes, line) },
        onGarbage: ({ code, message }) => {
          parts.count(code)
          logger.debug('a channel was reset: its bytes are no frames', { peer: id, why: message })
        },
        onClosed: (why, parted) => { drop(line, why, parted) },
        clock
      })
    }
    lines.add(line)
    hello(line)
    const cancelHello = clock.after(CHANNEL.helloMs, () => { if (!line.greeted) line.channel.abort('it did not say hello') })
    const stopPings = keepAlive({
      clock,
      // What a node spends on asking those of its machine stays the same with many of them.
      idleMs: () => sameUser ? CHANNEL.idleMs * Math.min(CHANNEL.idleTimes, Math.max(1, parts.peers() / CHANNEL.idlePeers)) : CHANNEL.idleMs,
      heardAt: () => line.channel.heardAt(),
      // In a crowd most connections end before it is of use.
      wanted: () => line.greeted && rttMs === undefined && !(sameUser && parts.peers() > TRIM.kept),
      ping: () => ping(line),
      onDead () {
        const why = 'it does not answer'
        onDead(why)
        line.channel.abort(why)
      }
    })
    line.stop = () => {
      cancelHello()
      stopPings()
    }

    function take (bytes: Uint8Array, line: Line): void {
      spend(1)
      const checked = checkDirect(bytes, id, speaks, wall)
      if ('refused' in checked) { refuse(checked.refused, line); return }
      const { envelope } = checked
      if (!IDLE_TALK.has(envelope.type)) usedAt = clock.now()
      if (QUERIES.has(envelope.type)) spend(TOLLS.query)
      else if (envelope.auth !== undefined && !sameUser) spend(TOLLS.signed)
      if (envelope.type === 'hello') {
        if (!line.greeted && line.channel.ours) rttMs = performance.now() - openedAt
        line.greeted = true
        greetedBy(envelope.payload as Payload<'hello'>, line)
      } else if (!line.greeted) {
        parts.count('MESSAGE_MALFORMED')
        line.channel.abort('it spoke before it said hello')
      } else if (envelope.type === 'hello.more') {
        hear(line, envelope.payload as Payload<'hello.more'>, false)
      } else if (!replies.settle(id, envelope)) {
        const places = Math.max(QUERIES.has(envelope.type) ? TOLLS.queryPlaces : 1, Math.ceil(bytes.length / TOLLS.bytesPerPlace))
        if (working < CHANNEL.handlers) work(envelope, line, places)
        else {
          parked.push({ envelope, line, bytes: bytes.length, places })
          parkedBytes += bytes.length
        }
      }
    }
  }

  function spend (count: number): void {
    frames.take(count)
    if (overdrawn || frames.waitMs(1) === 0) return
    overdrawn = true
    clock.after(frames.waitMs(CHANNEL.framesPerSecond / 10), () => {
      overdrawn = false
      readOn()
    })
  }

  /** The place of a message at work is given back only when the peer has taken the reply: who does not read is not read. */
  function work (envelope: Envelope, line: Line, places: number): void {
    working += places
    const answer = router.answer(envelope, { peer: id })
    if (answer instanceof Promise) void answer.then(reply => { giveBack(reply, envelope, line, places) })
    else giveBack(answer, envelope, line, places)
  }

  function giveBack (reply: Envelope | undefined, envelope: Envelope, { channel }: Line, places: number): void {
    if (reply === undefined) { done(places); return }
    channel.send(reply, {
      onTaken: () => { done(places) },
      onFailed (error) {
        logger.debug('a reply could not be sent', { peer: id, type: reply.type, why: messageOf(error) })
        if (error instanceof A2aError && error.code === 'MESSAGE_TOO_LARGE') channel.send(router.failed(error.failure, envelope))
        done(places)
      }
    })
  }

  function done (places: number): void {
    const held = working >= CHANNEL.handlers
    working -= places
    // What is answered at once is done within `work`, and comes back here: thousands of them must not pile up on the stack.
    if (unparking) return
    unparking = true
    while (working < CHANNEL.handlers) {
      const next = parked.shift()
      if (next === undefined) break
      parkedBytes -= next.bytes
      work(next.envelope, next.line, next.places)
    }
    unparking = false
    if (held) readOn()
  }

  function greetedBy (payload: Payload<'hello'>, line: Line): void {
    sameUser = payload.user_proof !== undefined && parts.userProof.holds(id, self, payload.user_proof)
    line.takesMore = payload.more === true
    hear(line, payload, true)
    if (line.takesMore) introduce(line)
  }

  function hear (line: Line, { credentials }: Payload<'hello' | 'hello.more'>, anew: boolean): void {
    let held = false
    const fresh = line.speakers.hear(credentials, anew, changed => {
      if (!lines.has(line)) return
      if (!greeted) {
        greeted = true
        events.onGreeted()
      } else if (changed) events.onChanged()
      if (held) line.channel.readOn()
    })
    held = line.speakers.checking()
    spend(TOLLS.signed * fresh)
  }

  function refuse ({ error, cause, type, isReply }: Refused, line: Line): void {
    parts.count(error.code)
    logger.debug('a message was refused', { peer: id, type, code: error.code, why: error.message })
    if (!isReply && type !== 'error' && line.greeted && line.channel.queued() < CHANNEL.handlers && answers.take()) {
      answerWith(error, cause, line)
    }
    if (NO_OFFENCE.has(error.code)) return
    if (clock.now() - offences.since > OFFENCES.windowMs) offences = { count: 0, since: clock.now() }
    offences.count++
    if (offences.count > OFFENCES.max) events.onUnwanted(`it sent ${offences.count} messages that had to be refused, the last for ${error.code}`)
  }

  function answerWith ({ failure }: A2aError, cause: Refused['cause'], { channel }: Line): void {
    channel.send(router.failed(failure, cause), { onFailed: error => { logger.debug('an error could not be sent', { peer: id, why: messageOf(error) }) } })
  }

  function ping ({ channel }: Line): Promise<void> {
    const envelope = nodeEnvelope(selfDid, 'ping', {}, undefined, wall.now())
    const at = performance.now()
    return new Promise((resolve, reject) => {
      const forget = replies.expect({
        peer: id,
        messageId: envelope.messageId,
        type: 'ping',
        timeoutMs: CHANNEL.pingMs,
        onReply () {
          rttMs = performance.now() - at
          resolve()
        },
        onFailed: reject
      })
      channel.send(envelope, {
        onFailed (error) {
          forget()
          reject(error)
        }
      })
      channel.readOn()
    })
  }

  /** Says who speaks here, as far as it fits. */
  function hello (line: Line): void {
    const credentials = parts.credentials()
    const first = credentials.slice(0, fitting(credentials, CHANNEL.helloCredentials))
    line.told = new Set(first)
    tell(line, 'hello', helloPayload(first, parts.userProof.make(self, id)))
  }

  /** Tells who was not told yet. A node of an earlier version knows only whole hellos. */
  function introduce (line: Line): void {
    if (!line.takesMore) { hello(line); return }
    const credentials = parts.credentials()
    let fresh = credentials.filter(credential => !line.told.has(credential))
    line.told = new Set(credentials)
    while (fresh.length > 0) {
      const count = fitting(fresh, CHANNEL.checksATurn)
      tell(line, 'hello.more', morePayload(fresh.slice(0, count)))
      fresh = fresh.slice(count)
    }
  }

  function tell<T extends 'hello' | 'hello.more'> ({ channel }: Line, type: T, payload: Payload<T>): void {
    channel.send(nodeEnvelope(selfDid, type, payload, undefined, wall.now()), { onFailed: error => { logger.debug('a hello could not be sent', { peer: id, why: messageOf(error) }) } })
  }

  function drop (line: Line, why: string, parted: boolean): void {
    line.stop()
    if (!lines.delete(line) || lines.size > 0) return
    parked.length = 0
    parkedBytes = 0
    replies.fail(id, new A2aError({ code: 'PEER_UNREACHABLE', peer: id, why }))
    events.onGone(why, parted)
  }

  /** When both sides have opened one, both write to the one that the smaller peer id opened. */
  function writable (): Line | undefined {
    const [only] = lines
    if (lines.size < 2) return only
    const open = [...lines]
    return open.findLast(({ channel }) => channel.ours === self < id) ?? open.at(-1)
  }

  return {
    id,
    peerId,
    add,
    ready: () => lines.size > 0,
    send (envelope, options) {
      const line = writable()
      usedAt = clock.now()
      if (line !== undefined) return line.channel.send(envelope, options)
      options.onFailed?.(new A2aError({ code: 'PEER_UNREACHABLE', peer: id, why: 'the channel was closed' }))
      return undefined
    },
    takeBack: message => [...lines].some(({ channel }) => channel.takeBack(message)),
    greet () { for (const line of lines) introduce(line) },
    greeted: () => greeted,
    speakers,
    sameUser: () => sameUser,
    rttMs: () => rttMs,
    readOn,
    usedAt: () => usedAt,
    part: async signal => { await Promise.all([...lines].map(({ channel }) => channel.part(signal))) },
    close (why) { for (const { channel } of lines) channel.abort(why) }
  }
}
