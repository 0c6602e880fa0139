/** A client command's end of the control socket: a NodeApi that another process implements. Only `node:` builtins. */
import { connect, type Socket } from 'node:net'
import { A2aError, explain, messageOf, type Failure } from '../core/errors.ts'
import type { AgentChange } from '../core/found.ts'
import type { ContentEvent, NodeApi } from './api.ts'
import { CONTROL_PROTOCOL, MAX_LINE_BYTES, fromJson, lineReader, type ClientFrame, type Hello, type ServerFrame } from './frames.ts'
import { readNodeRecord } from './home.ts'

/** How long a node may take to answer, in ms, beyond the time that it was given for the question itself. */
const REPLY_MS = 10_000
const HELLO_MS = 3_000

export type ControlClient = NodeApi & { close: () => void }

/**
 * Connects to the node that runs with this home. `undefined` when none does, also when one died and left its record.
 * @throws A2aError VERSION_UNSUPPORTED, NO_REPLY when something holds the socket but does not speak, PEER_UNREACHABLE
 */
export async function connectControl (home: string): Promise<ControlClient | undefined> {
  const record = readNodeRecord(home)
  if (record === undefined) return undefined
  const link = await open(record.socket)
  if (link === undefined) return undefined
  const ask = <T>(method: string, params: unknown[] = [], withinMs = 0): Promise<T> => link.ask(method, params, REPLY_MS + withinMs) as Promise<T>
  return {
    status: () => ask('status'),
    find: (pattern, options) => ask('find', [pattern, options], options?.timeoutMs),
    peers: () => ask('peers'),
    enqueue: request => ask('enqueue', [request]),
    deadLetters: () => ask('deadLetters'),
    deadLetter: jobId => ask('deadLetter', [jobId]),
    replayDead: jobId => ask('replayDead', [jobId]),
    dropDead: jobId => ask('dropDead', [jobId]),
    giveInput: (taskId, value) => ask('giveInput', [taskId, value]),
    cancel: taskId => ask('cancel', [taskId]),
    tasks: query => ask('tasks', [query]),
    task: taskId => ask('task', [taskId]),
    contracts: query => ask('contracts', [query]),
    contract: taskId => ask('contract', [taskId]),
    identity: () => ask('identity'),
    rotate: () => ask('rotate'),
    doctor: why => ask('doctor', [why], 20_000),
    contents: () => ask('contents'),
    dropContent: hash => ask('dropContent', [hash]),
    run: request => events(record.socket, home, 'run', request, fromJson),
    fanOut: request => events(record.socket, home, 'fanOut', request, fromJson),
    resume: (taskId, options) => events(record.socket, home, 'resume', taskId, fromJson, options),
    watch: request => events(record.socket, home, 'watch', request, json => json as AgentChange),
    sendContent: request => events(record.socket, home, 'sendContent', request, json => json as ContentEvent),
    receiveContent: request => events(record.socket, home, 'receiveContent', request, json => json as ContentEvent),
    close: () => link.socket.destroy()
  }
}

interface Link {
  socket: Socket
  ask: (method: string, params: unknown[], withinMs: number) => Promise<unknown>
  /** Sends a request whose answers go to `onFrame`; `undefined` says that the connection has ended. */
  send: (method: string, params: unknown[], onFrame: (frame: ServerFrame | undefined) => void) => void
}

