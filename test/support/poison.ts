/**
 * An agent for tests, to be loaded with --module: writes down each start of its handlers, with the key of the job, into the
 * file that the environment names. `work.poison.do` kills its own process, until the file `FILE.mended` is there.
 */
import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent } from '../../src/core/agent.ts'

export default async function provide (agent: Agent): Promise<void> {
  const file = process.env.STARTS as string
  await agent.provide<string>('work.poison.do', {
    run: (input, { idempotencyKey }) => {
      appendFileSync(file, `${idempotencyKey}\n`)
      if (!existsSync(`${file}.mended`)) process.kill(process.pid, 'SIGKILL')
      return input.toUpperCase()
    }
  })
  await agent.provide<{ ms: number }>('work.effect.make', {
    run: async ({ ms }, { idempotencyKey, progress, signal }) => {
      appendFileSync(file, `${idempotencyKey}\n`)
      progress(0.5)
      await sleep(ms, undefined, { signal })
      return idempotencyKey
    }
  })
}
