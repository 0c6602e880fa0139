/** An agent for tests, to be loaded with --module: one capability that calls a dependency over HTTP, and one that needs nothing. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent } from '../../src/core/agent.ts'

const FAST_MS = 5

export default async function provide (agent: Agent): Promise<void> {
  const { DEPENDENCY = '', DEPENDENT_COST = '1' } = process.env
  if (DEPENDENCY !== '') {
    await agent.provide('stock.level.read', {
      dependsOn: ['warehouse'],
      bid: () => ({ cost: Number(DEPENDENT_COST), confidence: 0.9 }),
      run: async (_input, { guard }) => await guard('warehouse', async signal => await (await fetch(DEPENDENCY, { signal })).json())
    })
  }
  await agent.provide('stock.label.print', {
    run: async () => {
      await sleep(FAST_MS)
      return agent.name
    }
  })
}
