/** An agent for tests, to be loaded with --module: does what its input says, and bids what its environment says. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agent } from '../../src/core/agent.ts'

interface Order {
  /** How many steps, each with a progress, */
  steps?: number
  /** and how long each, in ms. */
  stepMs?: number
  /** Agents that are to fail at it, by name. */
  failFor?: string[]
  ask?: string
}

export default async function provide (agent: Agent): Promise<void> {
  const cost = Number(process.env.WORKER_COST ?? 1)
  await agent.provide<Order>(process.env.WORKER_CAPABILITY ?? 'work.steps.do', {
    input: { type: 'object', properties: { steps: { type: 'integer', minimum: 0 }, stepMs: { type: 'number' }, failFor: { type: 'array' }, ask: { type: 'string' } } },
    output: { type: 'object', required: ['by', 'epoch'] },
    bid: () => ({ cost, confidence: 0.9, ...(process.env.WORKER_PROMISE === undefined ? {} : { durationMs: Number(process.env.WORKER_PROMISE) }) }),
    run: async ({ steps = 0, stepMs = 0, failFor = [], ask }, { progress, artifact, requireInput, signal, epoch }) => {
      if (failFor.includes(agent.name)) throw new Error(`${agent.name} was told to fail`)
      for (let step = 0; step < steps; step++) {
        progress(step / steps, `step ${step + 1}`)
        await sleep(stepMs, undefined, { signal })
      }
      await artifact('note.txt', `done by ${agent.name}`)
      const answer = ask === undefined ? undefined : await requireInput(ask, { type: 'string' })
      return { by: agent.name, epoch, answer }
    }
  })
}
