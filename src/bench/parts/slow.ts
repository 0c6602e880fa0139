/** A reader that takes its time, a writer that has much to say, and somebody else who asks meanwhile. */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as wait } from 'node:timers/promises'
import { createAgent, type Agent } from '../../index.ts'
import { closedLoop, type Load } from '../load.ts'
import { silent } from '../silent.ts'
import type { Actor } from '../messages.ts'

/** One message of the dialogue, in bytes. */
const PIECE = 64 * 1_024

export interface SlowArgs {
  name: string
  folder: string
  bootstrap?: string[]
  /** Agent id of the reader. */
  to?: string
}

export async function slowReader (args: SlowArgs): Promise<Actor> {
  const agent = await start(args)
  let pauseMs = 0
  let read = 0
  await agent.onDialogue<Uint8Array>('bench.slow', async dialogue => {
    // Nothing is read until it begins to iterate; then a piece each millisecond or so.
    await wait(pauseMs)
    for await (const piece of dialogue) {
      read += piece.length
      if (pauseMs > 0) await wait(1)
    }
    await dialogue.end()
  })
  agent.onRequest('bench.echo', body => body)
  return {
    address: async () => ({ id: agent.id, addresses: agent.node.addresses() }),
    pause: async (ms: number) => { pauseMs = ms },
    read: async () => read,
    close: async () => { await agent[Symbol.asyncDispose]() }
  }
}

export async function slowWriter ({ to = '', ...args }: SlowArgs): Promise<Actor> {
  const agent = await start(args)
  await agent.node.joined()
  const payload = new Uint8Array(300)
  return {
    /** Says so many bytes, as fast as it may; resolves when the reader has read them all, with the time it took. */
    write: async (bytes: number) => {
      const begun = performance.now()
      await using dialogue = await agent.dialogue<Uint8Array>(to, 'bench.slow')
      const piece = new Uint8Array(PIECE).fill(7)
      for (let left = bytes; left > 0; left -= PIECE) await dialogue.send(left < PIECE ? piece.subarray(0, left) : piece)
      await dialogue.end()
      for await (const _ of dialogue) throw new Error('the reader has nothing to say')
      return performance.now() - begun
    },
    ask: async (load: Load) => await closedLoop(() => agent.request(to, 'bench.echo', payload), load),
    close: async () => { await agent[Symbol.asyncDispose]() }
  }
}

const start = ({ name, folder, bootstrap }: SlowArgs): Promise<Agent> => createAgent({
  name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap, logger: silent
})
