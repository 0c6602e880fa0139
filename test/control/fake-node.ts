/** A node that is none: answers what a test tells it to, over a real control socket. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveControl } from '../../src/control/server.ts'
import type { ContentEvent, NodeApi, RunRequest } from '../../src/control/api.ts'
import type { AgentChange } from '../../src/core/found.ts'
import type { NodeStatus } from '../../src/core/node.ts'
import type { DeadMessage } from '../../src/core/queue.ts'
import type { TaskEvent } from '../../src/core/task.ts'

export const PROVIDER = 'did:key:z6MkvgMo4dmDBi8CMRUZ8mifcTDboLc5zdvpzkZEtcoYynVU'
export const TASK = '01M7Y6E13X2SWAZ8SR1DGKH58D'

export interface FakeNode extends AsyncDisposable {
  home: string
  socket: string
  /** What was asked of it, in order. */
  calls: Array<[method: string, ...params: unknown[]]>
}

const status: NodeStatus = {
  version: '0.1.0', pid: process.pid, home: '/nowhere', peerId: '12D3KooWpeer', addresses: ['/ip4/127.0.0.1/tcp/1'], startedAt: 1, uptimeMs: 61_000, rssBytes: 1_048_576,
  peers: 0, log: { bytes: 4_096, usedBytes: 4_096, keepMs: 86_400_000 }, agentsKnown: 1, discovery: { compared: 0, dead: 0, restored: 0, warm: { count: 0 }, cold: { count: 0 } }, dht: { mode: 'client', peers: 0 }, gossip: [], queue: { waiting: 0, running: 0, dead: 0 }, refused: {},
  agents: [{ agentId: PROVIDER, name: 'fake', capabilities: ['text.case.upper'], running: 0, queued: 0, load: 0, metrics: [], costs: [], credentialExpiresAt: 2, breakers: [{ of: 'adapter', name: 'warehouse', state: 'open', failures: 5, retryMs: 7_400, last: 'fetch failed' }], slots: [{ capability: 'text.case.upper', taken: 3, limit: 16, callers: 2 }] }]
}

/** A job that was given up. */
export const letter: DeadMessage = {
  jobId: TASK, capability: 'text.case.upper', enqueuedAt: 1, diedAt: 2, failure: { code: 'HANDLER_LOST', capability: 'text.case.upper', why: 'its process was restarted' },
  attempts: [{ taskId: TASK, startedAt: 1, endedAt: 2, provider: PROVIDER, failure: { code: 'HANDLER_LOST', capability: 'text.case.upper', why: 'its process was restarted' } }],
  input: { aB: 1 }, options: { maxAttempts: 1 }
}

/** An event of the task, by `PROVIDER`. */
export const event = (fields: Record<string, unknown>): TaskEvent => ({ taskId: TASK, at: 1, provider: PROVIDER, epoch: 1, ...fields }) as unknown as TaskEvent

export const result = (output: unknown): TaskEvent => event({ event: 'result', output, cost: 0, durationMs: 5, receipt: { hash: 'h', provider: PROVIDER, requester: PROVIDER, inputHash: 'i', verified: true } })

/** Serves a home of its own; what is not in `api` answers with nothing. */
export async function fakeNode (api: Partial<NodeApi> = {}): Promise<FakeNode> {
  const home = mkdtempSync(join(tmpdir(), 'a2a-fake-'))
  const calls: FakeNode['calls'] = []
  const whole: NodeApi = {
    status: async () => status, find: async () => [], peers: async () => [], giveInput: async () => undefined, cancel: async taskId => taskId,
    tasks: async () => [], task: async () => [], contracts: async () => [], contract: async () => [], identity: async () => [], rotate: async () => [], doctor: async () => [],
    contents: async () => [], dropContent: async hash => hash, sendContent: () => noContent(), receiveContent: () => noContent(),
    enqueue: async () => TASK, deadLetters: async () => [], deadLetter: async () => letter, replayDead: async jobId => jobId, dropDead: async () => letter,
    watch: () => noChanges(),
    run: () => eventsOf(result(null)), fanOut: () => eventsOf(), resume: () => eventsOf(result(null)),
    ...api
  }
  const recorded = Object.fromEntries(Object.entries(whole).map(([method, call]) => [method, (...params: unknown[]) => {
    calls.push([method, ...params])
    return (call as (...args: unknown[]) => unknown)(...params)
  }])) as unknown as NodeApi
  const server = await serveControl(recorded, { home })
  return {
    home, calls, socket: server.socket,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      rmSync(home, { recursive: true, force: true })
    }
  }
}

async function * noChanges (): AsyncGenerator<AgentChange> {}
async function * noContent (): AsyncGenerator<ContentEvent> {}

export async function * eventsOf (...events: TaskEvent[]): AsyncGenerator<TaskEvent> {
  yield * events
}

/** A task that announces itself and then waits until it is cancelled. */
export function waitingTask (): Pick<NodeApi, 'run' | 'cancel'> & { cancelled: Promise<string> } {
  const { promise, resolve } = Promise.withResolvers<string>()
  return {
    cancelled: promise,
    cancel: async taskId => {
      resolve(taskId)
      return taskId
    },
    run: async function * (_request: RunRequest) {
      yield event({ event: 'announced', round: 1, capability: 'a.b', asked: 1 })
      const taskId = await promise
      yield event({ event: 'failed', failure: { code: 'CANCELLED', taskId, why: 'its owner asked for it' } })
    }
  }
}
