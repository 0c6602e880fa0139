/** An agent for tests, to be loaded with --module: has its work done by the next one, or waits for its end when there is none. */
import type { Agent } from '../../src/core/agent.ts'

const say = (event: string): void => { console.log(JSON.stringify({ event, at: Date.now() })) }

export default async function provide (agent: Agent): Promise<void> {
  const next = process.env.RELAY_NEXT
  await agent.provide(process.env.RELAY_CAPABILITY ?? '', {
    bid: () => ({ cost: 1, confidence: 1 }),
    run: async (input, { delegate, signal }) => {
      say('began')
      signal.addEventListener('abort', () => { say('stopped') }, { once: true })
      if (next !== undefined) return { by: agent.name, of: (await delegate(next, input).result).output }
      if (input !== 'wait') return { by: agent.name }
      return await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true }) })
    }
  })
}
