/** The node's end of the control socket. See frames.ts for what is spoken on it. */
import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { A2aError, messageOf, toFailure, type Failure } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { AgentChange } from '../core/found.ts'
import type { ContentEvent, FanOutEvent, NodeApi } from './api.ts'
import { CONTROL_PROTOCOL, MAX_LINE_BYTES, lineReader, toJson, type ClientFrame, type ServerFrame } from './frames.ts'
import { readNodeRecord, removeNodeRecord, socketPathOf, writeNodeRecord } from './home.ts'

/** More clients than this at once are turned away. */
const MAX_CLIENTS = 64
/** More open requests than this of one client are answered with OVERLOADED. */
const MAX_OPEN = 256

const UNARY = ['status', 'find', 'peers', 'enqueue', 'deadLetters', 'deadLetter', 'replayDead', 'dropDead', 'giveInput', 'cancel', 'tasks', 'task', 'contracts', 'contract', 'identity', 'rotate', 'doctor', 'contents', 'dropContent'] as const
const STREAMS = ['run', 'fanOut', 'resume', 'watch', 'sendContent', 'receiveContent'] as const

export interface ControlServer extends AsyncDisposable {
  /** Path of the socket. */
  readonly socket: string
}

/**
 * Serves a node to the client commands of its user: listens on the home's socket (for its owner alone) and writes
 * `node.json` into the home. A socket that nobody answers on is replaced. Disposing of it ends every connection.
 * @throws A2aError HOME_IN_USE when another node answers there; HOME_UNUSABLE; LISTEN_FAILED
 */
export async function serveControl (api: NodeApi, { home, logger }: { home: string, logger?: Logger }): Promise<ControlServer> {
  const { pid, peerId, startedAt, version } = await api.status()
  const path = socketPathOf(home)
  if (await answers(path)) throw new A2aError({ code: 'HOME_IN_USE', home, pid: readNodeRecord(home)?.pid })
  const clients = new Set<Socket>()
  const server = createServer(socket => {
    if (clients.size >= MAX_CLIENTS) {
      logger?.warn('control client turned away', { clients: clients.size, limit: MAX_CLIENTS })
      socket.destroy()
      return
    }
    clients.add(socket)
    socket.on('close', () => clients.delete(socket))
    socket.on('error', error => logger?.debug('control connection broke', { why: messageOf(error) }))
    socket.write(`${JSON.stringify({ hello: { protocol: CONTROL_PROTOCOL, version } })}\n`)
    converse(api, socket, logger)
  })
  await listen(server, path)
  writeNodeRecord(home, { pid, socket: path, peerId, startedAt, version })
  return {
    socket: path,
    [Symbol.asyncDispose]: async () => {
      removeNodeRecord(home)
      const closed = new Promise(resolve => server.close(resolve))
      for (const socket of clients) socket.destroy()
      await closed
    }
  }
}

