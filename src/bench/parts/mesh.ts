/** A node whose agents bid and work, and a node that looks for them and delegates. */
import { join } from 'node:path'
import { createNode, type Agent, type HostedNode } from '../../index.ts'
import { closedLoop, spreadOf, type Load, type Spread } from '../load.ts'
import { silent } from '../silent.ts'
import type { Actor } from '../messages.ts'

export interface MeshArgs {
  name: string
  folder: string
  /** Agents that offer the work: so many bids each task shall get. */
  bidders: number
  /** Of the node that is there already. */
  bootstrap?: string[]
}

const CAPABILITY = 'bench.work.do'
const FIND_MS = 20_000

export async function meshProvider (args: MeshArgs): Promise<Actor> {
  const node = await start(args)
  for (let i = 0; i < args.bidders; i++) {
    const agent = i === 0 ? firstOf(node) : await node.createAgent({ name: `bidder-${i}` })
    await agent.provide(CAPABILITY, { maxConcurrent: 256, bid: () => ({ cost: 1, confidence: 0.9 }), run: input => input })
  }
  return {
    address: async () => ({ addresses: node.addresses() }),
    /** Offers something nobody has heard of, and gives the moment it began to. */
    offer: async (capability: string) => {
      const begun = process.hrtime.bigint()
      await firstOf(node).provide(capability, { run: input => input })
      return String(begun)
    },
    close: async () => { await node[Symbol.asyncDispose]() }
  }
}

export async function meshRequester (args: MeshArgs): Promise<Actor> {
  const node = await start(args)
  const agent = firstOf(node)
  await node.joined()
  const input = 'x'.repeat(300)

  return {
    /** Resolves when all that shall bid are known. */
    ready: async () => {
      const until = performance.now() + FIND_MS
      while ((await node.find(CAPABILITY)).length < args.bidders) {
        if (performance.now() > until) throw new Error('the bidders were not found')
        await node.find('bench.*')
      }
    },
    findKnown: async (count: number): Promise<Spread> => await timed(count, async () => {
      if ((await node.find(CAPABILITY)).length < args.bidders) throw new Error('not all were found')
    }),
    /** Looks until it is there, and gives the moment. */
    findNew: async (capability: string) => {
      if ((await node.find(capability, { timeoutMs: FIND_MS })).length === 0) throw new Error(`${capability} was not found`)
      return String(process.hrtime.bigint())
    },
    /** One at a time, from the announcement to the award; each must have had all bids, and end well. */
    award: async (count: number): Promise<Spread> => {
      const took: number[] = []
      for (let i = 0; i < count; i++) {
        const begun = performance.now()
        const work = agent.delegate(CAPABILITY, input)
        let bids = 0
        for await (const { event } of work) {
          if (event === 'bid') bids++
          if (event === 'awarded') took.push(performance.now() - begun)
        }
        if (bids !== args.bidders) throw new Error(`a task had ${bids} bids, not ${args.bidders}`)
        await checked(work.result)
      }
      return spreadOf(took)
    },
    delegate: async (load: Load) => await closedLoop(() => checked(agent.delegate(CAPABILITY, input).result), load),
    close: async () => { await node[Symbol.asyncDispose]() }
  }
}

async function checked (result: ReturnType<Agent['delegate']>['result']): Promise<void> {
  const { receipt } = await result
  if (!receipt.verified) throw new Error('a receipt does not hold')
}

async function timed (count: number, work: () => Promise<void>): Promise<Spread> {
  const took: number[] = []
  for (let i = 0; i < count; i++) {
    const begun = performance.now()
    await work()
    took.push(performance.now() - begun)
  }
  return spreadOf(took)
}

const start = ({ name, folder, bootstrap }: MeshArgs): Promise<HostedNode> => createNode({
  name, home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false, bootstrap, logger: silent
})

function firstOf ({ agents: [first] }: HostedNode): Agent {
  if (first === undefined) throw new Error('a node without an agent')
  return first
}
