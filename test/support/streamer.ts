/** An agent for tests, to be loaded with --module: counts aloud, as artifacts and progress. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent } from '../../src/core/agent.ts'

export interface CountOrder {
  /** Up to where, */
  parts: number
  /** and over how long, in ms. */
  forMs: number
}

export default async function provide (agent: Agent): Promise<void> {
  await agent.provide<CountOrder>('stream.numbers.count', {
    bid: () => ({ cost: 1 + Math.floor(Math.random() * 9), confidence: 0.9 }),
    run: async ({ parts, forMs }, { progress, artifact, signal }) => {
      const begun = performance.now()
      for (let part = 1; part <= parts; part++) {
        if (part % 5 === 0) progress(part / parts, `${part}`)
        await artifact('number', `${part}`)
        await sleep(Math.max(0, begun + part * forMs / parts - performance.now()), undefined, { signal })
      }
      return { parts, by: agent.name }
    }
  })
}
