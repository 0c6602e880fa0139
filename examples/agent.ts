/** One agent in its own process: what the agents of these examples have in common. */
import { join } from 'node:path'
import { createAgent, type Agent, type HandlerContext } from 'a2a-node'

/**
 * Starts an agent on loopback. Its home, and the folder by which the agents of one example find each other, are in the
 * folder that the first argument names. Prints one JSON line when it is ready, and ends when its stdin does, so that no
 * agent outlives the process that started it.
 */
export async function startAgent (name: string, provide: (agent: Agent) => Promise<unknown>): Promise<void> {
  const folder = process.argv[2]
  if (folder === undefined) {
    console.error(`which folder? run: node ${process.argv[1]} FOLDER, or all of them with: node main.ts`)
    process.exit(2)
  }
  const agent = await createAgent({ name, ...meshIn(folder, name) })
  await provide(agent)
  process.stdin.resume().once('close', async () => {
    await agent[Symbol.asyncDispose]()
    process.exit()
  })
  console.log(JSON.stringify({ event: 'ready', name, agentId: agent.id }))
}

/** A mesh of its own: loopback only, met through a folder that nobody else uses. */
export const meshIn = (folder: string, name: string): { home: string, rendezvous: string, listen: string[], mdns: boolean } =>
  ({ home: join(folder, name), rendezvous: join(folder, 'rendezvous'), listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false })

/** Delegates by capability name, and tells whoever asked us, as progress, who won and what the winner tells. */
export async function ask<T> (context: HandlerContext, capability: string, input: unknown): Promise<T> {
  const work = context.delegate(capability, input)
  for await (const event of work) {
    if (event.event === 'awarded') context.progress(undefined, `${capability} goes to ${event.provider}: ${event.reason}`)
    if (event.event === 'progress') context.progress(undefined, event.note)
  }
  return (await work.result).output
}