/** Opens a connection and waits for the greeting. `undefined` when nobody listens. */
async function open (path: string): Promise<Link | undefined> {
  const socket = connect(path)
  const waiting = new Map<number, (frame: ServerFrame | undefined) => void>()
  const greeted = Promise.withResolvers<Hello | undefined>()
  let ids = 0
  const feed = lineReader(line => {
    const frame = JSON.parse(line) as Hello | ServerFrame
    if ('hello' in frame) greeted.resolve(frame)
    // an error without a request of ours is about the connection: its end follows, and this is its reason
    else if (frame.id === 0) for (const tell of waiting.values()) tell(frame)
    else waiting.get(frame.id)?.(frame)
  })
  socket.on('data', (chunk: Buffer) => {
    try {
      if (!feed(chunk)) throw new A2aError({ code: 'MESSAGE_TOO_LARGE', bytes: MAX_LINE_BYTES + 1, limit: MAX_LINE_BYTES })
    } catch (error) {
      greeted.reject(error instanceof A2aError ? error : new A2aError({ code: 'MESSAGE_MALFORMED', why: messageOf(error) }))
      socket.destroy()
    }
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') greeted.resolve(undefined)
    else greeted.reject(new A2aError({ code: 'PEER_UNREACHABLE', peer: path, why: messageOf(error) }))
  })
  socket.on('close', () => {
    greeted.reject(new A2aError({ code: 'PEER_UNREACHABLE', peer: path, why: 'the node closed the connection' }))
    for (const tell of waiting.values()) tell(undefined)
    waiting.clear()
  })
  const timer = setTimeout(() => {
    greeted.reject(new A2aError({ code: 'NO_REPLY', peer: 'the running node', type: 'hello', waitedMs: HELLO_MS }))
    socket.destroy()
  }, HELLO_MS)
  const hello = await greeted.promise.finally(() => clearTimeout(timer))
  if (hello === undefined) return undefined
  if (hello.hello.protocol !== CONTROL_PROTOCOL) {
    socket.destroy()
    throw new A2aError({ code: 'VERSION_UNSUPPORTED', version: hello.hello.protocol, supported: CONTROL_PROTOCOL })
  }
  const send: Link['send'] = (method, params, onFrame) => {
    const id = ++ids
    // in JSON an argument that was left out would become null
    const given = params.slice(0, params.findLastIndex(param => param !== undefined) + 1)
    waiting.set(id, frame => {
      if (frame === undefined || !('event' in frame)) waiting.delete(id)
      onFrame(frame)
    })
    if (socket.destroyed) waiting.get(id)?.(undefined)
    else socket.write(`${JSON.stringify({ id, method, params: given } satisfies ClientFrame)}\n`)
  }
  return {
    socket,
    send,
    ask: (method, params, withinMs) => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new A2aError({ code: 'NO_REPLY', peer: 'the running node', type: method, waitedMs: withinMs })), withinMs)
      send(method, params, frame => {
        clearTimeout(timer)
        if (frame !== undefined && 'result' in frame) resolve(frame.result)
        else reject(errorOf(frame, path))
      })
    })
  }
}

/** A stream has a connection of its own: a reader that is slow holds back only its own task, and leaving is closing. */
async function * events<T> (path: string, home: string, method: string, param: unknown, read: (json: unknown) => T, options?: unknown): AsyncGenerator<T> {
  const link = await open(path)
  if (link === undefined) throw new A2aError({ code: 'NODE_NOT_RUNNING', home })
  const queue: Array<ServerFrame | undefined> = []
  let wake: (() => void) | undefined
  link.send(method, [param, options], frame => {
    queue.push(frame)
    link.socket.pause()
    wake?.()
  })
  try {
    for (;;) {
      if (queue.length === 0) {
        link.socket.resume()
        await new Promise<void>(resolve => { wake = resolve })
        continue
      }
      const frame = queue.shift()
      if (frame !== undefined && 'event' in frame) yield read(frame.event)
      else if (frame !== undefined && 'result' in frame) return
      else throw errorOf(frame, path)
    }
  } finally {
    link.socket.destroy()
  }
}

function errorOf (frame: ServerFrame | undefined, path: string): A2aError {
  if (frame === undefined) return new A2aError({ code: 'PEER_UNREACHABLE', peer: path, why: 'the node closed the connection; it may have stopped' })
  const failure = (frame as { error: Failure }).error
  // a newer node may know failures that this version cannot explain
  return new A2aError(typeof explain(failure) === 'string' ? failure : { code: 'INTERNAL', why: `the node answered ${JSON.stringify(failure)}` })
}
