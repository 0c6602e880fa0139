/** The NodeApi of a node in this process, and of a home in which no node runs. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { contentApi } from './content-api.ts'
import { checkNode } from './doctor.ts'
import { recordsOf, resolveTask } from './records.ts'
import { systemClock } from '../core/clock.ts'
import { A2aError, toFailure } from '../core/errors.ts'
import { loadOrCreateKey, toDid, toPeerId } from '../identity/keys.ts'
import { agentKeyFile, type HostedNode } from '../node.ts'
import { openEventLog } from '../store/event-log.ts'
import { fanOut, type FanOut } from '../patterns/fan-out.ts'
import type { FanOutEvent, IdentityView, NodeApi } from '../control/api.ts'
import type { Agent } from '../core/agent.ts'
import type { TaskEvent } from '../core/task.ts'

/** What a client may ask of the node, in the name of its first agent. */
export function nodeApi (node: HostedNode): NodeApi {
  const { log } = node
  const identity = async (): Promise<IdentityView[]> => node.hosted.map(({ agent, keyFile, signer }) => ({
    agentId: agent.id, name: agent.name, peerId: node.peerId, keyFile,
    credential: { notBefore: signer.notBefore(), expires: signer.expiresAt() }
  }))
  const first = (): Agent => node.agents[0] as Agent
  /** The agent that asked for the task, or the job. */
  const ownerOf = (taskId: string): HostedNode['hosted'][number] => {
    const row = log.task('job', taskId) ?? log.task('requester', taskId)
    const owner = node.hosted.find(({ agent }) => agent.id === row?.agent)
    if (owner !== undefined) return owner
    if (log.task('provider', taskId) !== undefined) throw new A2aError({ code: 'REFUSED', why: `task ${taskId} was asked for by another agent, which alone can follow and cancel it` })
    throw new A2aError({ code: 'TASK_UNKNOWN', taskId })
  }
  return {
    ...recordsOf(log),
    ...contentApi(node),
    identity,
    status: async () => node.status(),
    find: (pattern, options) => node.find(pattern, options),
    watch: ({ pattern, ...options }) => node.watch(pattern, options),
    peers: async () => node.peers(),
    run: ({ capability, input, ...options }) => untilLeft(() => {
      const work = first().delegate(capability, input, options)
      return { events: work, leave: () => work.cancel('its owner left') }
    }),
    fanOut: ({ capability, input, ...options }) => untilLeft(() => {
      const asked = fanOut(first(), capability, input, options)
      return { events: withOutcomes(asked), leave: () => asked.cancel('its owner left') }
    }),
    resume: async function * (text, options): AsyncGenerator<TaskEvent> {
      const taskId = resolveTask(log, text)
      yield * ownerOf(taskId).agent.attach(taskId, options)
    },
    giveInput: async (text, value) => {
      const taskId = resolveTask(log, text)
      const { requester, queue } = ownerOf(taskId)
      await requester.giveInput(queue.taskOf(taskId) ?? taskId, value)
    },
    cancel: async text => {
      const taskId = resolveTask(log, text)
      const { requester, queue } = ownerOf(taskId)
      if (log.task('job', taskId) !== undefined) await queue.cancel(taskId, 'its owner asked for it')
      else if (log.task('requester', taskId)?.ended !== true) await requester.cancel(taskId, 'its owner asked for it')
      else throw new A2aError({ code: 'REFUSED', why: `task ${taskId} has ended already; see: a2a-node task show ${taskId}` })
      return taskId
    },
    enqueue: async ({ capability, input, ...options }) => (await first().enqueue(capability, input, options)).id,
    replayDead: async text => {
      const jobId = resolveTask(log, text)
      return (await ownerOf(jobId).queue.dead.replay(jobId)).id
    },
    dropDead: async text => {
      const jobId = resolveTask(log, text)
      return await ownerOf(jobId).queue.dead.drop(jobId)
    },
    rotate: async () => {
      node.rotate()
      return await identity()
    },
    doctor: why => why === undefined ? checkNode(node) : node.why(why)
  }
}

/** A stream that its reader may leave, which ends what it is of at once: a generator would not notice before its next event. */
const untilLeft = <T>(open: () => { events: AsyncIterable<T>, leave: () => Promise<void> }): AsyncIterable<T> => ({
  [Symbol.asyncIterator]: () => {
    const { events, leave } = open()
    const iterator = events[Symbol.asyncIterator]()
    return {
      next: () => iterator.next(),
      return: async () => {
        // What has ended long ago is not known any more.
        await leave().catch(() => {})
        return { done: true, value: undefined }
      }
    }
  }
})

async function * withOutcomes (asked: FanOut): AsyncGenerator<FanOutEvent> {
  yield * asked
  const failure = await asked.result.then(() => undefined, toFailure)
  yield { event: 'fanned-out', outcomes: asked.outcomes(), failure }
}

/**
 * A home without its node: what the log and the keys say. Everything that needs the mesh rejects with NODE_NOT_RUNNING.
 * @throws A2aError HOME_UNUSABLE when it is no home, HOME_IN_USE, LOG_DAMAGED, KEY_INVALID
 */
export async function openHome (home: string): Promise<NodeApi & AsyncDisposable> {
  const file = join(home, 'log.db')
  if (!existsSync(file)) throw new A2aError({ code: 'HOME_UNUSABLE', home, why: 'no node has run there yet' })
  const log = await openEventLog({ file, home, clock: systemClock })
  const absent = (): never => { throw new A2aError({ code: 'NODE_NOT_RUNNING', home }) }
  return {
    ...recordsOf(log),
    identity: async () => {
      const nodeKey = await loadOrCreateKey(join(home, 'keys', 'node.pem'))
      const keyFile = agentKeyFile(home)
      return [{ agentId: toDid(await loadOrCreateKey(keyFile)), peerId: toPeerId(nodeKey), keyFile }]
    },
    status: async () => absent(),
    find: async () => absent(),
    peers: async () => absent(),
    watch: absent,
    run: absent,
    enqueue: async () => absent(),
    replayDead: async () => absent(),
    dropDead: async () => absent(),
    fanOut: absent,
    resume: absent,
    giveInput: async () => absent(),
    cancel: async () => absent(),
    rotate: async () => absent(),
    doctor: async () => absent(),
    sendContent: absent,
    receiveContent: absent,
    contents: async () => absent(),
    dropContent: async () => absent(),
    [Symbol.asyncDispose]: () => log.close()
  }
}
