/**
 * Questions between nodes of one user on one machine, without a connection: each node has a Unix-domain socket in the folder where
 * they meet. Who can open it is that user, as the mode of the folder says; what may be asked by it says nothing about who asks, and
 * its answers are signed statements of others.
 *
 *   ask → connect → one frame with the question ⇄ one frame with the answer → close
 */
import { mkdirSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { A2aError, messageOf } from '../core/errors.ts'
import type { Envelope } from '../core/envelope.ts'
import type { Clock, Logger, SendOptions } from '../core/ports.ts'
import { encodeEnvelope, MAX_ENVELOPE } from '../wire/envelope.ts'
import type { MessageName } from '../wire/messages.ts'
import { createFrameReader, framePrefix } from './frames.ts'
import { checkDirect } from './intake.ts'
import { CHANNEL, LOCAL } from './limits.ts'
import { errorOf, type Router } from './router.ts'

export interface LocalSocket {
  /** From now on others can ask here. When that cannot be, they connect. */
  listen: () => Promise<void>
  /**
   * What a node answers. Undefined when it takes no questions here, or does not end with an answer: then it is to be connected to.
   * @throws A2aError NO_REPLY, and the failure that it answered
   */
  ask: (peer: string, question: Envelope, options?: Pick<SendOptions, 'signal' | 'timeoutMs'>) => Promise<Envelope | undefined>
  close: () => Promise<void>
}

export interface LocalParts {
  /** Where the nodes of the user meet. */
  folder: string
  /** Our own peer id. */
  self: string
  router: Router
  /** Counts a refused message. */
  count: (code: string) => void
  clock: Clock
  wall: Clock
  logger: Logger
}

/** What may be asked. */
const QUESTIONS: ReadonlySet<string> = new Set<MessageName>(['advert.query'])

/** The end of a peer id, of which the beginning is always the same: a path of a socket has 103 bytes at most. */
export const socketOf = (folder: string, peer: string): string => join(folder, 'sockets', peer.slice(-16))

export function createLocalSocket ({ folder, self, router, count, clock, wall, logger }: LocalParts): LocalSocket {
  const asking = new Set<Socket>()
  let server: Server | undefined

  async function listen (): Promise<void> {
    const path = socketOf(folder, self)
    try {
      if (Buffer.byteLength(path) > LOCAL.pathBytes) throw new Error(`its path has more than ${LOCAL.pathBytes} bytes: ${path}`)
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      // One that we left when we were killed.
      rmSync(path, { force: true })
      server = await listening(path)
      server.on('error', error => { logger.debug('the socket for nodes of the same user failed', { why: error.message }) })
    } catch (error) {
      logger.info('nodes of the same user have to connect to ask this one', { why: messageOf(error) })
    }
  }

  async function listening (path: string): Promise<Server> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const server = createServer(serve).once('error', reject).listen(path, resolve)
    server.maxConnections = LOCAL.connections
    await promise
    return server.off('error', reject).unref()
  }

  function serve (socket: Socket): void {
    asking.add(socket)
    socket.setTimeout(LOCAL.idleMs, () => { socket.destroy() })
    socket.on('error', error => { logger.debug('who asked here is gone', { why: error.message }) })
    socket.once('close', () => { asking.delete(socket) })
    firstFrame(socket, LOCAL.questionBytes, frame => {
      respond(socket, frame).catch((error: unknown) => {
        logger.debug('an answer could not be sent', { why: messageOf(error) })
        socket.destroy()
      })
    })
  }

  async function respond (socket: Socket, question: Uint8Array): Promise<void> {
    const reply = await answer(question)
    if (reply === undefined) socket.destroy()
    else socket.end(framed(reply))
  }

  function answer (question: Uint8Array): ReturnType<Router['answer']> {
    const checked = check(question)
    if (checked === undefined) return undefined
    return QUESTIONS.has(checked.type) ? router.answer(checked, { peer: self }) : router.failed({ code: 'MESSAGE_UNKNOWN', type: checked.type }, checked)
  }

  function check (bytes: Uint8Array): Envelope | undefined {
    const checked = checkDirect(bytes, self, () => true, wall)
    if ('envelope' in checked) return checked.envelope
    count(checked.refused.error.code)
    logger.debug('a message of a node of the same user was refused', { why: checked.refused.error.message })
    return undefined
  }

  /** Calls back with the first frame; of a stream that has none, nothing follows but its end. */
  function firstFrame (socket: Socket, limit: number, take: (frame: Uint8Array) => void): void {
    const reader = createFrameReader(limit)
    socket.on('data', chunk => {
      try {
        reader.push(chunk as Uint8Array)
        const frame = reader.next()
        if (frame === undefined) return
        socket.removeAllListeners('data')
        take(frame)
      } catch (error) {
        if (error instanceof A2aError) count(error.code)
        socket.destroy()
      }
    })
  }

  async function ask (peer: string, question: Envelope, { signal, timeoutMs = CHANNEL.requestMs }: Pick<SendOptions, 'signal' | 'timeoutMs'> = {}): Promise<Envelope | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<Envelope | undefined>()
    const giveUp = (): void => { reject(signal?.reason) }
    const stop = clock.after(timeoutMs, () => { reject(new A2aError({ code: 'NO_REPLY', peer, type: question.type, waitedMs: timeoutMs })) })
    signal?.addEventListener('abort', giveUp, { once: true })
    const socket = connect(socketOf(folder, peer))
    socket.on('error', error => { logger.debug('a node of the same user cannot be asked by its socket', { peer, why: error.message }) })
    socket.once('close', () => { resolve(undefined) })
    firstFrame(socket, MAX_ENVELOPE, frame => {
      const reply = check(frame)
      if (reply?.type === 'error') reject(errorOf(reply))
      else resolve(reply?.causationId === question.messageId ? reply : undefined)
    })
    socket.write(framed(question))
    try {
      return await promise
    } finally {
      stop()
      signal?.removeEventListener('abort', giveUp)
      socket.destroy()
    }
  }

  return {
    listen,
    ask,
    async close () {
      for (const socket of asking) socket.destroy()
      await new Promise<void>(resolve => { if (server === undefined) resolve(); else server.close(() => { resolve() }) })
    }
  }
}

function framed (envelope: Envelope): Uint8Array {
  const bytes = encodeEnvelope(envelope)
  return Buffer.concat([framePrefix(bytes.length), bytes])
}