/** Answers one client until it leaves. What it left open is cancelled then. */
function converse (api: NodeApi, socket: Socket, logger: Logger | undefined): void {
  const open = new Map<number, () => void>()
  const answer = async (frame: ServerFrame): Promise<void> => {
    if (socket.destroyed) return
    let line = JSON.stringify(frame)
    if (Buffer.byteLength(line) > MAX_LINE_BYTES) {
      line = JSON.stringify({ id: frame.id, error: { code: 'MESSAGE_TOO_LARGE', bytes: Buffer.byteLength(line), limit: MAX_LINE_BYTES } satisfies Failure })
    }
    if (!socket.write(`${line}\n`)) await drained(socket)
  }
  const handle = async (line: string): Promise<void> => {
    const frame = parseFrame(line)
    if ('cancel' in frame) return open.get(frame.id)?.()
    const { id, method, params = [] } = frame
    try {
      if (open.size >= MAX_OPEN) throw new A2aError({ code: 'OVERLOADED', what: 'open control requests', limit: MAX_OPEN })
      if (open.has(id)) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: `request ${id} is open already` })
      if (isOneOf(STREAMS, method)) {
        await stream(api, method, params, { opened: cancel => open.set(id, cancel), event: event => answer({ id, event: 'taskId' in event ? toJson(event) : event }) })
        await answer({ id, result: null })
      } else if (isOneOf(UNARY, method)) {
        open.set(id, () => undefined)
        const call = api[method] as (...args: unknown[]) => Promise<unknown>
        await answer({ id, result: await call.apply(api, params) ?? null })
      } else {
        throw new A2aError({ code: 'MESSAGE_UNKNOWN', type: method })
      }
    } catch (error) {
      await answer({ id, error: toFailure(error) })
    } finally {
      open.delete(id)
    }
  }
  const refuse = (failure: Failure): void => {
    logger?.warn('control client sent what is no request', { code: failure.code })
    socket.end(`${JSON.stringify({ id: 0, error: failure })}\n`)
    socket.destroySoon()
  }
  const feed = lineReader(line => {
    handle(line).catch((error: unknown) => refuse(toFailure(error)))
  })
  socket.on('data', (chunk: Buffer) => {
    if (socket.writable && !feed(chunk)) refuse({ code: 'MESSAGE_TOO_LARGE', bytes: MAX_LINE_BYTES + 1, limit: MAX_LINE_BYTES })
  })
  socket.on('close', () => {
    for (const cancel of open.values()) cancel()
  })
}

interface StreamSink {
  opened: (cancel: () => void) => void
  event: (event: FanOutEvent | AgentChange | ContentEvent) => Promise<void>
}

/** Passes events on. Cancelling a run cancels its task; a resumed one is only left; a transfer ends. */
async function stream (api: NodeApi, method: (typeof STREAMS)[number], params: unknown[], sink: StreamSink): Promise<void> {
  const open = api[method] as (...params: unknown[]) => AsyncIterable<FanOutEvent | AgentChange | ContentEvent>
  const iterator = open.apply(api, params)[Symbol.asyncIterator]()
  const owned = method === 'run'
  const left = Promise.withResolvers<undefined>()
  let taskId: string | undefined
  sink.opened(() => {
    // a generator that waits for its next event takes no notice of return() until that has come
    if (owned && taskId !== undefined) api.cancel(taskId).catch(() => undefined)
    iterator.return?.()?.catch(() => undefined)
    left.resolve(undefined)
  })
  for (;;) {
    const next = iterator.next()
    next.catch(() => undefined)
    const step = await Promise.race([next, left.promise])
    if (step === undefined || step.done === true) return
    if ('taskId' in step.value) taskId = step.value.taskId
    await sink.event(step.value)
  }
}

function parseFrame (line: string): ClientFrame {
  let frame: unknown
  try {
    frame = JSON.parse(line)
  } catch (error) {
    throw new A2aError({ code: 'MESSAGE_MALFORMED', why: messageOf(error) })
  }
  const { id, method, params, cancel } = (frame ?? {}) as Record<string, unknown>
  const fits = typeof id === 'number' && (cancel === true || (typeof method === 'string' && (params === undefined || Array.isArray(params))))
  if (!fits) throw new A2aError({ code: 'MESSAGE_MALFORMED', why: 'a line must have an id and a method or a cancel' })
  return frame as ClientFrame
}

const isOneOf = <T extends string>(names: readonly T[], name: string): name is T => (names as readonly string[]).includes(name)

/** Resolves when the client has read on, or has gone. */
const drained = (socket: Socket): Promise<void> => new Promise(resolve => {
  const done = (): void => {
    socket.off('drain', done).off('close', done)
    resolve()
  }
  socket.on('drain', done).on('close', done)
})

const answers = (path: string): Promise<boolean> => new Promise(resolve => {
  const probe = connect(path)
  probe.once('connect', () => {
    probe.destroy()
    resolve(true)
  })
  probe.once('error', () => resolve(false))
})

async function listen (server: Server, path: string): Promise<void> {
  if (process.platform !== 'win32') rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(new A2aError({ code: 'LISTEN_FAILED', address: path, why: messageOf(error) })))
    server.listen(path, resolve)
  })
  if (process.platform !== 'win32') chmodSync(path, 0o600)
}
