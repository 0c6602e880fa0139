/** A measured process. It is told which part to play, plays it, and ends with the bench. */
import { performance } from 'node:perf_hooks'
import { ACTORS } from './actors.ts'
import type { Actor, Answer, Call, Usage } from './messages.ts'

const actor: Actor = {
  /** Which part of actors.ts to play. */
  play: async ({ part, args }: { part: string, args: unknown }) => {
    const play = ACTORS[part]
    if (play === undefined) throw new Error(`there is no part ${part}`)
    Object.assign(actor, await play(args))
  },
  usage: async (): Promise<Usage> => {
    const { user, system } = process.cpuUsage()
    return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() }
  },
  /** Memory after a collection, where the process was started with --expose-gc. */
  settled: async (): Promise<Usage> => {
    globalThis.gc?.()
    return await actor.usage?.(undefined) as Usage
  },
  sinceStart: async () => performance.now()
}

const answer = (message: Answer): void => { if (process.connected) process.send?.(message) }

async function obey ({ id, call, args }: Call): Promise<void> {
  try {
    const run = actor[call]
    if (run === undefined) throw new Error(`${call} is not something this process does`)
    answer({ id, value: await run(args) })
  } catch (error) {
    answer({ id, error: error instanceof Error ? `${error.message}` : String(error) })
  }
}

// Ctrl-C reaches every process of the terminal: the bench says when it is over.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(0))
process.on('message', (message: Call) => { void obey(message) })
